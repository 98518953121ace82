"""The host process: takes events from the queues and the journals and hands them to the plugins.

One thread.  It waits for the queues, for the supervisor and for the next tick; between any two
slices of events it looks whether a tick is due or the end was ordered.  A slice is over after 64
events, or with the event at which it has taken a fifth of a second; so neither a long backlog nor a
slow plugin keeps either waiting for longer than that and one event's calls.  Accounts take turns,
slice by slice, so none waits for the backlog of another.

For each slice, in this order: it is noted as handed over; the plugins are called; what they raised
becomes dead letters; the cursor moves past it.  The process may die between any two of these.
"""

from __future__ import annotations

import logging
import selectors
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from msgspec.structs import replace

from qehost import children
from qehost.control import (
    Attach,
    Control,
    Ended,
    Go,
    HostStatus,
    HostTask,
    Loaded,
    Ready,
    Refused,
    Stop,
)
from qehost.control import StopRequest as StopWanted
from qehost.errors import GapError, JournalError, NewerFormat, PluginError
from qehost.host.apis import Apis
from qehost.host.cursors import Marks
from qehost.host.dispatch import HOOKS
from qehost.host.finding import Candidate, find_what_is_left
from qehost.host.letterbox import LetterBox
from qehost.host.loading import Plugins, imported, load
from qehost.host.source import Source
from qehost.journal import Batch, JournalReader
from qehost.journal.layout import span
from qehost.logs import blotted
from qehost.messages import AnyEvent
from qehost.queue import BatchReader
from qehost.records import decode_events
from qehost.state import StateFolder

__all__ = ["main"]

log = logging.getLogger("qehost.host")

COULD_NOT_START = 3
TICK = 1.0
SLICE = 64
"""Events between two looks at the clock; also what comes again at most after a crash."""
SLICE_TIME = 0.2
"""Seconds of calls after which a slice ends before it has so many events."""
IMPORT = "import"
"""What stands in the marks in a hook's place while a plugin is imported and built."""
MARKED = (*HOOKS, IMPORT)
"""The same for importing and for the calls: on a full disk the marks' file stays as it is."""
TRIES = 5
"""Looks into a journal that can't be read, a fifth of a second apart, before its events are given
up."""


def main(task: HostTask, control: Connection) -> None:
    children.enter(f"host {task.name}", task.log)
    Host(task, Control(control)).run()


class _Ended(Exception):
    """The time for draining is over."""


class Host:
    def __init__(self, task: HostTask, control: Control) -> None:
        self.task = task
        self.control = control
        folder = StateFolder(task.state_dir)
        plugins = self._load(folder.marks(task.name))
        # What a plugin raised may hold a secret of its own, and the supervisor does not know those.
        problems = {
            r.name: blotted(str(PluginError(r.name, r.why, r.distribution))) for r in plugins.failed
        }
        for name in set(task.wanted).difference(report.name for report in plugins.reports):
            problems[name] = str(PluginError(name, "it is not installed any more"))
        if task.strict and problems:
            self._refuse(f"--strict, and a plugin can't be used: {'; '.join(problems.values())}")
        self.control.send(Loaded(list(plugins.configs), problems))
        queues = self._wait_for_go()
        self.marks = self._open_marks(folder.marks(task.name), tuple(plugins.configs))
        self.letters = LetterBox(task.name, folder.dead_letters_file)
        self.sources = {
            account: Source(account, JournalReader(folder.journal(account)), self.marks)
            for account in task.accounts
        }
        for source in self.sources.values():
            source.poison = self.letters.quarantined(source.account, source.position)
        self.dispatcher = plugins.dispatcher(
            marks=self.marks,
            failures=self.letters.note,
            slow_call=task.host.slow_call,
            turn=SLICE_TIME,
        )
        self.apis = Apis(task.account_settings)
        contexts = plugins.contexts(task.accounts, folder.path, self._stop_wanted, self.apis)
        failed = self.dispatcher.start(contexts)
        if task.strict and failed:
            self._refuse("--strict, and a plugin can't start: " + "; ".join(map(str, failed)))
        # One for good: `multiprocessing.connection.wait` makes one for each call, in 30 µs.
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ)
        for account, queue in queues:
            self._attach(account, queue)
        self.control.send(Ready(list(plugins.configs), list(problems.values())))
        self.next_tick = time.monotonic()
        self.stop_order: Stop | None = None
        self.stop_by = float("inf")
        self.looked_last = False

    def _load(self, path: Path) -> Plugins:
        """Load the plugins.  The marks say which is being loaded, should the process die of it."""
        found = [
            candidate
            for candidate in find_what_is_left(self.task.specs, self.task.plugins)
            if candidate.settings.process == self.task.name
        ]
        names = [candidate.name for candidate in found]
        if self.task.beside:  # The file is in use.
            marks = Marks.in_memory(names, MARKED, self.task.accounts)
        else:
            try:
                marks = Marks.open(path, names, MARKED, self.task.accounts)
            except JournalError:  # told when they are opened for the calls
                marks = Marks.in_memory(names, MARKED, self.task.accounts)

        def marked(candidate: Candidate) -> Any:
            marks.enter(names.index(candidate.name), MARKED.index(IMPORT), 0)
            return imported(candidate)

        plugins = load(found, source=marked)
        marks.leave()
        marks.close()
        return plugins

    def _open_marks(self, path: Path, plugins: Sequence[str]) -> Marks:
        names = plugins, MARKED, self.task.accounts
        try:
            return Marks.open(path, *names)
        except NewerFormat as error:
            self._refuse(str(error))
        except JournalError as error:
            log.critical(
                "%s. Plugins get every event, but after a crash or a restart they will miss "
                "events or get them again",
                error,
            )
        return Marks.in_memory(*names, after=path)

    def _wait_for_go(self) -> list[tuple[str, Connection]]:
        """Until the plugins may start; the queues that came in the meantime, by account.

        A process that takes the place of another waits here until that one has ended.
        """
        queues = []
        while True:
            match self.control.receive():
                case Attach(account):
                    queues.append((account, self.control.receive_queue(writable=False)))
                case Go():
                    return queues
                case Stop():
                    sys.exit()

    def _refuse(self, text: str) -> NoReturn:
        self.control.send(Refused(blotted(text), COULD_NOT_START))
        sys.exit(COULD_NOT_START)

    def _stop_wanted(self, reason: str) -> None:
        self.control.send(StopWanted(blotted(reason)))

    def run(self) -> None:
        try:
            for source in self.sources.values():
                # A queue begins with how far to look into the journal.
                if source.queue is None:
                    source.work = self._read_journal(source, source.last_seq())
            while not self._through():
                self._turn()
        except _Ended:
            pass
        reason = self.stop_order.reason if self.stop_order else ""
        self.dispatcher.stop(reason)
        self.apis.close()
        self.letters.close()
        self.marks.close()
        left = sum(source.left() for source in self.sources.values())
        sys.stdout.flush()
        self.control.send(Ended(left))

    def _through(self) -> bool:
        """Whether the end was ordered and everything has been delivered."""
        sources = self.sources.values()
        if self.stop_order is None or any(each.queue or each.work for each in sources):
            return False
        if self.looked_last:
            return True
        self.looked_last = True
        for source in sources:
            source.work = self._read_journal(source, source.last_seq())
        return False

    def _turn(self) -> None:
        """A slice of each account that has something to deliver, so that none waits for another's
        backlog; if none has, wait for something to do."""
        busy = [source for source in self.sources.values() if source.work is not None]
        if len(busy) < len(self.sources):
            due = 0.0 if busy else min(self.next_tick, self.stop_by) - time.monotonic()
            for key, _ in self.selector.select(max(0.0, due)):
                source = key.data
                # What else is in its queue stays there until it is through with what it has.
                if source is not None and source.work is None:
                    source.work = self._read_queue(source)
                    busy.append(source)
        for source in busy:
            source.work_on()
            self._look_up()
        if not busy:
            self._look_up()

    def _look_up(self) -> None:
        """What is due besides events: the supervisor's word, the tick, the end of the time."""
        while self.control.poll():
            match self.control.receive():
                case Attach(account):
                    self._attach(account, self.control.receive_queue(writable=False))
                case Stop(_, timeout, at) as order:
                    self.stop_order = order
                    self.stop_by = at + timeout
        now = time.monotonic()
        if now >= self.next_tick:
            # From now on, not from when it was due: a slow plugin is not punished with a burst.
            self.next_tick = now + TICK
            self.dispatcher.tick(time.time())
            self._deliver_letters()
            self.control.send(HostStatus(self.dispatcher.statistics()))
        if now >= self.stop_by:
            raise _Ended

    # --- events --------------------------------------------------------------------------

    def _attach(self, account: str, queue: Connection) -> None:
        source = self.sources[account]
        self._detach(source)
        source.queue = BatchReader(queue)
        self.selector.register(source.queue, selectors.EVENT_READ, source)

    def _detach(self, source: Source) -> None:
        if source.queue is not None:
            self.selector.unregister(source.queue)
            source.queue.close()
            source.queue = None

    # What delivers stops after each slice, and goes on at its account's next turn.

    def _read_queue(self, source: Source) -> Iterator[None]:
        assert source.queue is not None
        try:
            # Now, and not at its turn: by then there may be another queue, which has nothing yet.
            batches = source.queue.read()
        except (EOFError, OSError):
            self._detach(source)
            return self._read_journal(source, source.last_seq())
        return self._deliver_batches(source, batches)

    def _deliver_batches(self, source: Source, batches: Sequence[bytes | int]) -> Iterator[None]:
        for batch in batches:
            if isinstance(batch, int):
                yield from self._read_journal(source, batch)
                continue
            events = decode_events(batch)
            before = events[0].seq - 1
            for _ in range(TRIES):
                if before <= source.position or (yield from self._read_journal(source, before)):
                    break
                time.sleep(0.2)
                yield
            yield from self._deliver(source, events)

    def _read_journal(self, source: Source, until: int) -> Generator[None, None, bool]:
        """Deliver what stands in the journal after the position.  False: it can't be read.

        What comes after event `until` comes by the queue: there may be no trace of it here.
        """
        try:
            for part in source.journal.read(source.position):
                if part.first_seq > until:
                    break
                if not isinstance(part, Batch):
                    self._miss(source, min(part.last_seq, until), str(part.error))
                    continue
                try:
                    events = decode_events(part.events)
                except msgspec.DecodeError as error:
                    self._miss(
                        source, part.last_seq, f"what the journal has can't be decoded ({error})"
                    )
                    continue
                yield from self._deliver(source, events)
        except JournalError as error:
            log.error("%s", error)
            return False
        return True

    def _miss(self, source: Source, last_seq: int, why: str) -> None:
        """Go on after events that can't be had, and tell the plugins so."""
        if last_seq > source.position:
            missing = GapError(
                f"account {source.account}: {span(source.position + 1, last_seq)} can't be "
                f"delivered: {why}"
            )
            log.error("%s", missing)
            self.dispatcher.tell(missing)
            source.move(last_seq)

    def _deliver(self, source: Source, events: Sequence[AnyEvent]) -> Iterator[None]:
        self._miss(source, events[0].seq - 1, "found neither in the queue nor in the journal")
        events = source.new(events)
        start = 0
        while start < len(events):
            # What was handed over to a process that died comes alone: so its next death tells the
            # event that it was, also in on_batch.
            size = 1 if events[start].redelivered else SLICE
            start += self._deliver_slice(source, events[start : start + size])
            yield

    def _deliver_slice(self, source: Source, events: Sequence[AnyEvent]) -> int:
        """Returns how many of them were delivered: where the calls took long, not all."""
        self.marks.account(source.account)
        source.hand(events[-1].seq)
        if self.task.journal.durability == "power":
            # Before the call, so that a power cut can't take back that it was made.
            self.marks.sync()
        if without := source.poison.pop(events[0].seq, None):
            self.dispatcher.deliver_without(without, events[0])
            done = 1
        else:
            done = self.dispatcher.deliver(events)
        self.letters.write()
        last_seq = events[done - 1].seq
        source.move(last_seq)
        if done < len(events):
            source.take_back(last_seq)
        return done

    def _deliver_letters(self) -> None:
        """What the user wants delivered again, each to its plugin alone."""
        active = [each.plugin for each in self.dispatcher.statistics() if each.active]
        until = time.monotonic() + TICK / 2
        while time.monotonic() < until and (letter := self.letters.take(active)):
            try:
                (event,) = decode_events(letter.event)
            except (msgspec.DecodeError, ValueError) as error:
                log.error("dead letter %d can't be read: %s", letter.id, error)
                continue
            if letter.account in self.sources:
                self.marks.account(letter.account)
            again = replace(event, redelivered=True)
            # After a raise the other hooks have had the event, after a death none for certain.
            hook = letter.hook if letter.cause == "raised" else ""
            match self.dispatcher.deliver_again(letter.plugin, hook, again):
                case True:
                    self.letters.delivered(letter)
                    log.info("dead letter %d: delivered to plugin %s", letter.id, letter.plugin)
                case False:
                    log.error("dead letter %d: plugin %s raised again", letter.id, letter.plugin)
                case None:
                    log.error(
                        "dead letter %d: plugin %s has no %s now",
                        letter.id,
                        letter.plugin,
                        letter.hook,
                    )
        self.letters.write()
