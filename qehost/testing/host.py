"""`PluginHost`: one plugin in this process, by the loading and the calling of `qehost run`."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast

from qehost.errors import Error, HookError, PluginError
from qehost.host.apis import Apis
from qehost.host.context import ApiOf, Context
from qehost.host.dispatch import describe
from qehost.host.finding import Candidate, find
from qehost.host.loading import Plugins, imported, load
from qehost.messages import AnyEvent, Event
from qehost.secret import Secret
from qehost.settings import AccountSettings, PluginSettings

if TYPE_CHECKING:
    from qehost.rest.api import API
    from qehost.simulator import Venue

__all__ = ["PluginHost", "StartPlugin"]


class PluginHost:
    """Runs one plugin for a test: the same checks, settings, order of calls and lifecycle.

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
        state_dir: where state folders are; by default a temporary one that goes with the host.
        venue: the local venue that `context.api` talks to: its users are the accounts, in order.
        raises: whether what the plugin raises is raised here, too.  If not, `errors` has it.

    Raises:
        PluginError: it can't be used, with the text that `qehost plugins` shows; wrong settings are
            such a reason.
        UnknownPlugin: no plugin fits the name.
    """

    plugin: Any
    """The plugin itself: what was built of a class, else what was given."""
    name: str
    config: Any
    """The instance of its `Config`, or None."""
    hooks: tuple[str, ...]
    """The hooks it implements."""
    errors: list[HookError]
    """What its hooks and those of the plugins beside it raised, oldest first; `__cause__` is the
    exception itself."""
    stop_requests: list[str]
    """The reasons with which it called `context.stop`."""
    context: Context
    """What its `on_start` got."""

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
        raises: bool = True,
    ) -> None:
        candidate = _candidate(plugin, name)
        self.name = candidate.name
        sources = {self.name: plugin}
        candidates = [replace(candidate, settings=PluginSettings(own=dict(config or {})))]
        for number, other in enumerate(beside, 1):
            sources[f"beside-{number}"] = other
            candidates.append(Candidate(f"beside-{number}", _place(other)))
        plugins = load(candidates, source=lambda each: _object(each, sources[each.name]))
        for report in plugins.failed:
            raise PluginError(report.name, report.why, report.distribution)
        self.plugin = plugins.objects[self.name]
        self.config = plugins.configs[self.name]
        self.hooks = plugins.reports[0].hooks
        self.errors = []
        self.stop_requests = []
        for text in plugins.reports[0].warnings:
            warnings.warn(f"plugin {self.name}: {text}", DeprecationWarning, stacklevel=2)
        self._accounts = tuple(accounts)
        self._raises = raises
        self._fresh: list[HookError] = []
        self._state_dir = state_dir
        self._venue = venue
        self._plugins = plugins
        self._dispatcher = self._watched(plugins).dispatcher(failures=self._failed, slow_call=1e6)
        self._running = False
        self._ending = ExitStack()

    # --- its life --------------------------------------------------------------------------

    def __enter__(self) -> PluginHost:
        try:
            self.start()
        except BaseException:
            self._ending.close()
            raise
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is not None:
            self._raises = False  # the test has failed already, and says more
        self.stop()

    def start(self) -> None:
        """Call `on_start`.  `with` does it."""
        folder = self._state_dir
        if folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="qehost-test-")
            folder = Path(self._ending.enter_context(temporary))
        api: ApiOf = _no_venue
        if self._venue is not None:
            api = apis = Apis(_venue_accounts(self._venue, self._accounts))
            self._ending.callback(apis.close)
        contexts = self._plugins.contexts(self._accounts, folder, self.stop_requests.append, api)
        self.context = contexts[self.name]
        self._running = True
        self._dispatcher.start(contexts)
        self._surface()

    def stop(self, reason: str = "the test is over") -> None:
        """Call `on_stop`, once.  The end of `with` does it."""
        if not self._running:
            return
        self._running = False
        with self._ending:
            self._dispatcher.stop(reason)
            self._surface()

    # --- what reaches it -------------------------------------------------------------------

    def deliver(self, *events: Event) -> None:
        """Hand over events: each to the hooks of its kind, then all of them to `on_batch`.

        Raises:
            HookError: the plugin raised; `__cause__` is what.  All events have been delivered.
        """
        self._must_run()
        for event in events:
            if event.account not in self._accounts:
                raise ValueError(
                    f"an event of account {event.account}, and the plugin runs with "
                    f"{', '.join(self._accounts)}: PluginHost(…, accounts=[…])"
                )
        # All events are of one of its kinds; a list of several kinds has the type of their root.
        self._dispatcher.deliver(cast(tuple[AnyEvent, ...], events))
        self._surface()

    def tick(self, now: float | None = None) -> None:
        """Call `on_tick`.  `now` is epoch seconds; by default it is now."""
        self._must_run()
        self._dispatcher.tick(time.time() if now is None else now)
        self._surface()

    # --- inside ----------------------------------------------------------------------------

    def _must_run(self) -> None:
        if not self._running:
            raise RuntimeError("the plugin is not running: use `with PluginHost(…) as host:`")

    def _watched(self, plugins: Plugins) -> Plugins:
        """With a watch on `on_error`: what that raises goes to the log and nowhere else."""
        hooks = {
            **plugins.implementations,
            "on_error": tuple(
                each._replace(function=self._watch(each.plugin, each.function))
                for each in plugins.implementations["on_error"]
            ),
        }
        return replace(plugins, implementations=hooks)

    def _watch(self, plugin: str, function: Callable[..., object]) -> Callable[..., object]:
        def watched(*arguments: Any) -> object:
            try:
                return function(*arguments)
            except BaseException as error:
                event = next((each for each in arguments if isinstance(each, Event)), None)
                self._failed(plugin, "on_error", event, error)
                raise

        return watched

    def _failed(self, plugin: str, hook: str, event: Event | None, error: BaseException) -> None:
        # A raise in on_batch is told for each of its events.
        if self.errors and self.errors[-1].__cause__ is error:
            return
        told = HookError(plugin, hook, describe(error), 0 if event is None else event.seq)
        told.__cause__ = error
        self.errors.append(told)
        if plugin == self.name:
            self._fresh.append(told)

    def _surface(self) -> None:
        """Raise what the plugin raised since the last time."""
        fresh, self._fresh = self._fresh, []
        for error in fresh:
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise error.__cause__
        if fresh and self._raises:
            first, *more = fresh
            for error in more:
                first.add_note(f"and then {error}")
            raise first


class StartPlugin(Protocol):
    """The fixture `plugin_host`: a `PluginHost` that is running, and is stopped after the test.

    Its state folders outlive it within one test, so a plugin can be started a second time.  If the
    test uses the fixture `venue` as well, `context.api` talks to that.
    """

    def __call__(
        self,
        plugin: object,
        config: Mapping[str, object] | None = None,
        *,
        name: str = "",
        beside: Iterable[object] = (),
        accounts: Sequence[str] = ("main",),
        raises: bool = True,
    ) -> PluginHost: ...


def _candidate(plugin: object, name: str) -> Candidate:
    if not isinstance(plugin, str):
        default = plugin.__name__ if isinstance(plugin, ModuleType) else "plugin"
        return Candidate(name or default, _place(plugin))
    found = next(each for each in find([plugin]) if each.is_meant_by(plugin))
    return replace(found, name=name) if name else found


def _place(plugin: object) -> str:
    if isinstance(plugin, ModuleType):
        return plugin.__name__
    kind = plugin if isinstance(plugin, type) else type(plugin)
    return f"{kind.__module__}:{kind.__qualname__}"


def _object(candidate: Candidate, plugin: object) -> Any:
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


def _no_venue(account: str) -> API:
    raise Error(
        f"there is no venue on which account {account} could act: use the fixture `venue` beside "
        "`plugin_host`, or PluginHost(…, venue=venue)"
    )
