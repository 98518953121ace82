"""One plugin that is not at the head: it reads the journal by itself until it has come level."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from qehost.errors import GapError, Retry
from qehost.events.notices import LastGap
from qehost.host.arguments import ON_TICK
from qehost.host.call_table import CallTable
from qehost.host.collector import Collector
from qehost.host.dead_letter_writer import DeadLetterWriter
from qehost.host.delivery import SLICE, ConsumerClosed, Delivery, Position
from qehost.host.dispatch import Dispatcher
from qehost.host.returned_hooks import NOTHING_RETURNED, Held, ReturnedHooks
from qehost.host.waiting import PendingCall, Suspended, Waiting
from qehost.messages import AnyEvent
from qehost.secret import redact
from qehost.storage.journal import JournalReader
from qehost.storage.progress import CallRecorder
from qehost.storage.wait_file import AccountWait, PluginWait, WaitFile

__all__ = ["Head", "Laggard", "OwnConsumer"]

log = logging.getLogger("qehost.host")


@dataclass(slots=True)
class Head:
    """Where the plugins of a process stand that don't wait, in one account."""

    account: str
    position: Position
    journal: JournalReader
    table: CallTable
    """The calls of those plugins."""
    poison: dict[int, set[str]]
    """The events that killed a process, with the plugins that they pass over."""
    last_gap: LastGap | None = None
    collecting: list[OwnConsumer] = field(default_factory=list)
    """The plugins that collect the events that the others get at once."""

    def note_gap(self, error: GapError) -> None:
        """Some plugin of the process was told that events can't be had."""
        self.last_gap = LastGap(redact(str(error)), time.time())


class Laggard:
    """A plugin that waits or catches up, in the accounts of `own`."""

    def __init__(self, plugin: str, file: WaitFile) -> None:
        self.plugin = plugin
        self.started = True
        self.waiting: Waiting | None = None
        """From the first failure until all has gone well that had failed since."""
        self.paused = False
        """It is not to be called until `waiting.due`, or until `call` has ended."""
        self.call: PendingCall | None = None
        """What goes on in the plugin's lane."""
        self.own: dict[str, OwnConsumer] = {}
        self.calls: deque[tuple[int, tuple[Any, ...]]] = deque(maxlen=1_000)
        """Calls about no event of its own that come again first."""
        self._file = file
        self._unsaved = False

    def wait(self, error: BaseException, now: float, wall: float) -> Waiting:
        """It can't go on now."""
        if self.waiting is None:
            self.waiting = Waiting(wall)
        self.waiting.failed(error, now, wall)
        self.paused = self._unsaved = True
        return self.waiting

    def suspend(self, call: PendingCall) -> None:
        """It is in a call that goes on without us."""
        self.call = call
        self.paused = True

    @property
    def is_held(self) -> bool:
        """Whether something has failed that has not gone well since."""
        calls = self.paused or not self.started or bool(self.calls)
        return calls or any(own.is_held for own in self.own.values())

    def call_later(self, hook: int, values: tuple[Any, ...]) -> None:
        """A call that is about no event of the plugin's own has failed."""
        if hook != ON_TICK or not self.owes_tick:
            self.calls.append((hook, values))

    @property
    def owes_tick(self) -> bool:
        return any(hook == ON_TICK for hook, _ in self.calls)

    def save(self, letters: DeadLetterWriter) -> None:
        """For the next process, once all cursors stand where it waits."""
        if not self._unsaved or self.waiting is None:
            return
        self._unsaved = False
        held = [own for own in self.own.values() if own.is_held]
        if self.plugin in letters.write():
            held = []  # What it has had and could not be written must come again.
        known = {own.head.account: own.waits_at() for own in held}
        waiting = self.waiting
        if self._file.write(
            PluginWait(waiting.since, waiting.attempts, waiting.reason, self.owes_tick, known)
        ):
            for account, wait in known.items():
                self.own[account].saved(wait)

    def restore(self, known: PluginWait) -> None:
        """It waited when the process before this one ended, and is tried at once."""
        self.waiting = Waiting(known.since, known.attempts, known.reason)
        self.paused = True
        if known.tick:
            self.call_later(ON_TICK, ())
        for account, wait in known.accounts.items():
            if account in self.own:
                self.own[account].restore(wait)

    def forget(self) -> None:
        """It waits no more."""
        self.waiting = None
        self._unsaved = False
        self._file.remove()


class OwnConsumer:
    """The laggard's plugin as the consumer of one account's events.

    `take_held` returns what raised `Retry` in the calls just made; `wait` is called with the error
    when the plugin can't go on, and what it raised at.
    """

    def __init__(
        self,
        laggard: Laggard,
        head: Head,
        position: Position,
        dispatcher: Dispatcher,
        recorder: CallRecorder,
        letters: DeadLetterWriter,
        take_held: Callable[[str], Iterable[Held]],
        wait: Callable[[Laggard, BaseException, Held | None], None],
        collector: Collector | None = None,
    ) -> None:
        self.head = head
        self.position = position
        self._laggard = laggard
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._letters = letters
        self._take_held = take_held
        self._wait = wait
        self._table = dispatcher.table([laggard.plugin])
        self._has_batch = dispatcher.has_hook(laggard.plugin, "on_batch")
        self._had = NOTHING_RETURNED
        self._attempts: dict[int, int] = {}
        """Of the events at which it raised: the calls so far."""
        self._reached = 0
        """The last event for which a call has begun, of those that are held."""
        self._again_to = 0
        """The last event of a call that goes on without us."""
        self._told = ""
        self.collector = collector
        self.flushing = False
        """What it collects is delivered without waiting for more."""
        self.delivery = Delivery(
            head.account,
            position,
            self,
            head.journal,
            log.error,
            slice_size=collector.max_events if collector is not None else SLICE,
            gather=collector is not None,
            wants=None if collector is None else collector.wants,
        )

    def note(self, held: Held) -> None:
        """What it has had, and what comes again."""
        self._had = self._had.and_(held.had)
        if isinstance(held.error, Suspended):
            # The same batch comes again, and no larger one.
            self._again_to = held.events[-1].seq if held.hook == "on_batch" else 0
            return
        self._attempts.update((event.seq, event.attempt) for event in held.events)
        self._reached = max(self._reached, held.reached())

    @property
    def is_held(self) -> bool:
        """Whether events at which it raised have not gone well since."""
        return any(seq > self.position.cursor for seq in self._attempts)

    def waits_at(self) -> AccountWait:
        """What the next process has to know, should this one end before the next call."""
        position = self.position
        return AccountWait(
            position.cursor,
            max(self._reached, position.marked_to, position.cursor),
            position.marked_to,
            *self._had,
            self._attempts,
        )

    def saved(self, wait: AccountWait) -> None:
        """The file has that now."""
        self.position.withdraw(wait.in_flight)

    def begin(self) -> None:
        """A call is about to be made: from now on the file says too little."""
        if self.is_held:
            self.position.begin(self.position.in_flight + 1)

    def restore(self, wait: AccountWait) -> None:
        """The process before this one ended while it waited, or in a call after that."""
        position = self.position
        if wait.cursor > position.cursor:
            return  # that cursor was lost
        self._had = ReturnedHooks(wait.raw, wait.typed, wait.batch)
        self._attempts = dict(wait.attempts)
        self._reached = wait.in_flight
        if (wait.cursor, wait.in_flight) == (position.cursor, position.in_flight):
            position.marked_to = wait.doubtful

    def done(self) -> int:
        """The last event for which all its hooks have returned."""
        return max(self.position.cursor, self._had.done(has_batch=self._has_batch))

    def due(self, now: float) -> float | None:
        """When to deliver something, on the monotonic clock; None: there is nothing."""
        done, newest = self.position.cursor, self.head.position.cursor
        if self.delivery.busy:
            return self.delivery.due or now
        if done >= newest:
            return None
        if self.collector is None or self.flushing:
            return now
        return self.collector.due(done, newest, now)

    def step(self) -> bool:
        """Deliver a slice, at most up to the head; whether all went well."""
        if not self.delivery.busy:
            self._take(self.head.position.cursor)
        try:
            self.delivery.step()
        except ConsumerClosed:
            return False
        return True

    def _take(self, newest: int) -> None:
        if self.collector is None:
            self.delivery.catch_up_to(newest)
            return
        done = self.position.cursor
        if done < self._again_to:
            newest = self._again_to
        events, last = self.collector.take(done, newest)
        if last > done:
            self.delivery.take_events(events, last)
        elif self.collector.wants is None:
            self.delivery.catch_up_to(min(newest, done + self.collector.max_events))
        else:
            # How far a batch reaches is seen when they are read.
            self.delivery.catch_up_to(newest)

    def collect(self, events: Sequence[AnyEvent]) -> None:
        """The head had these just now."""
        # Those that it had perhaps before are read again: this plugin has not had them.
        if self.collector is not None:
            sure = [each for each in events if each.seq > self.head.position.marked_to]
            done = self.position.cursor
            self.collector.add(sure, events[-1].seq, done, time.monotonic())

    # --- the consumer --------------------------------------------------------------------

    def deliver(self, events: Sequence[AnyEvent]) -> int:
        """Call the hooks that have not returned.  Raises ConsumerClosed where it can't go on."""
        plugin = self._laggard.plugin
        if plugin in self.head.poison.get(events[0].seq, ()):
            return 1
        if self._attempts:
            events = [
                replace(event, attempt=self._attempts[event.seq] + 1)
                if event.seq in self._attempts
                else event
                for event in events
            ]
        self._recorder.account(self.head.account)
        self._table.add(self._dispatcher.plugins.index(plugin))
        count = self._dispatcher.deliver(events, self._table, self._had)
        unwritten = plugin in self._letters.write()
        last = events[count - 1].seq
        for held in self._take_held(plugin):
            self.note(held)
            self._wait(self._laggard, held.error, held)
            done = 0 if unwritten else self._count(events, self.done())
            raise ConsumerClosed(done, max(done, self._count(events, held.reached())))
        if unwritten:
            # All of its hooks have returned: they are not called again.
            self._had = ReturnedHooks(last, last, last)
            self._wait(self._laggard, unwritten_error(self._letters), None)
            raise ConsumerClosed(0, count)
        for seq in [seq for seq in self._attempts if seq <= last]:
            del self._attempts[seq]
        return count

    @staticmethod
    def _count(events: Sequence[AnyEvent], seq: int) -> int:
        return sum(event.seq <= seq for event in events)

    def tell(self, error: GapError) -> None:
        """Log it and call `on_error`.  Raises ConsumerClosed where it can't go on."""
        if str(error) != self._told:
            self._told = str(error)
            log.error("plugin %s: %s", self._laggard.plugin, error)
            self.head.note_gap(error)
        self._table.add(self._dispatcher.plugins.index(self._laggard.plugin))
        self._dispatcher.tell(error, self._table)
        for held in self._take_held(self._laggard.plugin):
            self._wait(self._laggard, held.error, held)
            raise ConsumerClosed


def unwritten_error(letters: DeadLetterWriter) -> Retry:
    return Retry(None, f"its dead letters can't be written: {letters.problem}")
