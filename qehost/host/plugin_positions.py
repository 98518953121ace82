"""The head and those apart: which plugins get the events of the queue together, and which wait.

All plugins that go on share the process's position in each account, the head: a slice is decoded
and called for all of them.  One that can't go on leaves it, with a position of its own; it is tried
again when its time has come, reads the journal by itself, a slice between two looks at the queue,
and goes back to the head when it has come level.

Its position is written before the head moves on, and taken back where both are equal.  So whenever
the process dies, the next one misses nothing.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from qehost.errors import DeadLettersDropped, HookError
from qehost.events.plural import format_count, format_times
from qehost.host.collector import Collector
from qehost.host.dead_letter_writer import DeadLetterWriter
from qehost.host.delivery import Delivery, Position
from qehost.host.dispatch import Dispatcher
from qehost.host.laggard import Head, Laggard, OwnConsumer, unwritten_error
from qehost.host.returned_hooks import Held, ReturnedHooks
from qehost.host.subscription import Subscription
from qehost.host.waiting import Suspended, reason_of
from qehost.storage.cursor_file import own_key
from qehost.storage.progress import CallRecorder
from qehost.storage.status import PluginHold
from qehost.storage.wait_file import WaitFile

__all__ = ["PluginPositions"]

log = logging.getLogger("qehost.host")

ANY_NUMBER = 2**62

REMIND = 60.0
"""Seconds between two log lines about a plugin that waits."""


class PluginPositions:
    """For the thread that delivers.

    `held` is where the dispatcher notes a `Retry`.  `start` calls a plugin's `on_start` once more,
    and returns what it raised.  `wait_file` is `StateFolder.wait_file`;
    `collecting` are the plugins whose `on_batch` waits for more events: they are always apart.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        recorder: CallRecorder,
        letters: DeadLetterWriter,
        heads: Mapping[str, Head],
        held: list[Held],
        start: Callable[[str], HookError | None],
        wait_file: Callable[[str], Path],
        collecting: Mapping[str, Subscription] = MappingProxyType({}),
    ) -> None:
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._letters = letters
        self._heads = heads
        self._held = held
        self._start = start
        self._wait_file = wait_file
        self._collecting = collecting
        self.laggards: dict[str, Laggard] = {}
        """Those apart, by plugin."""
        self._reminded: dict[str, float] = {}
        self._dropped: Counter[str] = Counter()
        self._dropped_told: dict[str, float] = {}

    # --- leaving the head ------------------------------------------------------------------

    def resume(self, plugin: str, account: str, position: Position) -> None:
        """The plugin was apart when the process before this one ended."""
        self._leave(self._laggard(plugin), self._heads[account], position)

    def set_apart(self) -> None:
        """Those that collect leave the head, if they have not resumed."""
        for plugin in self._collecting:
            self._leave_all(self._laggard(plugin))

    def flush(self) -> None:
        """From now on what is collected is delivered as it is."""
        for laggard in self.laggards.values():
            for own in laggard.own.values():
                own.flushing = True

    def restore(self) -> None:
        """Those that waited when the process before this one ended go on waiting, and are tried at
        once.  To be called when all that were apart have resumed."""
        for plugin in self._dispatcher.plugins:
            if (known := WaitFile(self._wait_file(plugin)).read()) is not None:
                laggard = self._laggard(plugin)
                self._leave_all(laggard)
                laggard.restore(known)

    def not_started(self, error: HookError) -> None:
        """The plugin's `on_start` has raised: its events wait for it."""
        laggard = self._laggard(error.plugin)
        laggard.started = False
        self._leave_all(laggard)
        self._wait(laggard, error.__cause__ or error, None)
        self._save()

    def settle(self, account: str, last_seq: int) -> None:
        """A slice was delivered at the head of this account, which ends with that event.

        To be called before the head moves past it: failures are written, and who can't go on
        leaves.
        """
        unwritten = self._letters.write()
        if not (self._held or unwritten):
            return
        for held in self._take_held():
            done = -1 if held.plugin in unwritten else None
            self._hold(held, account, done)
        table = self._heads[account].table
        for plugin in unwritten:
            if self._dispatcher.plugins.index(plugin) in table:
                # All of its hooks have returned: they are not called again.
                had = ReturnedHooks(last_seq, last_seq, last_seq)
                error = unwritten_error(self._letters)
                self._hold(Held(plugin, "", error, (), had, None), account, -1)
        self._save()

    def tell_dropped(self) -> None:
        """Tell the plugins of the failures that found no room among the dead letters."""
        for plugin, count in self._letters.dropped().items():
            self._dropped[plugin] += count
        now = time.monotonic()
        for plugin in [p for p in self._dropped if now >= self._dropped_told.get(p, now)]:
            self._dropped_told[plugin] = now + REMIND
            dropped = DeadLettersDropped(plugin, self._dropped.pop(plugin))
            log.error("%s", dropped)
            self._dispatcher.tell(dropped)
            self.settle_others()

    def settle_others(self) -> None:
        """Calls were made that were about no event at the head: a tick, or an error."""
        for held in self._take_held():
            self._hold(held, "", None)
        self._save()

    def _hold(self, held: Held, account: str, done: int | None) -> None:
        laggard = self._laggard(held.plugin)
        if held.call is not None and not (account and not held.had.raw):
            laggard.call_later(*held.call)
        if account and account not in laggard.own:
            self._leave_slice(laggard, self._heads[account], held, done)
        self._leave_all(laggard)
        self._wait(laggard, held.error, held)

    def _leave_slice(self, laggard: Laggard, head: Head, held: Held, done: int | None) -> None:
        """Leave in the middle of a slice."""
        if done is None:
            has_batch = self._dispatcher.has_hook(laggard.plugin, "on_batch")
            done = held.had.done(has_batch=has_batch)
        cursor = max(head.position.cursor, done)
        slot = own_key(laggard.plugin, head.account)
        self._leave(laggard, head, head.position.fork(slot, cursor, held.reached()))
        laggard.own[head.account].note(held)

    def _leave_all(self, laggard: Laggard) -> None:
        """Leave the heads of all accounts where they stand."""
        for account, head in self._heads.items():
            if account not in laggard.own:
                slot = own_key(laggard.plugin, account)
                self._leave(laggard, head, head.position.fork(slot, head.position.cursor, 0))

    def _leave(self, laggard: Laggard, head: Head, position: Position) -> None:
        head.table.remove(self._dispatcher.plugins.index(laggard.plugin))
        wanted = self._collecting.get(laggard.plugin)
        own = OwnConsumer(
            laggard,
            head,
            position,
            self._dispatcher,
            self._recorder,
            self._letters,
            self._take_held,
            self._wait,
            None if wanted is None else _collector(wanted),
        )
        laggard.own[head.account] = own
        if own.collector is not None:
            head.collecting.append(own)

    def _laggard(self, plugin: str) -> Laggard:
        if plugin not in self.laggards:
            file = WaitFile(self._wait_file(plugin))
            self.laggards[plugin] = Laggard(plugin, file)
        return self.laggards[plugin]

    def _save(self) -> None:
        for laggard in self.laggards.values():
            laggard.save(self._letters)

    def _take_held(self, plugin: str = "") -> list[Held]:
        """What has raised `Retry`: this plugin, or all."""
        taken = [held for held in self._held if plugin in ("", held.plugin)]
        self._held[:] = [held for held in self._held if held not in taken]
        return taken

    # --- waiting -----------------------------------------------------------------------------

    def _wait(self, laggard: Laggard, error: BaseException, held: Held | None) -> None:
        if isinstance(error, Suspended):
            laggard.suspend(error.call)
            self._dispatcher.pause(laggard.plugin)
            return
        now = time.monotonic()
        waiting = laggard.wait(error, now, time.time())
        self._dispatcher.pause(laggard.plugin)
        if now < self._reminded.get(laggard.plugin, 0.0):
            return
        self._reminded[laggard.plugin] = now + REMIND
        waiting.told = True
        log.warning(
            "plugin %s waits%s: %s; tried again in %.3g s. Its events wait for it, and the other "
            "plugins go on",
            laggard.plugin,
            _place(laggard, held),
            reason_of(error),
            waiting.due - now,
        )

    def _goes_on(self, laggard: Laggard) -> None:
        """Something has gone well."""
        if laggard.waiting is None or laggard.is_held:
            return
        waiting = laggard.waiting
        laggard.forget()
        if waiting.told:
            behind = sum(own.delivery.left() for own in laggard.own.values())
            log.warning(
                "plugin %s goes on: it has waited for %.1f s, and was tried %s%s",
                laggard.plugin,
                max(0.0, time.time() - waiting.since),
                format_times(waiting.attempts),
                f"; it is {format_count(behind, 'event')} behind" if behind else "",
            )

    def holds(self) -> Iterator[PluginHold]:
        """Who waits for what, since when."""
        for laggard in self.laggards.values():
            if laggard.call is not None and not laggard.started:
                since = time.time() - (time.monotonic() - laggard.call.since)
                yield PluginHold(laggard.plugin, "its on_start has not ended", since)
            elif (waiting := laggard.waiting) is not None:
                yield PluginHold(
                    laggard.plugin,
                    waiting.reason,
                    waiting.since,
                    waiting.attempts,
                    waiting.next_try,
                )

    def collecting(self) -> dict[str, tuple[int, float]]:
        """By how much those may be behind that collect: events, and seconds."""
        return {name: _bounds(each) for name, each in self._collecting.items()}

    # --- catching up ---------------------------------------------------------------------------

    def due(self, now: float) -> float | None:
        """When there is something to do, on the monotonic clock; None: nothing, or not before the
        heads move on."""
        times = [due for laggard in self.laggards.values() for due in self._due(laggard, now)]
        return min(times, default=None)

    def is_drained(self) -> bool:
        """Whether all is delivered but what waits for a plugin."""
        in_a_call = any(laggard.call is not None for laggard in self.laggards.values())
        return not in_a_call and not self.deliveries()

    def deliveries(self) -> list[Delivery]:
        """Those that have something to deliver to a plugin that does not wait."""
        now = time.monotonic()
        return [
            own.delivery
            for laggard in self.laggards.values()
            if not laggard.paused
            for own in laggard.own.values()
            if own.due(now) is not None
        ]

    def _due(self, laggard: Laggard, now: float) -> Iterator[float]:
        if laggard.paused:
            if laggard.call is not None:
                if laggard.call.done:
                    yield now
            elif laggard.waiting is not None:
                yield laggard.waiting.due
            return
        for own in laggard.own.values():
            if (due := own.due(now)) is not None:
                yield due

    def step(self, now: float) -> None:
        """Try those again whose time has come, and deliver a slice to each that is behind."""
        for laggard in list(self.laggards.values()):
            if laggard.paused and not self._try_again(laggard, now):
                continue
            for own in list(laggard.own.values()):
                due = own.due(now)
                if due is not None and due <= now:
                    if not own.step():
                        break
                    self._goes_on(laggard)
                level = own.position.is_level_with(own.head.position)
                stays = own.delivery.busy or own.is_held or own.collector is not None
                if level and not stays:
                    self._join(laggard, own)
        self.settle_others()

    def _try_again(self, laggard: Laggard, now: float) -> bool:
        if laggard.call is not None:
            if not laggard.call.done:
                return False
            laggard.call = None
        elif laggard.waiting is not None and now < laggard.waiting.due:
            return False
        if not laggard.started:
            if (error := self._start(laggard.plugin)) is not None:
                self._wait(laggard, error.__cause__ or error, None)
                return False
            laggard.started = True
        if laggard.plugin in self._letters.write():
            self._wait(laggard, unwritten_error(self._letters), None)
            return False
        while laggard.calls:
            self._dispatcher.call_again(laggard.plugin, *laggard.calls[0])
            if again := self._take_held(laggard.plugin):
                self._wait(laggard, again[0].error, again[0])
                return False
            laggard.calls.popleft()
        laggard.paused = False
        self._dispatcher.wake(laggard.plugin)
        for own in laggard.own.values():
            own.begin()
        return True

    def _join(self, laggard: Laggard, own: OwnConsumer) -> None:
        """Go back to the head: both have come equally far."""
        own.position.drop()
        del laggard.own[own.head.account]
        own.head.table.add(self._dispatcher.plugins.index(laggard.plugin))
        if not laggard.own:
            del self.laggards[laggard.plugin]
        self._goes_on(laggard)

    def position(self, plugin: str, account: str) -> tuple[int, bool]:
        """The last event that was delivered to a plugin, and whether it is apart; from any
        thread."""
        laggard = self.laggards.get(plugin)
        own = None if laggard is None else laggard.own.get(account)
        position = self._heads[account].position if own is None else own.position
        return position.cursor, own is not None

    def left(self, account: str) -> int:
        """The number of events that the one furthest behind has not had."""
        return max(
            (
                own.delivery.left()
                for laggard in self.laggards.values()
                if (own := laggard.own.get(account)) is not None
            ),
            default=0,
        )


def _collector(wanted: Subscription) -> Collector:
    wants = wanted.wants if wanted.filters else None
    return Collector(wanted.max_events, wanted.max_wait, wants)


def _bounds(wanted: Subscription) -> tuple[int, float]:
    if wanted.filters:
        # Any number of events may have come that it does not want, also before the first that it
        # wants, from which on it waits.
        return ANY_NUMBER, 2 * wanted.max_wait
    return wanted.max_events, wanted.max_wait


def _place(laggard: Laggard, held: Held | None) -> str:
    if not laggard.started:
        return " in on_start"
    if held is None or not held.hook:
        return ""
    if not held.events:
        return f" in {held.hook}"
    event = held.events[0]
    return f" in {held.hook} at event {event.seq} of account {event.account}"
