"""Calling the plugins: one loop over frozen tuples, each call under its own `try`.

pluggy's own call stops at the first raise, and builds dictionaries for every call.  Here the
implementations of each hook are put in order once, with the places of the arguments they want, so
a call costs about as much as reading the clock after it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from math import inf
from operator import itemgetter
from typing import Any, Literal, NamedTuple, Protocol

from qehost import wire
from qehost.errors import DecodeError, HookError
from qehost.host.arguments import HOOKS, NAMES, TYPED
from qehost.host.repeats import Repeats
from qehost.host.timing import BUCKETS, SHIFT, SHORT, PluginStatistics, bucket, summed_up
from qehost.messages import (
    AnyEvent,
    Event,
)

__all__ = [
    "HOOKS",
    "Dispatcher",
    "Failures",
    "Implementation",
    "Marks",
    "NoMarks",
    "describe",
    "end_a_fork",
]

logger = logging.getLogger("qehost.host")

ON_START, ON_STOP, ON_TICK, ON_BATCH, ON_RAW_MESSAGE, ON_ERROR = map(
    NAMES.index, ("on_start", "on_stop", "on_tick", "on_batch", "on_raw_message", "on_error")
)


class Word(Protocol):
    def __setitem__(self, place: Literal[0], number: int) -> None: ...


class Marks(Protocol):
    """Where the dispatcher notes what it is about to do, so that its death can be explained.

    `enter` comes before the first plugin is called with a hook and an event, and again after each
    long call, so that its time is about right; before every call the plugin's number is put into
    `plugin[0]`; `leave` comes when all have been called.  A method call for each would cost more
    than the rest of the loop.
    """

    @property
    def plugin(self) -> Word:
        """`plugin[0] = n`: plugin number n (in `Dispatcher.plugins`) is about to be called."""

    def enter(self, plugin: int, hook: int, seq: int) -> object:
        """Hook number `hook` (in `HOOKS`) is about to be called, with event `seq` of the account at
        hand (0: outside of one), first that of plugin number `plugin`."""

    def leave(self) -> object:
        """No plugin is being called any more."""


class NoMarks:
    """Notes nothing."""

    def __init__(self) -> None:
        self.plugin: Word = [0]

    def enter(self, plugin: int, hook: int, seq: int) -> None:
        pass

    def leave(self) -> None:
        pass


Failures = Callable[[str, str, Event | None, BaseException], None]
"""Told of each raise: plugin, hook, event and exception.  A raise in `on_batch` is told once for
each event of the batch: none of them reached the plugin for certain."""


class Implementation(NamedTuple):
    """One plugin's function for one hook, and the arguments it wants, in its own order."""

    plugin: str
    function: Callable[..., object]
    arguments: tuple[str, ...]


# Plain tuples, as Python unpacks those of its own three times as fast as a NamedTuple.
_Pick = Callable[[tuple[Any, ...]], tuple[Any, ...]]
_Call = tuple[Callable[..., object], _Pick, int, list[int]]
"""A function, what it wants of the hook's arguments, its plugin's number and histogram."""
_Step = tuple[int, Sequence[_Call], tuple[Any, ...], Sequence[Event], int]
"""One hook with its arguments, for all who implement it: hook, calls, arguments, the events that it
is about, and the seq of the first."""


class Dispatcher:
    """Calls the plugins' hooks.  For one thread.

    `implementations` has those of each hook in calling order; `plugins` are all names, also of
    plugins without any.  A call that takes longer than `slow_call` seconds is named in the log.
    After `turn` seconds of calls `deliver` leaves the rest of its events for another time.
    """

    def __init__(
        self,
        plugins: Sequence[str],
        implementations: Mapping[str, Sequence[Implementation]],
        *,
        marks: Marks | None = None,
        failures: Failures | None = None,
        slow_call: float = 0.25,
        turn: float = inf,
    ) -> None:
        self.plugins = tuple(plugins)
        self._marks = marks or NoMarks()
        self._failures = failures
        self._slow = int(slow_call * 1e9)
        self._turn = turn * 1e9
        # Of the events at hand: nanoseconds of long calls, whether that is enough, how many it was.
        self._spent = 0
        self._late = False
        self._delivered = 0
        self._active = [True] * len(plugins)
        self._errors = [0] * len(plugins)
        self._slowest = [0] * len(plugins)
        self._histograms = [[0] * BUCKETS for _ in plugins]
        self._failing: Repeats[tuple[str, str, str]] = Repeats()
        self._slowing: Repeats[tuple[str, str]] = Repeats()
        self._calls: list[tuple[_Call, ...]] = [
            tuple(self._freeze(hook, each) for each in implementations.get(hook, ()))
            for hook in HOOKS
        ]
        self._with_detail = {
            NAMES.index(hook)
            for hook, found in implementations.items()
            if any("detail" in each.arguments for each in found)
        }

    def _freeze(self, hook: str, found: Implementation) -> _Call:
        places = [HOOKS[hook].index(name) for name in found.arguments]
        # itemgetter gives a tuple for two places and more, and for a slice of a tuple.
        if len(places) > 1:
            pick: Any = itemgetter(*places)
        else:
            pick = itemgetter(slice(places[0], places[0] + 1) if places else slice(0))
        plugin = self.plugins.index(found.plugin)
        return found.function, pick, plugin, self._histograms[plugin]

    # --- what the host process calls ---------------------------------------------------------

    def start(self, contexts: Mapping[str, object]) -> list[HookError]:
        """Call `on_start`, each plugin with its own context (by name).

        A plugin that raises gets no further calls.  Returns the errors of those.
        """
        # One step, so that nobody's on_error is called before its on_start.
        values = tuple(contexts[plugin] for plugin in self.plugins)
        calls = tuple(
            (function, partial(_only, plugin, pick), plugin, histogram)
            for function, pick, plugin, histogram in self._calls[ON_START]
        )
        return self._run([(ON_START, calls, values, (), 0)])

    def deliver(self, events: Sequence[AnyEvent]) -> int:
        """Hand each event to the hooks of its kind, then all of them to `on_batch`.

        Returns how many that were: at least one, and all of them where `turn` was long enough.
        """
        self._run(self._steps(events))
        return self._delivered

    def deliver_without(self, plugins: Set[str], event: AnyEvent) -> None:
        """Hand an event to all plugins but these."""
        numbers = {n for n, plugin in enumerate(self.plugins) if plugin in plugins}
        all_calls = self._calls
        self._calls = [_without(numbers, calls) for calls in all_calls]
        try:
            self._run(self._steps([event]))
        finally:
            self._calls = all_calls

    def deliver_again(self, plugin: str, hook: str, event: AnyEvent) -> bool | None:
        """Hand an event to one plugin: to this hook, or with `""` to all.

        True: its calls returned.  False: one raised, which was recorded.  None: it has nothing to
        call.
        """
        steps = [
            (number, own, values, events, seq)
            for number, calls, values, events, seq in self._steps([event])
            if hook in ("", NAMES[number])
            and (own := tuple(call for call in calls if self.plugins[call[2]] == plugin))
        ]
        return not self._run(steps) if steps else None

    def tell(self, error: Exception) -> None:
        """Call `on_error` with something that went wrong outside of any event."""
        self._run([(ON_ERROR, self._calls[ON_ERROR], (error, None), (), 0)])

    def tick(self, now: float) -> None:
        """Call `on_tick`.  `now` is epoch seconds."""
        self._run([(ON_TICK, self._calls[ON_TICK], (now,), (), 0)])
        clock = time.monotonic()
        self._tell_repeats(self._failing.due(clock), self._slowing.due(clock))

    def stop(self, reason: str) -> None:
        """Call `on_stop`."""
        self._run([(ON_STOP, self._calls[ON_STOP], (reason,), (), 0)])
        self._tell_repeats(self._failing.rest(), self._slowing.rest())

    def statistics(self) -> list[PluginStatistics]:
        """What each plugin did so far, in the order of `plugins`."""
        return [
            summed_up(
                plugin,
                self._histograms[number],
                self._slowest[number],
                self._errors[number],
                self._active[number],
            )
            for number, plugin in enumerate(self.plugins)
        ]

    # --- calling -----------------------------------------------------------------------------

    def _steps(self, events: Sequence[AnyEvent]) -> Iterator[_Step]:
        """The steps for these events, made one by one, while they are taken."""
        all_calls, with_detail = self._calls, self._with_detail
        raw_calls = all_calls[ON_RAW_MESSAGE]
        self._spent, self._late = 0, False
        for event in events:
            if self._late:
                events = events[: events.index(event)]
                break
            if raw_calls and event.raw and event.origin == "stream":
                try:
                    message = wire.push_message(event.raw)
                except DecodeError:
                    pass  # no outer message at all; its own event reaches on_error
                else:
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

    def _run(self, steps: Iterable[_Step]) -> list[HookError]:
        """Make the calls of each step.  Returns what was raised.

        The clock is read once between two calls: half the price of reading it around each.
        """
        told: list[HookError] = []
        enter, leave, clock = self._marks.enter, self._marks.leave, time.perf_counter_ns
        mark = self._marks.plugin
        process = os.getpid()
        for hook, calls, values, events, seq in steps:
            if not calls:
                continue
            failed: list[tuple[int, BaseException]] | None = None
            enter(calls[0][2], hook, seq)
            before = clock()
            for function, pick, plugin, histogram in calls:
                mark[0] = plugin
                try:
                    function(*pick(values))
                # sys.exit() in a hook, or a cancelled future, is a plugin's failure like any other:
                # it must not end the process that runs the others.  Neither KeyboardInterrupt nor
                # SystemExit comes from outside here: host processes ignore SIGINT, and no signal
                # handler of ours raises.
                except BaseException as error:  # noqa: BLE001
                    failed = [*(failed or ()), (plugin, error)]
                after = clock()
                took = after - before
                before = after
                if took < SHORT:
                    histogram[took >> SHIFT] += 1
                else:
                    # No fork is short, so this is where one shows that came back from its call:
                    # before it does anything that is for this process alone.
                    end_a_fork(process)
                    self._note_long(plugin, hook, took)
                    enter(plugin, hook, seq)
                    before = clock()
            leave()
            if failed:
                if hook == ON_START:
                    self._drop({plugin for plugin, _ in failed})
                told += [self._fail(hook, *each, events) for each in failed]
        end_a_fork(process)
        # A plugin may keep an exception, and with its traceback this frame; the marks' memory could
        # then not be closed.
        del mark
        return told

    def _drop(self, plugins: Set[int]) -> None:
        """Make no further calls of these plugins."""
        for plugin in plugins:
            self._active[plugin] = False
        self._calls = [_without(plugins, calls) for calls in self._calls]

    # --- what went wrong ---------------------------------------------------------------------

    def _fail(
        self, hook: int, number: int, error: BaseException, events: Sequence[Event]
    ) -> HookError:
        """Tell of a raise: the log, the dead letters, `on_error` of the others."""
        plugin, name = self.plugins[number], NAMES[hook]
        self._errors[number] += 1
        event = events[0] if events else None
        told = HookError(plugin, name, describe(error), event.seq if event is not None else 0)
        told.__cause__ = error
        if self._failing.first((plugin, name, type(error).__name__), time.monotonic()):
            logger.error("%s", told, exc_info=error)
        if hook != ON_ERROR:
            self._record(plugin, name, events, error)
            others = _without({number}, self._calls[ON_ERROR])
            self._run([(ON_ERROR, others, (told, event), events, told.seq)])
        return told

    def _record(
        self, plugin: str, hook: str, events: Sequence[Event], error: BaseException
    ) -> None:
        if self._failures is None:
            return
        try:
            for event in events or (None,):
                self._failures(plugin, hook, event, error)
        except Exception:
            # A full disk, most likely: the other plugins can do without the record.
            logger.exception("the failure of plugin %s in %s could not be recorded", plugin, hook)

    def _note_long(self, plugin: int, hook: int, took: int) -> None:
        self._histograms[plugin][bucket(took)] += 1
        self._slowest[plugin] = max(took, self._slowest[plugin])
        # Without the short ones: all of them together are nothing beside a turn.
        self._spent += took
        self._late = self._spent >= self._turn
        # Opening and closing may take their time.
        if took > self._slow and hook not in (ON_START, ON_STOP):
            key = self.plugins[plugin], NAMES[hook]
            if self._slowing.first(key, time.monotonic()):
                logger.warning(
                    "plugin %s: %s took %.3f s, and the plugins in its process waited; "
                    'process = "NAME" in its settings gives it a process of its own',
                    *key,
                    took / 1e9,
                )

    def _tell_repeats(
        self,
        failing: Iterable[tuple[tuple[str, str, str], int]],
        slowing: Iterable[tuple[tuple[str, str], int]],
    ) -> None:
        for (plugin, hook, error), count in failing:
            logger.error("plugin %s: %s raised %s %d more times", plugin, hook, error, count)
        for (plugin, hook), count in slowing:
            logger.warning("plugin %s: %s was slow %d more times", plugin, hook, count)


def end_a_fork(process: int) -> None:
    """End this process, at once, if it is a fork of `process` that a plugin let return: two would
    now share one queue and one set of marks."""
    if os.getpid() != process:
        os._exit(1)


def _only(plugin: int, pick: _Pick, contexts: tuple[Any, ...]) -> tuple[Any, ...]:
    """What `on_start` of this plugin gets of all contexts: its own, or nothing."""
    return pick((contexts[plugin],))


def _without(plugins: Set[int], calls: Iterable[_Call]) -> tuple[_Call, ...]:
    return tuple(call for call in calls if call[2] not in plugins)


def describe(error: BaseException) -> str:
    """`ValueError: its text`, or the type alone where the text can't be had."""
    try:
        return f"{type(error).__name__}: {error}".removesuffix(": ")
    except BaseException:  # noqa: BLE001 — the exception is the plugin's, and so is its __str__
        return type(error).__name__
