"""The host process: takes events from the queues and the journals and hands them to the plugins.

One thread.  It waits for the queues, for the supervisor and for the next tick; between any two
slices of events it looks whether a tick is due or the end was ordered, so neither a long backlog
nor a slow plugin keeps either waiting for longer than one slice.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NoReturn

from msgspec.structs import replace

from qehost import children
from qehost.control import Attach, Control, Ended, HostStatus, HostTask, Ready, Refused, Stop
from qehost.control import StopRequest as StopWanted
from qehost.database import NewerFormat
from qehost.errors import JournalError, PluginError
from qehost.host.cursors import Marks
from qehost.host.dispatch import HOOKS
from qehost.host.finding import find
from qehost.host.loading import load
from qehost.journal import Batch, JournalReader
from qehost.messages import AnyEvent
from qehost.queue import BatchReader, decode_events
from qehost.state import StateFolder

__all__ = ["main"]

log = logging.getLogger("qehost.host")

COULD_NOT_START = 3
TICK = 1.0
SLICE = 64
"""Events between two looks at the clock; also what comes again at most after a crash."""


def main(task: HostTask, control: Connection) -> None:
    children.enter(f"host {task.name}", task.log)
    Host(task, Control(control)).run()


class _Ended(Exception):
    """The time for draining is over."""


class Host:
    def __init__(self, task: HostTask, control: Control) -> None:
        self.task = task
        self.control = control
        plugins = load(find(task.specs, task.plugins), task.name)
        problems = [str(PluginError(r.name, r.why, r.distribution)) for r in plugins.failed]
        if task.strict and problems:
            self._refuse("--strict, and a plugin can't be used:\n" + "\n".join(problems))
        folder = StateFolder(task.state_dir)
        self.marks = self._open_marks(folder.marks(task.name), tuple(plugins.configs))
        self.sources = {
            account: Source(account, JournalReader(folder.journal(account)), self.marks)
            for account in task.accounts
        }
        self.dispatcher = plugins.dispatcher(marks=self.marks, slow_call=task.host.slow_call)
        contexts = plugins.contexts(task.accounts, folder.path, self._stop_wanted)
        failed = self.dispatcher.start(contexts)
        if task.strict and failed:
            self._refuse("--strict, and a plugin can't start:\n" + "\n".join(map(str, failed)))
        self.control.send(Ready(list(plugins.configs), problems))
        self.next_tick = time.monotonic()
        self.stop_order: Stop | None = None
        self.stop_by = float("inf")

    def _open_marks(self, path: Path, plugins: Sequence[str]) -> Marks:
        names = plugins, tuple(HOOKS), self.task.accounts
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
        return Marks.in_memory(*names)

    def _refuse(self, text: str) -> NoReturn:
        self.control.send(Refused(text, COULD_NOT_START))
        sys.exit(COULD_NOT_START)

    def _stop_wanted(self, reason: str) -> None:
        self.control.send(StopWanted(reason))

    def run(self) -> None:
        try:
            while not self._through():
                self._turn()
        except _Ended:
            pass
        reason = self.stop_order.reason if self.stop_order else ""
        self.dispatcher.stop(reason)
        self.marks.close()
        left = sum(source.left() for source in self.sources.values())
        sys.stdout.flush()
        self.control.send(Ended(left))

    def _through(self) -> bool:
        """Whether the end was ordered and everything has been delivered."""
        if self.stop_order is None or any(s.queue for s in self.sources.values()):
            return False
        for source in self.sources.values():
            self._read_journal(source)
        return True

    def _turn(self) -> None:
        queues = {s.queue.connection: s for s in self.sources.values() if s.queue is not None}
        timeout = max(0.0, min(self.next_tick, self.stop_by) - time.monotonic())
        for ready in wait([self.control.connection, *queues], timeout):
            if isinstance(ready, Connection) and ready in queues:
                self._read_queue(queues[ready])
        self._look_up()

    def _look_up(self) -> None:
        """What is due besides events: the supervisor's word, the tick, the end of the time."""
        while self.control.poll():
            match self.control.receive():
                case Attach(account):
                    queue = self.control.receive_queue(writable=False)
                    self.sources[account].attach(BatchReader(queue))
                case Stop(_, timeout) as order:
                    self.stop_order = order
                    self.stop_by = time.monotonic() + timeout
        now = time.monotonic()
        if now >= self.next_tick:
            # From now on, not from when it was due: a slow plugin is not punished with a burst.
            self.next_tick = now + TICK
            self.dispatcher.tick(time.time())
            self.control.send(HostStatus({a: s.position for a, s in self.sources.items()}))
        if now >= self.stop_by:
            raise _Ended

    # --- events --------------------------------------------------------------------------

    def _read_queue(self, source: Source) -> None:
        assert source.queue is not None
        try:
            batches = source.queue.read()
        except (EOFError, OSError):
            source.detach()
            self._read_journal(source)
            return
        for batch in batches:
            if not batch:
                self._read_journal(source)
                continue
            events = decode_events(batch)
            if events[0].seq > source.position + 1:
                self._read_journal(source)
            self._deliver(source, events)

    def _read_journal(self, source: Source) -> None:
        """Deliver what stands in the journal after the position."""
        try:
            for part in source.journal.read(source.position):
                if isinstance(part, Batch):
                    self._deliver(source, decode_events(part.events))
                elif part.last_seq > source.position:
                    log.error("account %s: %s", source.account, part.error)
                    source.move(part.last_seq)
        except JournalError as error:
            log.error("%s", error)

    def _deliver(self, source: Source, events: Sequence[AnyEvent]) -> None:
        events = source.new(events)
        for start in range(0, len(events), SLICE):
            part = events[start : start + SLICE]
            self.marks.account(source.account)
            self.marks.hand(source.account, part[-1].seq)
            self.dispatcher.deliver(part)
            source.move(part[-1].seq)
            if self.task.journal.durability == "power":
                self.marks.sync()
            self._look_up()


class Source:
    """One account's events, as this process sees them."""

    def __init__(self, account: str, journal: JournalReader, marks: Marks) -> None:
        self.account = account
        self.journal = journal
        self.queue: BatchReader | None = None
        self._marks = marks
        cursor = marks.cursor(account)
        if cursor is None:
            # The cursors can't be kept, or the supervisor would have set one: begin here and now.
            cursor = self._last_seq()
            marks.advance(account, cursor)
        self.position = cursor
        """The last event that was delivered."""
        self._handed = marks.handed(account)

    def attach(self, queue: BatchReader) -> None:
        self.detach()
        self.queue = queue

    def detach(self) -> None:
        if self.queue is not None:
            self.queue.close()
            self.queue = None

    def new(self, events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
        """Those that come after the position, marked where they may have been delivered before."""
        first = events[0].seq
        if first <= self.position:
            events = events[self.position + 1 - first :]
        elif first > self.position + 1:
            log.error(
                "account %s: events %d to %d are neither in the queue nor in the journal",
                self.account,
                self.position + 1,
                first - 1,
            )
        if first > self._handed:
            return events
        return [
            replace(event, redelivered=True) if event.seq <= self._handed else event
            for event in events
        ]

    def move(self, seq: int) -> None:
        self.position = seq
        self._marks.advance(self.account, seq)

    def left(self) -> int:
        """The number of events after the position."""
        return max(0, self._last_seq() - self.position)

    def _last_seq(self) -> int:
        try:
            return self.journal.last_seq()
        except JournalError:
            return 0
