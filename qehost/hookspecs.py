"""The hooks that a plugin may implement, and the `Context` that it gets.

Each docstring is the hook's contract.

A plugin is a module, an object or a class with functions of these names.  A function declares the
arguments it wants, by name and in any order, and leaves out the rest::

    def on_fill(message):
        print(message.symbol, message.filled_qty, message.fill_price)

`@qehost.hookimpl` is only needed for its options (`tryfirst`, `trylast`, `optionalhook`).

For every hook:

* **Process and thread.**  Hooks run in the host process, in its main thread, one at a time.
  Nothing a hook does can delay a heartbeat: the socket lives in another process.
* **Order.**  Events come in the order of `seq` for each account.  Plugins are called in their
  configured `order`, then by name, within `tryfirst` and `trylast`.
* **At least once.**  Exactly once unless a process crashes; then an event may be delivered again,
  marked `redelivered`.
* **An exception** is logged with plugin, hook and event and is given to `on_error` of the other
  plugins, which still get the event.  The plugin that raised it goes on with the next event.
* **`raise qehost.Retry(after=5, reason=…)`**, in any hook, says "not now": this plugin's position
  stays where it is, no hook of it is called for so many seconds, and then the event comes again to
  the hooks that had not returned, with `event.attempt` one higher.  The others go on.
* **Messages are immutable**, so no plugin can change what the next one sees.
* **`async def`** is allowed for each hook: it runs in the plugin's own task of one loop in the main
  thread, and the others don't wait for what it awaits.
* A hook that takes long delays the plugins that share its process; see `process` in the settings.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import pluggy

from qehost.errors import Error
from qehost.messages import (
    AnyEvent,
    ClientPushMessage,
    ConnectedEvent,
    DisconnectedEvent,
    ErrorEvent,
    Event,
    EventKind,
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderDetail,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderDetail,
    OrderEvent,
    OrderMessage,
    StatusEvent,
)

if TYPE_CHECKING:
    from qehost.rest.api import API
    from qehost.storage.status import Status

__all__ = [
    "PROJECT",
    "VERSION",
    "ApiOf",
    "Context",
    "EventHistory",
    "Journals",
    "NoJournals",
    "hookimpl",
    "hookspec",
    "no_api",
]

PROJECT = "qehost"
"""pluggy's project name, and the entry-point group in which plugins are found."""

VERSION = "0.1"
"""The version of this set of hooks: the qehost that last added one, or an argument.

Within it nothing is removed.  What will be removed is marked (`warn_on_impl`, `warn_on_impl_args`)
for at least one minor version, in which every plugin that uses it is named.
"""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def on_start(context: Context) -> None:
    """Called once, before any event, in every new host process (so again after a restart).

    `context` has the account names, the plugin's name and settings, its state folder, a logger, a
    function that stops qehost, and `api(account)`: the signed REST client.  Where it raises, it is
    called again after a while (or as a `Retry` says), and the plugin's events wait for it; with
    `--strict` the program does not start.

    Since 0.1.
    """


@hookspec
def on_stop(reason: str) -> None:
    """Called once, after the last event, when the host process ends in an orderly way.

    `reason` is a short text: `stopped by SIGTERM`, `--duration reached`, …  Draining and
    `on_stop` together have `host.drain_timeout` (seconds); what takes longer is cut off.  It is not
    called when the process is killed.

    Since 0.1.
    """


@hookspec
def on_connected(event: ConnectedEvent) -> None:
    """The stream of an account is open.  `event.message` has the window in which it was not.

    Since 0.1.
    """


@hookspec
def on_disconnected(reason: str, event: DisconnectedEvent) -> None:
    """The stream of an account has ended.  `reason` says why; `event.message` has the times.

    Since 0.1.
    """


@hookspec
def on_master_order(
    message: MasterOrderMessage, detail: MasterOrderDetail, event: MasterOrderEvent
) -> None:
    """A master order is new or has changed.

    `message` has the documented fields (floats); `detail` every field of the venue with exact
    decimals.  It is decoded only if some plugin asks for it; `event.detail` is the same.

    Since 0.1.
    """


@hookspec
def on_order(message: OrderMessage, detail: OrderDetail, event: OrderEvent) -> None:
    """A child order is new or has changed; it carries its running fill.

    `detail` as for `on_master_order`.

    Since 0.1.
    """


@hookspec
def on_fill(message: FillMessage, detail: FillDetail, event: FillEvent) -> None:
    """A child order was filled, wholly or in part: one call for each increase.

    In V2 the venue pushes no fills; they are derived from the child order's update, come right
    after it, and have `event.origin == "derived"`.  `detail` has the exact decimals, and the `id`
    of the child order.

    Since 0.1.
    """


@hookspec
def on_status(status: str, event: StatusEvent) -> None:
    """The venue sent a status text.

    Since 0.1.
    """


@hookspec
def on_error(error: Error, event: ErrorEvent | Event | None) -> None:
    """Something went wrong; `error` is an exception of `qehost.errors`.

    * `VenueError`: the venue sent an error message.
    * `DecodeError`: a message could not be read; `error.raw` is its text.  The stream goes on.
    * `ConnectError`, `HandshakeError`, `ListenKeyError`, `GapError`: the connection; it goes on.
    * `HookError`: another plugin raised; `event` is the event at which it did, or None outside one.

    An exception in `on_error` is only logged.

    Since 0.1.
    """


@hookspec
def on_raw_message(message: ClientPushMessage, event: AnyEvent) -> None:
    """Every message of the stream as it came, also of unknown types, before its typed hook.

    Not called for what did not come over the stream (read over REST, derived), nor for text that is
    no outer message: for that `on_error` is called.

    Since 0.1.
    """


@hookspec
def on_batch(events: Sequence[AnyEvent]) -> None:
    """Several events at once, for sinks that write many in one go; after their typed hooks.

    The cursor moves past these events only after the call has returned, so what a sink has not
    written comes again after a crash.  Events of all kinds, at least one, in the order of `seq`.
    With the settings or class attributes `max_events` and `max_wait` it waits for more of them.

    Since 0.1.
    """


@hookspec
def on_tick(now: float) -> None:
    """About once a second, whether events come or not.  `now` is epoch seconds.

    Since 0.1.
    """


ApiOf: TypeAlias = "Callable[[str], API]"
"""A function from an account's name to its REST client."""


def no_api(account: str) -> API:
    """For a `Context` without REST."""
    raise Error(f"there is no REST interface to reach account {account} by")


class Journals(Protocol):
    """What a `Context` asks the journals.  From any thread."""

    def has(self, account: str, journal_id: str, seq: int) -> bool: ...

    def history(self, account: str, **selection: Any) -> EventHistory: ...


class EventHistory(Protocol):
    """Events of a journal.  They are read while it is iterated, which can be done again."""

    @property
    def pruned_before(self) -> int:
        """The number of the first event that is still there, where earlier ones that were asked for
        have been deleted (`journal.keep`, `journal.keep_bytes`); 0: none have."""

    @property
    def damaged(self) -> Sequence[tuple[int, int]]:
        """The first and the last number of events that can't be read, as far as it was iterated
        last: they are damaged on the disk."""

    def __iter__(self) -> Iterator[AnyEvent]: ...


class NoHistory:
    """That of a journal that has nothing."""

    pruned_before = 0
    damaged: Sequence[tuple[int, int]] = ()

    def __iter__(self) -> Iterator[AnyEvent]:
        return iter(())


class NoJournals:
    """For a `Context` without journals."""

    def has(self, account: str, journal_id: str, seq: int) -> bool:
        return False

    def history(self, account: str, **selection: Any) -> EventHistory:
        return NoHistory()


def _no_problem(key: str, text: str) -> None:
    """For a `Context` without a status."""


def _no_status() -> Status | None:
    """For a `Context` of what is not run."""
    return None


@dataclass(frozen=True, slots=True)
class Context:
    """What a plugin may use.  It is valid until `on_stop` has returned."""

    plugin: str
    """The plugin's name."""
    accounts: tuple[str, ...]
    """The accounts' names, as in the settings."""
    config: Any = field(repr=False)  # it may hold the plugin's passwords
    """An instance of the plugin's `Config`, or None if it has none."""
    _folder: Path
    stop: Callable[[str], None] = field(repr=False)
    """`stop(reason)` asks qehost as a whole to end in an orderly way.  It returns at once."""
    _api: ApiOf = field(repr=False, default=no_api)
    _journals: Journals = field(repr=False, default=NoJournals())
    _problem: Callable[[str, str], None] = field(repr=False, default=_no_problem)
    settings_dir: Path = Path()
    """The folder that a relative path in the plugin's settings counts from: that of the settings'
    file, or else the current one.

    Since 0.1.
    """
    _status: Callable[[], Status | None] = field(repr=False, default=_no_status)

    def api(self, account: str) -> API:
        """The account's REST client, which signs with its credentials and does not show them.

        It is made at the first call, shared by the plugins of a process, may be used from any
        thread, and is closed after `on_stop`.  A call takes a round trip, and ten seconds at worst,
        in which no plugin of this process gets an event if it is made in a hook.

        Raises `Error` for an account that does not exist or has no credentials.
        """
        return self._api(account)

    def has(self, account: str, journal_id: str, seq: int) -> bool:
        """Whether the account's journal has the event of this name, and not another one of that
        number.

        A plugin that keeps a cursor of its own asks this at its start: False where the state folder
        was restored or set back, belongs to another machine, or where the event has been pruned.
        It reads the journal, and may be called from any thread.

        Raises `Error` for an account that does not exist, `JournalError` where its journal can't be
        read now.

        Since 0.1.
        """
        return self._journals.has(account, journal_id, seq)

    def history(
        self,
        account: str,
        *,
        after_seq: int | None = None,
        before_seq: int | None = None,
        since: datetime | timedelta | float | None = None,
        until: datetime | timedelta | float | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        kinds: Iterable[EventKind] | None = None,
    ) -> EventHistory:
        """All events of the account's journal up to this plugin's position, whoever had them.

        So a plugin that keeps its state in memory builds it again in `on_start`: what comes after
        the position comes to its hooks.  In a hook it ends with the event before the one that the
        hook is called with.

        Before the first event come the last states of the orders that were open then, with
        `origin == "baseline"`, also where those events were deleted long ago; they keep the `seq`
        and `journal_id` that they had.  With `newest_first` they come last, unless the limit is
        reached.

        Args:
            after_seq, before_seq: only events between these numbers, without them.  A plugin that
                has a checkpoint of its own goes on after that.
            since, until: only events received in this time, both included: an aware `datetime`, a
                `timedelta` (so long ago), epoch seconds, or nanoseconds as `received_at`.
            limit: so many events at most, without the states in front of them.
            kinds: only events of these kinds; most of what is of another kind is not decoded.

        It is read while it is iterated, in memory that does not grow, in any thread; no other
        process waits for it.  A long journal takes a while: read what is needed.

        Raises `Error` for an account that does not exist, `ValueError` for a selection that can't
        be one; iterating raises `JournalError` where the journal can't be read now.

        Since 0.1.
        """
        return self._journals.history(
            account,
            after_seq=after_seq,
            before_seq=before_seq,
            since=since,
            until=until,
            limit=limit,
            newest_first=newest_first,
            kinds=kinds,
        )

    def problem(self, key: str, text: str) -> None:
        """Say what is wrong with the plugin's work, or with `""` that it is not any more.

        `qehost status` shows it, `qehost status --check` warns of it, and the log has it when it
        begins, changes and ends.  `key` is the plugin's own name for it: one that is told again
        takes the place of the one before.  It ends with the plugin's process, too.  Returns at
        once, from any thread.

        Since 0.1.
        """
        self._problem(key, text)

    def status(self) -> Status | None:
        """What `qehost status --json` has of this run; None before it was written first.

        The supervisor writes it once a second, and it is read from its file (20 µs and more), from
        any thread: no process is asked, so it can be had while others are stuck.  `age()` says how
        old it is; from five seconds on the supervisor is stuck or dead, or the disk is full.  In a
        plugin's command and in `Config.check` it is that of the last run, which may have `ended`;
        in `qehost replay` there is none.

        Raises `JournalError` where it can't be read.

        Since 0.1.
        """
        return self._status()

    @property
    def logger(self) -> logging.Logger:
        """`qehost.plugin.NAME`"""
        return logging.getLogger(f"qehost.plugin.{self.plugin}")

    @property
    def state_dir(self) -> Path:
        """The plugin's own folder, which is kept over restarts.

        It is made at its first use, for the user alone (mode 0700).  Raises `OSError` if
        that is not possible.
        """
        # The folder of all plugins, too: `parents=True` would make it with the usual mode.
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return self._folder
