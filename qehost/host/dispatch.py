"""Calling the plugins: one loop over tuples, each call in its own `try`.

pluggy's own call stops at the first exception, and builds dictionaries for every call.  Here the
implementations of each hook are put in order once, with the indices of the arguments they want, so
a call costs about as much as reading the clock after it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from math import inf
from types import MappingProxyType
from typing import Any, Literal, Protocol

from qehost.errors import DecodeError, EventsRefused, HookError, Retry
from qehost.events import wire
from qehost.host.arguments import (
    HOOKS,
    NAMES,
    ON_BATCH,
    ON_ERROR,
    ON_RAW_MESSAGE,
    ON_START,
    ON_STOP,
    ON_TICK,
    TYPED,
)
from qehost.host.call_statistics import CallStatistics
from qehost.host.call_table import CallTable, Implementation, SelectArguments, Wants, freeze
from qehost.host.latency_histogram import SHIFT, SHORT
from qehost.host.plugin_code import describe_error, exit_if_forked
from qehost.host.returned_hooks import (
    NOTHING_RETURNED,
    Held,
    ReturnedHooks,
    Step,
    had,
    not_had,
)
from qehost.host.waiting import Suspended
from qehost.messages import AnyEvent, Event
from qehost.storage.status import PluginStatistics

__all__ = [
    "HOOKS",
    "Dispatcher",
    "Failures",
    "Implementation",
    "NoProgress",
    "Outcome",
    "Progress",
    "Retries",
]

logger = logging.getLogger("qehost.host")


class PluginSlot(Protocol):
    """A list of one integer, or what can be written like one."""

    def __setitem__(self, index: Literal[0], number: int) -> None: ...


class Progress(Protocol):
    """Where the dispatcher writes which call it makes, so that a crash can be explained.

    `enter` is called before the first plugin gets an event, and again after each long call, so that
    the time is about right; before every call the plugin's number is written to `plugin[0]`;
    `leave` is called after all plugins were.  A method call for each would cost more than the rest
    of the loop.
    """

    @property
    def plugin(self) -> PluginSlot:
        """`plugin[0] = n`: plugin number n (in `Dispatcher.plugins`) is about to be called."""

    def enter(self, plugin: int, hook: int, seq: int) -> object:
        """Hook number `hook` (in `HOOKS`) is about to be called, first that of plugin number
        `plugin`, with event `seq` of the current account (0: with none)."""

    def leave(self) -> object:
        """The calls have returned."""


class NoProgress:
    """Writes nothing."""

    def __init__(self) -> None:
        self.plugin: PluginSlot = [0]

    def enter(self, plugin: int, hook: int, seq: int) -> None:
        pass

    def leave(self) -> None:
        pass


Failures = Callable[[str, str, Event | None, BaseException], None]
"""Called for each exception: plugin, hook, event and exception.  For one in `on_batch` it is called
once for each event of the batch, since none of them is certain to have been handled; for an
`EventsRefused` once for each event that it names."""


Outcome = Literal["returned", "raised", "held", "nothing to call"]

Retries = Callable[[Held], None]
"""Called for each `Retry`; the plugin is in the table of that call no more, and paused."""


class Dispatcher:
    """Calls the plugins' hooks.  For use by one thread.

    `implementations` has those of each hook in calling order; `plugins` are all names, also of
    plugins without any; `filters` say which events some of them want.  A call that takes longer
    than `slow_call` seconds is logged.  After `turn` seconds of calls `deliver` returns and leaves
    the rest of its events.  Without `retries` a `Retry` is a failure as any other.
    """

    def __init__(
        self,
        plugins: Sequence[str],
        implementations: Mapping[str, Sequence[Implementation]],
        *,
        progress: Progress | None = None,
        failures: Failures | None = None,
        retries: Retries | None = None,
        filters: Mapping[str, Wants] = MappingProxyType({}),
        slow_call: float = 0.25,
        turn: float = inf,
    ) -> None:
        self.plugins = tuple(plugins)
        self._progress = progress or NoProgress()
        self._failures = failures
        self._retries = retries
        self._turn = turn * 1e9
        # Of the current `deliver`: nanoseconds of long calls, whether `turn` is over, events done.
        self._spent = 0
        self._late = False
        self._delivered = 0
        self._statistics = CallStatistics(self.plugins, slow_call)
        self._all_calls = freeze(
            implementations, self.plugins, self._statistics.histograms, filters
        )
        self._with_detail = {
            NAMES.index(hook)
            for hook, found in implementations.items()
            if any("detail" in each.arguments for each in found)
        }
        numbers = range(len(plugins))
        self._started = self._table(numbers)
        """Those whose `on_start` did not raise: they get `on_stop`."""
        self._awake = self._table(numbers)
        """Those of them that don't wait: they get what is no event of an account."""

    def _table(self, plugins: Iterable[int]) -> CallTable:
        return CallTable(self._all_calls, plugins, self._with_detail)

    def table(self, plugins: Iterable[str]) -> CallTable:
        """The calls of these plugins, for `deliver`."""
        return self._table(map(self.plugins.index, plugins))

    def has_hook(self, plugin: str, hook: str) -> bool:
        number = self.plugins.index(plugin)
        return any(call[2] == number for call in self._all_calls[NAMES.index(hook)])

    # --- what the host process calls ---------------------------------------------------------

    def start(self, contexts: Mapping[str, object]) -> list[HookError]:
        """Call `on_start` of these plugins, each with its own context (by name).

        One that raises gets no calls until it is started again.  Returns the errors of those.
        """
        numbers = [self.plugins.index(plugin) for plugin in contexts]
        for number in numbers:
            self._started.remove(number)
            self._awake.remove(number)
        # One step, so that no plugin's on_error is called before its on_start.
        values = tuple(contexts.get(plugin) for plugin in self.plugins)
        calls = tuple(
            (function, partial(_only, plugin, select), plugin, histogram)
            for function, select, plugin, histogram in self._all_calls[ON_START]
            if plugin in numbers
        )
        raised: list[tuple[int, BaseException]] = []
        self._run([(ON_START, calls, values, (), 0)], raised=raised)
        for number, error in raised:
            if isinstance(error, Suspended):
                self._statistics.note_suspended(number)
        for number in set(numbers).difference(number for number, _ in raised):
            self._started.add(number)
            self._awake.add(number)
        return [
            self._failure(ON_START, number, error)
            if isinstance(error, Retry)
            else self._fail(ON_START, number, error, ())
            for number, error in raised
        ]

    def pause(self, plugin: str) -> None:
        """It waits: only `on_stop` and what `deliver` is told to call is called until `wake`."""
        self._awake.remove(self.plugins.index(plugin))

    def wake(self, plugin: str) -> None:
        if (number := self.plugins.index(plugin)) in self._started:
            self._awake.add(number)

    def awake(self) -> list[str]:
        """The plugins that have started and don't wait."""
        return [plugin for n, plugin in enumerate(self.plugins) if n in self._awake]

    def deliver(
        self,
        events: Sequence[AnyEvent],
        table: CallTable | None = None,
        so_far: ReturnedHooks | None = None,
    ) -> int:
        """Hand each event to the hooks of its kind, then all of them to `on_batch`: those of the
        plugins in `table`, or of all that are awake, as far as they
        have not had them.

        Returns how many were delivered: at least one, and all unless `turn` was over before.
        """
        if table is None:
            table = self._awake
        steps = self._steps(events, table)
        self._run(steps if so_far is None else not_had(steps, so_far), table)
        return self._delivered

    def deliver_without(self, plugins: Set[str], event: AnyEvent, table: CallTable) -> None:
        """Hand an event to the plugins in the table but these."""
        self.deliver([event], table.without({self.plugins.index(plugin) for plugin in plugins}))

    def deliver_again(
        self, plugin: str, hook: str, event: AnyEvent, so_far: ReturnedHooks = NOTHING_RETURNED
    ) -> Outcome:
        """Hand an event to one plugin: to this hook, or with `""` to all, as far as it has not
        had it."""
        table = self.table([plugin])
        steps = [
            step
            for step in not_had(self._steps([event], table), so_far)
            if step[1] and hook in ("", NAMES[step[0]])
        ]
        if not steps:
            return "nothing to call"
        if self._run(steps, table):
            return "raised"
        return "returned" if self.plugins.index(plugin) in table else "held"

    def call_again(self, plugin: str, hook: int, values: tuple[Any, ...]) -> None:
        """Make a call again that is about no event of an account: `Held.call`."""
        table = self.table([plugin])
        if hook == ON_TICK:
            values = (time.time(),)
        self._run([(hook, table.calls[hook], values, (), 0)], table)

    def tell(self, error: Exception, table: CallTable | None = None) -> None:
        """Call `on_error` with something that went wrong outside of any event: of those in the
        table, or of all that are awake."""
        if table is None:
            table = self._awake
        self._run([(ON_ERROR, table.calls[ON_ERROR], (error, None), (), 0)], table)

    def tick(self, now: float) -> None:
        """Call `on_tick`.  `now` is epoch seconds."""
        self._run([(ON_TICK, self._awake.calls[ON_TICK], (now,), (), 0)], self._awake)
        self._statistics.log_repeats()

    def stop(self, reason: str) -> None:
        """Call `on_stop`."""
        self._run([(ON_STOP, self._started.calls[ON_STOP], (reason,), (), 0)])
        self._statistics.log_repeats(all_of_them=True)

    def note_step(self, plugin: int, hook: int, took: int) -> None:
        """A step of a coroutine took so many nanoseconds."""
        if took >= SHORT:
            self._statistics.note_slow(plugin, NAMES[hook], took)

    def statistics(self) -> list[PluginStatistics]:
        """What each plugin did so far, in the order of `plugins`."""
        return [
            self._statistics.of(number, active=number in self._started)
            for number in range(len(self.plugins))
        ]

    # --- calling -----------------------------------------------------------------------------

    def _steps(self, events: Sequence[AnyEvent], table: CallTable) -> Iterator[Step]:
        """The steps for these events, each made when the one before it is done."""
        all_calls, with_detail = table.calls, table.wants_detail
        with_raw = bool(all_calls[ON_RAW_MESSAGE])
        self._spent, self._late = 0, False
        for event in events:
            if self._late:
                events = events[: events.index(event)]
                break
            if with_raw and event.raw and event.origin == "stream":
                try:
                    message = wire.push_message(event.raw)
                except DecodeError:
                    pass  # it is no outer message; an event of its own is given to on_error
                else:
                    raw_calls = all_calls[ON_RAW_MESSAGE]
                    yield ON_RAW_MESSAGE, raw_calls, (message, event), (event,), event.seq
            if (typed := TYPED.get(event.kind)) is None:
                continue
            hook, values = typed
            if calls := all_calls[hook]:
                yield hook, calls, values(event, hook in with_detail), (event,), event.seq
        self._delivered = len(events)
        if events and (calls := all_calls[ON_BATCH]):
            batch = tuple(events)  # a list could be changed by a plugin
            yield ON_BATCH, calls, (batch,), batch, batch[0].seq

    def _run(
        self,
        steps: Iterable[Step],
        table: CallTable | None = None,
        *,
        within: tuple[int, Sequence[Event]] | None = None,
        raised: list[tuple[int, BaseException]] | None = None,
    ) -> list[HookError]:
        """Make the calls of each step.  Returns what was raised, without `Retry`.

        A plugin that raises `Retry` is taken out of `table`; without a table that is a failure.
        `within` are the hook and the events at which another plugin failed, of which these calls
        tell.  `raised` takes what was raised in place of the log.

        The clock is read once between two calls: half the price of reading it around each.
        """
        errors: list[HookError] = []
        enter, leave, clock = self._progress.enter, self._progress.leave, time.perf_counter_ns
        slot = self._progress.plugin
        process = os.getpid()
        for hook, calls, values, events, seq in steps:
            if not calls:
                continue
            failed: list[tuple[int, BaseException]] | None = None
            enter(calls[0][2], hook, seq)
            before = clock()
            for function, select, plugin, histogram in calls:
                slot[0] = plugin
                try:
                    function(*select(values))
                # sys.exit() in a hook, or a cancelled future, is an error of the plugin like any
                # other: it must not end the others' process.  KeyboardInterrupt and SystemExit
                # can't come from elsewhere: host processes ignore SIGINT, and our signal handlers
                # don't raise.
                except BaseException as error:  # noqa: BLE001
                    failed = [*(failed or ()), (plugin, error)]
                after = clock()
                took = after - before
                before = after
                if took < SHORT:
                    histogram[took >> SHIFT] += 1
                else:
                    # A forked child that returns from its call is noticed here, since a fork is not
                    # short: before it does what only this process may do.
                    exit_if_forked(process)
                    self._note_long(plugin, hook, took)
                    enter(plugin, hook, seq)
                    before = clock()
            leave()
            if failed and raised is not None:
                raised += failed
            elif failed:
                for number, what in failed:
                    if isinstance(what, Suspended):
                        self._statistics.note_suspended(number)
                    if isinstance(what, Retry) and table is not None and self._retries:
                        table.remove(number)
                        self._awake.remove(number)
                        self._retries(self._held(number, what, hook, values, events, within))
                    else:
                        errors.append(self._fail(hook, number, what, events, table))
        exit_if_forked(process)
        return errors

    def _held(
        self,
        number: int,
        error: Retry,
        hook: int,
        values: tuple[Any, ...],
        events: Sequence[Event],
        within: tuple[int, Sequence[Event]] | None,
    ) -> Held:
        plugin, name = self.plugins[number], NAMES[hook]
        if within is not None and within[1]:
            return Held(plugin, name, error, (), had(*within, returned=True), (hook, values))
        if events and within is None:
            return Held(plugin, name, error, events, had(hook, events, returned=False), None)
        return Held(plugin, name, error, (), NOTHING_RETURNED, (hook, values))

    # --- what went wrong ---------------------------------------------------------------------

    def _fail(
        self,
        hook: int,
        number: int,
        error: BaseException,
        events: Sequence[Event],
        table: CallTable | None = None,
    ) -> HookError:
        """Report an exception to the log, the dead letters and `on_error` of the other plugins."""
        plugin, name = self.plugins[number], NAMES[hook]
        event = events[0] if events else None
        failure = self._failure(hook, number, error, event.seq if event is not None else 0)
        self._statistics.note_failure(number, failure, error)
        if hook != ON_ERROR:
            self._record(plugin, name, events, error)
            others = tuple(c for c in self._awake.calls[ON_ERROR] if c[2] != number)
            step: Step = ON_ERROR, others, (failure, event), events, failure.seq
            self._run([step], table or self._awake, within=(hook, events))
        return failure

    def _failure(self, hook: int, number: int, error: BaseException, seq: int = 0) -> HookError:
        failure = HookError(self.plugins[number], NAMES[hook], describe_error(error), seq)
        failure.__cause__ = error
        return failure

    def _record(
        self, plugin: str, hook: str, events: Sequence[Event], error: BaseException
    ) -> None:
        if self._failures is None:
            return
        try:
            refused = error.errors if isinstance(error, EventsRefused) else None
            for event in events or (None,):
                if refused is None or event is None:
                    self._failures(plugin, hook, event, error)
                elif event.seq in refused:
                    self._failures(plugin, hook, event, refused[event.seq])
        except Exception:
            # Most likely a full disk; the other plugins don't need the record.
            logger.exception("the failure of plugin %s in %s could not be recorded", plugin, hook)

    def _note_long(self, plugin: int, hook: int, took: int) -> None:
        self._statistics.note_long(plugin, NAMES[hook], took)
        # Without the short calls: all of them together are negligible beside `turn`.
        self._spent += took
        self._late = self._spent >= self._turn


def _only(plugin: int, select: SelectArguments, contexts: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of this plugin's `on_start`: its own context, or nothing."""
    return select((contexts[plugin],))
