"""`PluginHost`: one plugin in this process, loaded and called by the code of `qehost run`."""

from __future__ import annotations

import inspect
import os
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast

from qehost.config.secret_settings import referenced_variables
from qehost.config.settings import AccountSettings, PluginSettings
from qehost.errors import Error, HookError, PluginError, Retry
from qehost.hookspecs import Context
from qehost.host.api_clients import ApiClients
from qehost.host.backlog import Backlog
from qehost.host.discovery import Candidate, find
from qehost.host.loading import PluginApi, Plugins, imported, load
from qehost.host.plugin_code import describe_error
from qehost.host.returned_hooks import Held
from qehost.messages import AnyEvent, Event
from qehost.secret import Secret
from qehost.testing.journals import GivenJournals

if TYPE_CHECKING:
    from qehost.rest.api import API
    from qehost.simulator import Venue
    from qehost.storage.status import Status

__all__ = ["PluginHost", "StartPlugin"]


class PluginHost:
    """Runs one plugin for a test, with the checks, settings, order and lifecycle of `qehost run`.

    ::

        with PluginHost(Plugin, {"limit": 10}) as host:
            host.deliver(fill(quantity="25"))
            host.tick()

    Args:
        plugin: a module, an object or a class, or what `-p` takes: the name of an installed plugin
            (its entry point), `module` or `module:attribute`.
        config: its own settings, as they would stand under `[plugins.NAME]`.
        name: the plugin's name; by default a module's name, the entry point's, or `plugin`.
        beside: more plugins that run in the same process, such as a `Recorder`, or one that
            raises to see what `on_error` does.
        accounts: the accounts' names.
        state_dir: the folder of the state folders; by default a temporary one.
        venue: the local venue that `context.api` talks to: its users are the accounts, in order.
        history: events that were journalled before: `context.history` has these, and then what was
            delivered.
        pruned_before: what a history says of earlier ones that were deleted.
        raises: whether what the plugin raises is raised here, too; otherwise it is in `errors`.

    Raises:
        PluginError: it can't be used, for example since its settings are wrong; with the text that
            `qehost plugins` shows.
        UnknownPlugin: no plugin has the name.
    """

    plugin: Any
    """The plugin itself: the instance of a class, or else what was given."""
    name: str
    config: Any
    """The instance of its `Config`, or None."""
    hooks: tuple[str, ...]
    """The hooks it implements."""
    waiting: Retry | None
    """What the plugin has raised to be called again later; None: it does not wait."""
    errors: list[HookError]
    """What its hooks and those of the plugins beside it raised, oldest first; `__cause__` is the
    exception itself."""
    stop_requests: list[str]
    """The reasons that it gave to `context.stop`."""
    problems: dict[str, str]
    """What it has told by `context.problem`, and not cleared: key → text."""
    context: Context
    """What its `on_start` got."""
    status: Status | None
    """What `context.status()` gives: None until the test sets it."""

    def __init__(
        self,
        plugin: object,
        config: Mapping[str, object] | None = None,
        *,
        name: str = "",
        beside: Iterable[object] = (),
        accounts: Sequence[str] = ("main",),
        state_dir: Path | None = None,
        venue: Venue | None = None,
        history: Iterable[Event] = (),
        pruned_before: int = 0,
        raises: bool = True,
    ) -> None:
        candidate = _candidate(plugin, name)
        self.name = candidate.name
        sources = {self.name: plugin}
        own = dict(config or {})
        variables = referenced_variables(own, os.environ)
        candidates = [replace(candidate, settings=PluginSettings(own=own, variables=variables))]
        for number, other in enumerate(beside, 1):
            sources[f"beside-{number}"] = other
            candidates.append(Candidate(f"beside-{number}", _location(other)))
        plugins = load(candidates, source=lambda each: _load_object(each, sources[each.name]))
        for report in plugins.failed:
            raise PluginError(report.name, report.why, report.distribution)
        self.plugin = plugins.objects[self.name]
        self.config = plugins.configs[self.name]
        self.hooks = plugins.reports[0].hooks
        self.errors = []
        self.stop_requests = []
        self.problems = {}
        self.status = None
        for text in plugins.reports[0].warnings:
            warnings.warn(f"plugin {self.name}: {text}", DeprecationWarning, stacklevel=2)
        self._accounts = tuple(accounts)
        self._journals = GivenJournals(
            self._accounts, cast(Iterable[AnyEvent], history), pruned_before
        )
        self._raises = raises
        self._unraised: list[HookError] = []
        self._state_dir = state_dir
        self._venue = venue
        self._plugins = plugins
        self._held: list[Held] = []
        self._lanes = plugins.lanes(blocking=True)
        self._dispatcher = self._wrapped(plugins).dispatcher(
            lanes=self._lanes,
            progress=self._journals,
            failures=self._failed,
            retries=self._held.append,
            slow_call=1e6,
        )
        self.waiting = None
        self._backlog = Backlog(self._dispatcher, self.name)
        self._running = False
        self._ending = ExitStack()

    # --- lifecycle --------------------------------------------------------------------------

    def __enter__(self) -> PluginHost:
        try:
            self.start()
        except BaseException:
            self._ending.close()
            raise
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is not None:
            self._raises = False  # the test has failed already, and its error says more
        self.stop()

    def start(self) -> None:
        """Call `on_start`, as `with` does."""
        folder = self._state_dir
        if folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="qehost-test-")
            folder = Path(self._ending.enter_context(temporary))
        api: PluginApi = _no_venue
        if self._venue is not None:
            api = apis = ApiClients(_venue_accounts(self._venue, self._accounts))
            self._ending.callback(apis.close)
        contexts = self._plugins.contexts(
            self._accounts,
            folder,
            self.stop_requests.append,
            api,
            lambda plugin: self._journals,
            self._note_problem,
            lambda: self.status,
        )
        self.context = contexts[self.name]
        self._running = True
        self._call_on_start(contexts)
        self._raise_failures()

    def stop(self, reason: str = "the test is over") -> None:
        """Call `on_stop`, once, as the end of `with` does."""
        if not self._running:
            return
        self._running = False
        with self._ending:
            self._dispatcher.stop(reason)
            if self._lanes is not None:
                self._lanes.close()
            self._raise_failures()

    # --- calls -------------------------------------------------------------------

    def deliver(self, *events: Event) -> None:
        """Deliver events: each to the hooks of its kind, then all of them to `on_batch`.

        Raises:
            HookError: the plugin raised `__cause__`.  All events have been delivered.
        """
        self._check_running()
        for event in events:
            if event.account not in self._accounts:
                raise ValueError(
                    f"an event of account {event.account}, and the plugin runs with "
                    f"{', '.join(self._accounts)}: PluginHost(…, accounts=[…])"
                )
        # Each is one of the kinds of AnyEvent, but the type of a list of several is their base
        # class.
        given = cast(tuple[AnyEvent, ...], events)
        if self.waiting is not None:
            self._backlog.add(given)
        with self._journals.delivering(given):
            self._dispatcher.deliver(given)
        self._note_held(given)
        self._raise_failures()

    def retry(self) -> None:
        """The plugin's time has come after a `Retry`: call its hooks that had not returned, with
        `event.attempt` one higher, and then what was delivered meanwhile.

        Raises:
            HookError: as `deliver`.
        """
        self._check_running()
        if self.waiting is None:
            raise RuntimeError("the plugin does not wait: none of its hooks has raised Retry")
        self.waiting = None
        self._dispatcher.wake(self.name)
        if self.name not in self._dispatcher.awake():
            self._call_on_start({self.name: self.context})
        if self.waiting is None and (held := self._backlog.deliver(self._held)):
            self.waiting = held.error
        self._raise_failures()

    def _call_on_start(self, contexts: Mapping[str, Context]) -> None:
        failed = self._dispatcher.start(contexts)
        self.waiting = next((e.__cause__ for e in failed if isinstance(e.__cause__, Retry)), None)

    def _note_problem(self, plugin: str, key: str, text: str) -> None:
        if plugin == self.name:
            self.problems.pop(key, None)
            if text:
                self.problems[key] = text

    def _note_held(self, events: Sequence[AnyEvent]) -> None:
        for held in self._held:
            if held.plugin == self.name:
                self.waiting = held.error
                self._backlog.hold(held, events)
        self._held.clear()

    def tick(self, now: float | None = None) -> None:
        """Call `on_tick`.  `now` is epoch seconds, by default the current time."""
        self._check_running()
        self._dispatcher.tick(time.time() if now is None else now)
        self._note_held(())
        self._raise_failures()

    # --- inside ----------------------------------------------------------------------------

    def _check_running(self) -> None:
        if not self._running:
            raise RuntimeError("the plugin is not running: use `with PluginHost(…) as host:`")

    def _wrapped(self, plugins: Plugins) -> Plugins:
        """With a wrapper around `on_error`, since the dispatcher only logs what that raises."""
        hooks = {
            **plugins.implementations,
            "on_error": tuple(
                each._replace(function=self._wrap(each.plugin, each.function))
                for each in plugins.implementations["on_error"]
            ),
        }
        return replace(plugins, implementations=hooks)

    def _wrap(self, plugin: str, function: Callable[..., object]) -> Callable[..., object]:
        def failed(arguments: tuple[Any, ...], error: BaseException) -> None:
            event = next((each for each in arguments if isinstance(each, Event)), None)
            self._failed(plugin, "on_error", event, error)

        def wrapper(*arguments: Any) -> object:
            try:
                return function(*arguments)
            except BaseException as error:
                failed(arguments, error)
                raise

        async def coroutine(*arguments: Any) -> None:
            try:
                await cast(Awaitable[object], function(*arguments))
            except BaseException as error:
                failed(arguments, error)
                raise

        return coroutine if inspect.iscoroutinefunction(function) else wrapper

    def _failed(self, plugin: str, hook: str, event: Event | None, error: BaseException) -> None:
        # For an exception in on_batch this is called for each of its events.
        if self.errors and self.errors[-1].__cause__ is error:
            return
        failure = HookError(plugin, hook, describe_error(error), 0 if event is None else event.seq)
        failure.__cause__ = error
        self.errors.append(failure)
        if plugin == self.name:
            self._unraised.append(failure)

    def _raise_failures(self) -> None:
        """Raise what the plugin raised since the last time."""
        unraised, self._unraised = self._unraised, []
        for error in unraised:
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise error.__cause__
        if unraised and self._raises:
            first, *more = unraised
            for error in more:
                first.add_note(f"and then {error}")
            raise first


class StartPlugin(Protocol):
    """The fixture `plugin_host`: a `PluginHost` that is running, and is stopped after the test.

    Its state folders are kept until the end of the test, so a plugin can be started again.  If the
    test uses the fixture `venue`, too, `context.api` talks to that.
    """

    def __call__(
        self,
        plugin: object,
        config: Mapping[str, object] | None = None,
        *,
        name: str = "",
        beside: Iterable[object] = (),
        accounts: Sequence[str] = ("main",),
        history: Iterable[Event] = (),
        pruned_before: int = 0,
        raises: bool = True,
    ) -> PluginHost: ...


def _candidate(plugin: object, name: str) -> Candidate:
    if not isinstance(plugin, str):
        default = plugin.__name__ if isinstance(plugin, ModuleType) else "plugin"
        return Candidate(name or default, _location(plugin))
    found = next(each for each in find([plugin]) if each.is_meant_by(plugin))
    return replace(found, name=name) if name else found


def _location(plugin: object) -> str:
    if isinstance(plugin, ModuleType):
        return plugin.__name__
    kind = plugin if isinstance(plugin, type) else type(plugin)
    return f"{kind.__module__}:{kind.__qualname__}"


def _load_object(candidate: Candidate, plugin: object) -> Any:
    return imported(candidate) if isinstance(plugin, str) else plugin


def _venue_accounts(venue: Venue, accounts: Sequence[str]) -> dict[str, AccountSettings]:
    return {
        name: AccountSettings(
            ws_url=venue.ws_url,
            rest_url=venue.rest_url,
            api_key=Secret(user.api_key),
            api_secret=Secret(user.api_secret),
            proxy=Secret("none"),
        )
        for name, user in zip(accounts, venue.accounts, strict=False)
    }


def _no_venue(_: str, account: str) -> API:
    raise Error(
        f"there is no venue on which account {account} could act: use the fixture `venue` beside "
        "`plugin_host`, or PluginHost(…, venue=venue)"
    )
