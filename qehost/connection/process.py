"""The connection process of one account: one loop around one socket.

It waits for the socket, for the supervisor, for errands that are done and for the next deadline,
and for nothing else.  What is received is decoded, journalled and handed over before the socket is
read again.
"""

from __future__ import annotations

import gc
import logging
import select
import selectors
import sys
import time
from multiprocessing.connection import Connection as Pipe

from qehost import children
from qehost.connection.earlier import restore
from qehost.connection.errands import Errands
from qehost.connection.link import Link
from qehost.connection.memory import MemoryFile
from qehost.connection.outlet import Outlet
from qehost.connection.stream import Stream
from qehost.control import (
    Attach,
    ConnectionStatus,
    ConnectionTask,
    Control,
    Ended,
    Refused,
    Stop,
)
from qehost.errors import Error, GapError
from qehost.journal import Journal
from qehost.logs import hold_nobody_up
from qehost.network.dial import tls_context
from qehost.pipeline import Pipeline
from qehost.state import StateFolder

__all__ = ["Connection", "main"]

log = logging.getLogger("qehost.connection")

COULD_NOT_START, GAVE_UP = 3, 5
REPORT_EVERY = 1.0
FLUSH_EVERY = 0.05
"""Seconds between two looks at a queue whose reader is slow."""
GC_THRESHOLD = 50_000
"""The pipeline's memory holds some 100,000 objects and no cycles.  Looking through it after each
700 new ones, as is the default, takes 4 % of the time that decoding takes."""


def main(task: ConnectionTask, control: Pipe) -> None:
    children.enter(f"connection {task.account}", task.log)
    hold_nobody_up()
    gc.set_threshold(GC_THRESHOLD)
    supervisor = Control(control)
    try:
        folder = StateFolder(task.state_dir).journal(task.account)
        with Journal(folder, task.journal.durability) as journal:
            Connection(task, supervisor, journal, *restore(task.account, journal)).run()
    except Error as error:
        supervisor.send(Refused(f"account {task.account}: {error}", COULD_NOT_START))
        sys.exit(COULD_NOT_START)


class Connection:
    """`pipeline` and `last_heard` (epoch ns, 0: never) are what earlier processes left.

    Without a journal (None) events that the queue has no room for are lost, and `on_error` is told.
    """

    def __init__(
        self,
        task: ConnectionTask,
        control: Control,
        journal: Journal | None,
        pipeline: Pipeline,
        last_heard: int,
    ) -> None:
        self.control = control
        self.clock = time.monotonic
        self.account = task.account
        self.pipeline = pipeline
        self.memory = None if journal is None else MemoryFile(journal.folder)
        self.outlet = Outlet(journal, task.host.queue_bytes, self.clock, pipeline.next_seq - 1)
        self.errands = Errands()
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ, self._on_control)
        self.selector.register(self.errands, selectors.EVENT_READ, self.errands.collect)
        account = task.settings
        self.link = Link(
            task,
            tls_context(account.ca_file, account.client_cert, account.client_key),
            self.pipeline,
            self.outlet.emit,
            self.errands,
            self._watch,
            self.selector.unregister,
            last_heard,
        )
        self.report_at = self.clock()
        self.reported = ""
        self.order: Stop | None = None

    def _watch(self, stream: Stream) -> None:
        self.selector.register(stream, selectors.EVENT_READ, self.link.receive)

    def run(self) -> None:
        while self.order is None:
            self._turn()
            if self.link.gave_up:
                self.control.send(Refused(f"account {self.account}: {self.link.gave_up}", GAVE_UP))
                self.order = Stop(self.link.gave_up, 1.0)
        self._end(self.order)

    def _turn(self) -> None:
        for key, _ in self.selector.select(self._timeout()):
            key.data()
        stream = self.link.stream
        if stream is not None and stream.pending():
            self.link.receive()
        now = self.clock()
        for writer in self.outlet.writers:
            writer.flush()
        if lost := self.outlet.take_lost():
            self._tell_lost(lost)
        self.link.keep_time(now)
        self._remember()
        if now >= self.report_at or self.link.state.name != self.reported:
            self.report_at = now + REPORT_EVERY
            self._report()

    def _remember(self, *, whether_due_or_not: bool = False) -> None:
        if self.memory is None:
            return
        seq, unread_since = self.pipeline.next_seq - 1, self.link.unread_since
        if whether_due_or_not or self.memory.is_due(seq, unread_since):
            self.memory.write(seq, unread_since, self.pipeline.open_orders())

    def _timeout(self) -> float:
        stream = self.link.stream
        if stream is not None and stream.pending():
            return 0.0
        deadline = min(self.report_at, self.link.next_deadline())
        left = max(0.0, deadline - self.clock())
        return min(left, FLUSH_EVERY) if self.outlet.writers else left

    def _on_control(self) -> None:
        while self.control.poll():
            try:
                message = self.control.receive()
            except EOFError:
                # The supervisor is gone; the lifeline ends this process.
                self.selector.unregister(self.control)
                return
            match message:
                case Attach(host):
                    self.outlet.attach(host, self.control.receive_queue(writable=True))
                case Stop() as order:
                    self.order = order

    def _tell_lost(self, lost: int) -> None:
        error = GapError(
            f"{lost} events were lost: they came faster than they were taken for longer than the "
            "queue has room for. Handle events faster, make the queue larger, or use a journal, "
            "in which they would wait"
        )
        log.error("%s", error)
        self.outlet.emit([self.pipeline.problem(error, time.time_ns())])

    def _report(self) -> None:
        state = self.link.state
        self.reported = state.name
        self.control.send(
            ConnectionStatus(
                state.name,
                state.since,
                state.reconnects,
                self.link.intake.last_message,
                self.link.intake.last_pong,
                self.pipeline.next_seq - 1,
                self.outlet.protected,
            )
        )

    def _end(self, order: Stop) -> None:
        """Close the socket, hand over what is still on its way, all within the order's time."""
        deadline = self.clock() + order.timeout
        self.link.close(order.reason, order.timeout / 2)
        self._remember(whether_due_or_not=True)
        while self.outlet.writers and self.clock() < deadline:
            select.select([], self.outlet.writers, [], max(0.0, deadline - self.clock()))
            for writer in self.outlet.writers:
                writer.flush()
        self.outlet.close()
        self.errands.close()
        self._report()
        self.control.send(Ended(0))
