"""Importing, building and registering plugins.  Runs where the plugins run: in the host process.

Whatever goes wrong with one plugin is that plugin's report; the others load.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import logging
import os
import re
import signal
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from qehost.config.sources import located
from qehost.errors import ConfigError, PluginError
from qehost.hookspecs import PROJECT
from qehost.host.compatibility import unmet
from qehost.host.configure import configure
from qehost.host.context import ApiOf, Context, no_api
from qehost.host.dispatch import (
    HOOKS,
    Dispatcher,
    Failures,
    Implementation,
    Marks,
    describe,
    end_a_fork,
)
from qehost.host.finding import Candidate
from qehost.host.registry import Registry
from qehost.logs import hide, secrets_in
from qehost.names import canonical

if TYPE_CHECKING:
    from qehost.rest.api import API

__all__ = [
    "Plugins",
    "Report",
    "State",
    "config_class",
    "configured",
    "implementations",
    "imported",
    "load",
    "report",
]

logger = logging.getLogger("qehost.host")

HERE = Path(__file__).parent

State = Literal["loaded", "blocked", "disabled", "failed"]


class Report(msgspec.Struct, frozen=True):
    """What became of one plugin."""

    name: str
    distribution: str
    """`""` for a module given by `-p`."""
    version: str
    module: str
    """Where it is: `module` or `module:attribute`."""
    process: str
    """The host process it runs in."""
    order: int
    hooks: tuple[str, ...]
    state: State
    why: str
    """For every state but `loaded`: why."""
    warnings: tuple[str, ...] = ()
    """What the plugin uses and a later qehost will no longer have."""


@dataclass(frozen=True, slots=True)
class Plugins:
    """What was loaded, and a report for each plugin that was found."""

    reports: tuple[Report, ...]
    configs: dict[str, Any]
    """The names of the loaded plugins, in calling order, each with its own configuration."""
    implementations: dict[str, tuple[Implementation, ...]]
    """By hook, in calling order."""
    objects: dict[str, Any] = field(default_factory=dict)
    """The loaded plugins themselves: the module, the object, or what was built of the class."""

    @property
    def failed(self) -> tuple[Report, ...]:
        """The plugins that should have been loaded and could not be."""
        return tuple(report for report in self.reports if report.state == "failed")

    def contexts(
        self,
        accounts: Sequence[str],
        state_dir: Path,
        stop: Callable[[str], None],
        api: ApiOf = no_api,
    ) -> dict[str, Context]:
        """What each plugin's `on_start` receives.  `state_dir` is qehost's own."""

        # Functions of their own, as a bound method leads to whatever its object holds.
        def ask_to_stop(reason: str) -> None:
            stop(reason)

        def api_of(account: str) -> API:
            return api(account)

        return {
            name: Context(
                name,
                tuple(accounts),
                config,
                state_dir / "plugins" / _folder(name),
                ask_to_stop,
                api_of,
            )
            for name, config in self.configs.items()
        }

    def dispatcher(
        self,
        *,
        marks: Marks | None = None,
        failures: Failures | None = None,
        slow_call: float = 0.25,
        turn: float = inf,
    ) -> Dispatcher:
        """What calls them.  See `Dispatcher`."""
        return Dispatcher(
            tuple(self.configs),
            self.implementations,
            marks=marks,
            failures=failures,
            slow_call=slow_call,
            turn=turn,
        )


def imported(candidate: Candidate) -> Any:
    """What the candidate's value leads to.  Raises whatever the import raises."""
    return importlib.metadata.EntryPoint(candidate.name, candidate.value, PROJECT).load()


def load(
    candidates: Iterable[Candidate],
    process: str | None = None,
    source: Callable[[Candidate], Any] = imported,
) -> Plugins:
    """Load the wanted ones among `candidates` (from `finding.find`), in their order.

    With `process`, only those that run in the host process of that name; the others are left out
    of the reports, too.  `source` gives the module, object or class of a candidate.
    """
    registry = Registry()
    reports: list[Report] = []
    configs: dict[str, Any] = {}
    objects: dict[str, Any] = {}
    for candidate in candidates:
        if process is not None and candidate.settings.process != process:
            continue
        if candidate.wanted != "yes":
            state: State = "failed" if candidate.wanted == "clash" else candidate.wanted
            reports.append(report(candidate, state, candidate.why))
            continue
        try:
            plugin, config, hooks = _load_one(candidate, registry, source)
        except PluginError as error:
            # The report tells; the traceback is for the plugin's author.
            logger.debug("%s", error, exc_info=error.__cause__)
            reports.append(report(candidate, "failed", error.text))
            continue
        configs[candidate.name] = config
        objects[candidate.name] = plugin
        warnings = registry.warnings(candidate.name)
        reports.append(report(candidate, "loaded", "", hooks, warnings))
        if not hooks:
            logger.warning("plugin %s implements no hook", candidate.name)
        for text in warnings:
            logger.warning("plugin %s: %s", candidate.name, text)
    return Plugins(tuple(reports), configs, implementations(registry), objects)


def _load_one(
    candidate: Candidate, registry: Registry, source: Callable[[Candidate], Any]
) -> tuple[Any, Any, tuple[str, ...]]:
    """The plugin, its configuration and its hooks.  Raises `PluginError`."""
    value = candidate.value
    if why := unmet(candidate.requires):
        raise _refusal(candidate, why)
    found = _guarded(candidate, f"{value} can't be imported", partial(source, candidate))
    kind = _config_class(candidate, found)
    try:
        config = configured(candidate, kind)
    except ConfigError as error:
        raise _refusal(candidate, f"its settings are wrong: {'; '.join(error.mistakes)}") from None
    # Before the plugin's own code has them: it may log them.
    _guarded(candidate, "its Config can't be made", lambda: hide(secrets_in([config])))
    if inspect.isclass(found):
        cls: Any = found  # for the type checker it would be type[object]
        build = partial(cls) if kind is None else partial(cls, config)
        found = _guarded(candidate, f"{value} can't be built", build)
    add = partial(registry.add, found, candidate.name, candidate.source)
    return found, config, _guarded(candidate, f"{value} can't be examined", add, PluginError)


def config_class(candidate: Candidate) -> type[msgspec.Struct] | None:
    """The `Config` of a plugin, which is imported for it.  Raises `PluginError`."""
    importing = f"{candidate.value} can't be imported"
    return _config_class(candidate, _guarded(candidate, importing, partial(imported, candidate)))


def _config_class(candidate: Candidate, found: Any) -> type[msgspec.Struct] | None:
    examined = f"{candidate.value} can't be examined"
    kind = _guarded(candidate, examined, partial(getattr, found, "Config", None))
    if kind is None or (inspect.isclass(kind) and issubclass(kind, msgspec.Struct)):
        return kind
    raise _refusal(candidate, "its Config must be a subclass of msgspec.Struct")


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
        configure, kind, settings.own, section, places=settings.places, folder=settings.folder
    )
    return _guarded(candidate, "its Config can't be made", make, ConfigError)


def _guarded(
    candidate: Candidate,
    what: str,
    action: Callable[[], Any],
    passing: type[Exception] | tuple[()] = (),
) -> Any:
    """Run code of the plugin's.  What it raises, but for `passing`, becomes a `PluginError`."""
    process = os.getpid()
    try:
        return action()
    except passing:
        raise
    # A script's sys.exit(), a test framework's skip at module level: they pass `except Exception`,
    # and one such plugin would end the process of all others.
    except BaseException as error:
        # Ctrl-C is the user's; a host process leaves SIGINT to its parent, so there it is the
        # plugin's raise.
        users = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if isinstance(error, KeyboardInterrupt) and users:
            raise
        raise _refusal(candidate, f"{what}: {describe(error)}{_place(error)}") from error
    finally:
        end_a_fork(process)


def _place(error: BaseException) -> str:
    """Where in the plugin it was raised."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).parent != HERE and "importlib" not in frame.filename
    ]
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""


def _refusal(candidate: Candidate, text: str) -> PluginError:
    return PluginError(candidate.name, text, candidate.source)


def report(
    candidate: Candidate,
    state: State,
    why: str,
    hooks: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Report:
    """What became of a candidate."""
    return Report(
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
    )


def implementations(registry: Registry) -> dict[str, tuple[Implementation, ...]]:
    """The implementations of every hook in calling order, with the arguments each wants."""
    return {
        hook: tuple(
            Implementation(
                found.plugin_name,
                found.function,
                tuple(
                    name
                    for name in inspect.signature(found.function).parameters
                    if name in HOOKS[hook]
                ),
            )
            for found in registry.implementations(hook)
        )
        for hook in HOOKS
    }


def _folder(name: str) -> str:
    """A plugin's name as that of a folder.  An entry point may have any name, `../x` too."""
    return re.sub(r"[^a-z0-9-]", "_", canonical(name))
