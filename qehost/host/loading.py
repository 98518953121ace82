"""Importing, building and registering plugins, in the process that runs them.

Whatever goes wrong with a plugin is in its report, and the others are loaded.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import logging
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from qehost.config.settings import OF_PLUGINS
from qehost.config.sources import located
from qehost.config.suggest import canonical
from qehost.errors import ConfigError, PluginError
from qehost.hookspecs import PROJECT, ApiOf, Context, Journals, NoJournals, no_api
from qehost.host.arguments import parameters
from qehost.host.compatibility import unmet
from qehost.host.discovery import Candidate
from qehost.host.dispatch import (
    HOOKS,
    Dispatcher,
    Failures,
    Implementation,
    Progress,
    Retries,
)
from qehost.host.module_plugin import classes_with_hooks, plugin_in
from qehost.host.plugin_code import describe_error, exit_if_forked
from qehost.host.plugin_config import configure
from qehost.host.registry import Registry
from qehost.host.subscription import EVERYTHING, Subscription, subscription
from qehost.storage.state_folder import StateFolder

if TYPE_CHECKING:
    from qehost.host.lanes import Lanes
    from qehost.rest.api import API
    from qehost.storage.status import Status

__all__ = [
    "LoadState",
    "PluginApi",
    "PluginReport",
    "Plugins",
    "config_class",
    "configured",
    "implementations",
    "imported",
    "load",
    "no_plugin_api",
    "report",
]

logger = logging.getLogger("qehost.host")

COROUTINES = Subscription(max_events=64)
"""What a plugin gets at once that is called in a lane, if it does not say so itself."""
THIS_FOLDER = Path(__file__).parent

PluginApi: TypeAlias = "Callable[[str, str], API]"
"""From a plugin's name and an account's to the REST client that it gets."""


def no_plugin_api(_: str, account: str) -> API:
    """For plugins without REST."""
    return no_api(account)


LoadState = Literal["loaded", "blocked", "disabled", "failed"]


class InvalidSettings(PluginError):
    """The plugin's own settings are wrong."""


class PluginReport(msgspec.Struct, frozen=True):
    """Whether a plugin was loaded, and what with."""

    name: str
    distribution: str
    """`""` for a module."""
    version: str
    module: str
    """What is imported: `module` or `module:attribute`."""
    process: str
    """The host process it runs in."""
    order: int
    hooks: tuple[str, ...]
    state: LoadState
    why: str
    """The reason, for every state but `loaded`."""
    warnings: tuple[str, ...] = ()
    """The deprecated hooks and arguments that the plugin uses."""
    invalid: bool = False
    """It failed since its settings are wrong."""
    given: str = ""
    """How a plugin that is not installed was named: `alerts.py`."""

    @property
    def source(self) -> str:
        """`distribution version`, or how it was named."""
        return f"{self.distribution} {self.version}".strip() or self.given


@dataclass(frozen=True, slots=True)
class Plugins:
    """What was loaded, and a report for each plugin that was found."""

    reports: tuple[PluginReport, ...]
    configs: dict[str, Any]
    """The names of the loaded plugins, in calling order, each with its own configuration."""
    implementations: dict[str, tuple[Implementation, ...]]
    """By hook, in calling order."""
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    """Of the plugins that don't want all events, or not as they come."""
    objects: dict[str, Any] = field(default_factory=dict)
    """The loaded plugins themselves: the module, the object, or what was built of the class."""
    folders: dict[str, str] = field(default_factory=dict)
    """By plugin: the folder that relative paths in its settings count from."""

    @property
    def failed(self) -> tuple[PluginReport, ...]:
        """The plugins that should have been loaded and could not be."""
        return tuple(report for report in self.reports if report.state == "failed")

    def contexts(
        self,
        accounts: Sequence[str],
        state_dir: Path,
        stop: Callable[[str], None],
        api: PluginApi = no_plugin_api,
        journals: Callable[[str], Journals] = lambda plugin: NoJournals(),
        problem: Callable[[str, str, str], None] = lambda plugin, key, text: None,
        status: Callable[[], Status | None] = lambda: None,
    ) -> dict[str, Context]:
        """What each plugin's `on_start` receives.  `state_dir` is qehost's own; `api` gives a
        plugin the REST client of an account, `journals` what it sees of the journals, `problem`
        takes its name and what it says is wrong, `status` gives that of the run."""

        # Functions, since a bound method would give plugins its object and all that this holds.
        def ask_to_stop(reason: str) -> None:
            stop(reason)

        def api_of(plugin: str) -> ApiOf:
            return lambda account: api(plugin, account)

        def problem_of(plugin: str) -> Callable[[str, str], None]:
            return lambda key, text: problem(plugin, key, text)

        def status_of_run() -> Status | None:
            return status()

        return {
            name: Context(
                name,
                tuple(accounts),
                config,
                StateFolder(state_dir).plugin(canonical(name)),
                ask_to_stop,
                api_of(name),
                journals(name),
                problem_of(name),
                Path(self.folders.get(name, "")).absolute(),
                status_of_run,
            )
            for name, config in self.configs.items()
        }

    def apart(self) -> dict[str, Subscription]:
        """Those that don't get the events together with the others: they collect them, or are
        called in lanes."""
        alone = dict.fromkeys(self.asynchronous, COROUTINES)
        return alone | {name: s for name, s in self.subscriptions.items() if s.max_events}

    @property
    def asynchronous(self) -> tuple[str, ...]:
        """Those with a hook that is a coroutine."""
        found = {
            each.plugin
            for hooks in self.implementations.values()
            for each in hooks
            if inspect.iscoroutinefunction(each.function)
        }
        return tuple(name for name in self.configs if name in found)

    def lanes(self, **options: Any) -> Lanes | None:
        """What those are called in; None: there are none, and asyncio is not imported.  `options`
        are those of `Lanes`."""
        if not self.asynchronous:
            return None
        from qehost.host.lanes import Lanes

        return Lanes(**options)

    def dispatcher(
        self,
        *,
        lanes: Lanes | None = None,
        progress: Progress | None = None,
        failures: Failures | None = None,
        retries: Retries | None = None,
        slow_call: float = 0.25,
        turn: float = inf,
    ) -> Dispatcher:
        """A dispatcher that calls them; see `Dispatcher` for the arguments.  `lanes` are those that
        `lanes` gave."""
        names, implementations = tuple(self.configs), self.implementations
        if lanes is not None:
            implementations = lanes.wrapped(implementations, self.asynchronous, names)
        return Dispatcher(
            names,
            implementations,
            progress=progress,
            failures=failures,
            retries=retries,
            filters={name: each.wants for name, each in self.subscriptions.items() if each.filters},
            slow_call=slow_call,
            turn=turn,
        )


def imported(candidate: Candidate) -> Any:
    """The object that the candidate names.  Raises whatever the import raises."""
    if candidate.given:  # the name of a file need not be an identifier
        name, _, attribute = candidate.value.partition(":")
        module = importlib.import_module(name)
        return attrgetter(attribute)(module) if attribute else module
    return importlib.metadata.EntryPoint(candidate.name, candidate.value, PROJECT).load()


def load(
    candidates: Iterable[Candidate],
    process: str | None = None,
    source: Callable[[Candidate], Any] = imported,
) -> Plugins:
    """Load the wanted ones among `candidates` (from `discovery.find`), in their order.

    With `process`, only those that run in the host process of that name; the others are left out
    of the reports, too.  `source` gives the module, object or class of a candidate.
    """
    registry = Registry()
    reports: list[PluginReport] = []
    configs: dict[str, Any] = {}
    objects: dict[str, Any] = {}
    subscriptions: dict[str, Subscription] = {}
    folders: dict[str, str] = {}
    for candidate in candidates:
        if process is not None and candidate.settings.process != process:
            continue
        if candidate.wanted != "yes":
            state: LoadState = "failed" if candidate.wanted == "clash" else candidate.wanted
            reports.append(report(candidate, state, candidate.why))
            continue
        try:
            plugin, config, hooks, wanted = _load_one(candidate, registry, source)
        except PluginError as error:
            # The report has the text; the traceback is for the plugin's author.
            logger.debug("%s", error, exc_info=error.__cause__)
            invalid = isinstance(error, InvalidSettings)
            reports.append(report(candidate, "failed", error.text, invalid=invalid))
            continue
        configs[candidate.name] = config
        objects[candidate.name] = plugin
        folders[candidate.name] = candidate.settings.folder
        if wanted != EVERYTHING:
            subscriptions[candidate.name] = wanted
        warnings = registry.warnings(candidate.name)
        reports.append(report(candidate, "loaded", "", hooks, warnings))
        if not hooks:
            others = classes_with_hooks(plugin)
            hint = f"; there are some in {', '.join(others)}" if others else ""
            logger.warning("plugin %s implements no hook%s", candidate.name, hint)
        for text in warnings:
            logger.warning("plugin %s: %s", candidate.name, text)
    return Plugins(
        tuple(reports), configs, implementations(registry), subscriptions, objects, folders
    )


def _load_one(
    candidate: Candidate, registry: Registry, source: Callable[[Candidate], Any]
) -> tuple[Any, Any, tuple[str, ...], Subscription]:
    """The plugin, its configuration, its hooks and what it wants.  Raises `PluginError`."""
    value = candidate.value
    if why := unmet(candidate.requires):
        raise _refusal(candidate, why)
    found = _plugin_of(candidate, source)
    config_type = _config_class(candidate, found)
    try:
        config = configured(candidate, config_type)
    except ConfigError as error:
        text = f"its settings are wrong: {'; '.join(error.mistakes)}"
        raise InvalidSettings(candidate.name, text, candidate.source) from None
    _warn_of_taken_names(candidate, config_type)
    if inspect.isclass(found):
        cls: Any = found  # for the type checker it would be type[object]
        build = partial(cls) if config_type is None else partial(cls, config)
        found = _run_plugin_code(candidate, f"{value} can't be built", build)
    add = partial(registry.add, found, candidate.name, candidate.source)
    hooks = _run_plugin_code(candidate, f"{value} can't be examined", add, PluginError)
    ask = partial(subscription, candidate.settings, found, hooks)
    try:
        wanted = _run_plugin_code(
            candidate, f"{value} can't be asked what it wants", ask, ValueError
        )
    except (ValueError, PluginError) as error:
        registry.unregister(name=candidate.name)
        if isinstance(error, PluginError):
            raise
        raise InvalidSettings(candidate.name, str(error), candidate.source) from None
    return found, config, hooks, wanted


def _plugin_of(candidate: Candidate, source: Callable[[Candidate], Any]) -> Any:
    """The module, object or class that is the plugin.  Raises `PluginError`."""
    importing = f"{candidate.value} can't be imported"
    found = _run_plugin_code(candidate, importing, partial(source, candidate))
    return plugin_in(found, candidate.name) if isinstance(found, ModuleType) else found


def config_class(candidate: Candidate) -> type[msgspec.Struct] | None:
    """The `Config` of a plugin, which is imported for it.  Raises `PluginError`."""
    return _config_class(candidate, _plugin_of(candidate, imported))


def _config_class(candidate: Candidate, found: Any) -> type[msgspec.Struct] | None:
    examined = f"{candidate.value} can't be examined"
    kind = _run_plugin_code(candidate, examined, partial(getattr, found, "Config", None))
    if kind is None or (inspect.isclass(kind) and issubclass(kind, msgspec.Struct)):
        return kind
    raise _refusal(candidate, "its Config must be a subclass of msgspec.Struct")


def _warn_of_taken_names(candidate: Candidate, kind: type[msgspec.Struct] | None) -> None:
    names = () if kind is None else [field.encode_name for field in msgspec.structs.fields(kind)]
    if taken := [name for name in names if name in OF_PLUGINS]:
        logger.warning(
            "plugin %s: its Config has %s, which [plugins.%s] has of qehost's own: the plugin "
            "never gets what the user writes there. Give it another name",
            candidate.name,
            ", ".join(taken),
            candidate.name,
        )


def configured(candidate: Candidate, kind: type[msgspec.Struct] | None) -> Any:
    """An instance of the plugin's `Config` with its settings; None, if it has none.

    Raises `ConfigError` with every mistake, and `PluginError` if the `Config` itself is at fault.
    """
    settings = candidate.settings
    section = f"plugins.{settings.section or candidate.name}"
    if kind is None:
        mistakes = [
            f"{section}.{name}: the plugin takes no settings of its own" for name in settings.own
        ]
        if mistakes:
            raise ConfigError([located(each, settings.places) for each in mistakes])
        return None
    make = partial(
        configure,
        kind,
        settings.own,
        section,
        places=settings.places,
        folder=settings.folder,
        variables=settings.variables,
    )
    return _run_plugin_code(candidate, "its Config can't be made", make, ConfigError)


def _run_plugin_code(
    candidate: Candidate,
    what: str,
    action: Callable[[], Any],
    passing: type[Exception] | tuple[()] = (),
) -> Any:
    """Run code of the plugin.  What it raises becomes a `PluginError`, except for `passing`."""
    process = os.getpid()
    try:
        return action()
    except passing:
        raise
    # A script's sys.exit() and a test framework's skip at module level are no `Exception`, and one
    # such plugin would end the process of all others.
    except BaseException as error:
        # Ctrl-C comes from the user; but a host process ignores SIGINT, so there the plugin itself
        # has raised it.
        from_user = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if isinstance(error, KeyboardInterrupt) and from_user:
            raise
        raise _refusal(candidate, f"{what}: {describe_error(error)}{_location(error)}") from error
    finally:
        exit_if_forked(process)


def _location(error: BaseException) -> str:
    """The file and line of the plugin where it was raised."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).parent != THIS_FOLDER and "importlib" not in frame.filename
    ]
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""


def _refusal(candidate: Candidate, text: str) -> PluginError:
    return PluginError(candidate.name, text, candidate.source)


def report(
    candidate: Candidate,
    state: LoadState,
    why: str,
    hooks: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    *,
    invalid: bool = False,
) -> PluginReport:
    """The report on a candidate."""
    return PluginReport(
        name=candidate.name,
        distribution=candidate.distribution,
        version=candidate.version,
        module=candidate.value,
        process=candidate.settings.process,
        order=candidate.settings.order,
        hooks=hooks,
        state=state,
        why=why,
        warnings=warnings,
        invalid=invalid,
        given=candidate.given,
    )


def implementations(registry: Registry) -> dict[str, tuple[Implementation, ...]]:
    """The implementations of every hook in calling order, with the arguments each wants."""
    return {
        hook: tuple(
            Implementation(
                found.plugin_name,
                found.function,
                tuple(name for name in parameters(found.function) if name in HOOKS[hook]),
            )
            for found in registry.implementations(hook)
        )
        for hook in HOOKS
    }
