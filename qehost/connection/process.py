"""The connection process of one account: one loop around one socket.

It waits for the socket, for the supervisor, for results from the background and for the next
deadline, and for nothing else.  What is received is decoded, journalled and handed over before the
socket is read again.
"""

from __future__ import annotations

import gc
import logging
import select
import selectors
import sys
import time
from collections.abc import Iterable
from functools import partial
from multiprocessing.connection import Connection as Pipe

from msgspec.structs import replace

from qehost.connection.background import BackgroundCalls
from qehost.connection.publisher import Publisher
from qehost.connection.restore import restore
from qehost.connection.stream import Stream
from qehost.connection.stream_client import StreamClient
from qehost.errors import Error, GapError
from qehost.events.pipeline import Pipeline
from qehost.events.plural import format_count
from qehost.network.dial import tls_context
from qehost.processes.control import (
    Attach,
    ConnectionStatus,
    ConnectionTask,
    Control,
    Ended,
    Go,
    Refused,
    Stop,
)
from qehost.processes.log_throttle import LogThrottle
from qehost.processes.logs import set_up, write_without_waiting
from qehost.secret import redact
from qehost.storage.checkpoint import Checkpoint, CheckpointFile
from qehost.storage.journal import Journal
from qehost.storage.patience import patiently
from qehost.storage.state_folder import StateFolder

__all__ = ["ConnectionProcess", "main"]

log = logging.getLogger("qehost.connection")

COULD_NOT_START, GAVE_UP = 3, 5
REPORT_EVERY = 1.0
FLUSH_EVERY = 0.05
"""Seconds between two looks at a queue whose reader is slow."""
PLUGINS_WITHIN = 10.0
"""Seconds that a new stream waits for the plugins to be loaded: a listen key may end another
program's stream, and is not made for a start that ends with their wrong settings.  One that takes
longer to be imported does not hold up the others."""
LOOK_EVERY = 1000
"""Events after which what is due is looked at, however fast they come."""
CLOCK_STEP = 1.0
"""Seconds."""
GC_THRESHOLD = 10_000
"""The pipeline remembers some 100,000 objects, without cycles.  Looking through them after each 700
new ones, as is the default, takes 4 % of the time that decoding takes.  After 50,000 new ones it
takes as long as after each 10,000, but up to 30 ms in one piece, in place of 6."""


def main(task: ConnectionTask, control: Pipe) -> None:
    set_up(task.log, f"connection {task.account}")
    write_without_waiting()
    gc.set_threshold(GC_THRESHOLD)
    supervisor = Control(control)
    try:
        folder = StateFolder(task.state_dir).journal(task.account)
        opening = partial(Journal, folder, task.journal.durability)
        with patiently(opening, partial(log.error, "%s")) as journal:
            restored = restore(task.account, journal)
            process = ConnectionProcess(task, supervisor, journal, *restored)
            process.client.machine.hold(process.clock() + PLUGINS_WITHIN)
            process.run()
    except Error as error:
        supervisor.send(Refused(redact(f"account {task.account}: {error}"), COULD_NOT_START))
        sys.exit(COULD_NOT_START)


class ConnectionProcess:
    """`pipeline` and `last_heard` (the venue's time, epoch ns; 0: never) are what earlier processes
    left.

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
        self.checkpoint = None if journal is None else CheckpointFile(journal.folder)
        self.publisher = Publisher(
            journal, task.host.queue_bytes, self.clock, pipeline.next_seq - 1
        )
        self.background = BackgroundCalls()
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ, self._on_control)
        self.selector.register(self.background, selectors.EVENT_READ, self.background.collect)
        account = task.settings
        self.client = StreamClient(
            task,
            tls_context(account.ca_file, account.client_cert, account.client_key),
            self.pipeline,
            self.publisher.emit,
            self.background,
            self._watch,
            self.selector.unregister,
            last_heard,
        )
        self.report_at = self.due_at = self.clock()
        self.clocks_apart = 0.0
        """Seconds between this machine's two clocks when what is due was looked at.  Where that
        changes, one was set, and what the checkpoint says of it is wrong."""
        self.due_seq = 0
        self.reported = self._reportable()
        self.since = time.time()  # epoch seconds, when the state was reported first
        self.stop: Stop | None = None
        """The order to end."""
        self.gap_lines: LogThrottle[str] = LogThrottle()

    def _watch(self, stream: Stream) -> None:
        self.selector.register(stream, selectors.EVENT_READ, self.client.receive)

    def run(self) -> None:
        while self.stop is None:
            self._turn()
            if self.client.gave_up:
                text = redact(f"account {self.account}: {self.client.gave_up}")
                self.control.send(Refused(text, GAVE_UP))
                self.stop = Stop(self.client.gave_up, 1.0)
        self._end(self.stop)

    def _turn(self) -> None:
        stream, only_messages = self.client.stream, True
        for key, _ in self.selector.select(self._timeout()):
            only_messages = only_messages and key.fileobj is stream
            key.data()
        if self.client.stream is not None and self.client.stream.pending():
            self.client.receive()
        now = self.clock()
        for writer in self.publisher.writers:
            writer.flush()
        if lost := self.publisher.take_lost():
            self._tell_lost(lost)
        self._log_notices()
        # Most turns bring a few messages, after which nothing is due that was not before.
        is_same = only_messages and self.client.stream is stream
        is_early = now < self.due_at and self.pipeline.next_seq < self.due_seq
        if is_same and is_early and abs(time.time() - now - self.clocks_apart) < CLOCK_STEP:
            return
        self.clocks_apart = time.time() - now
        self.client.keep_time(now)
        self._write_checkpoint()
        if now >= self.report_at or self._reportable() != self.reported:
            self.report_at = now + REPORT_EVERY
            self._report()
            _log_repeats(self.gap_lines.due(now))
        self.due_at = min(self.report_at, self.client.next_deadline())
        # The first message is reported at once.
        self.due_seq = self.pipeline.next_seq + (LOOK_EVERY if self.reported[1] else 1)

    def _write_checkpoint(self, *, is_end: bool = False) -> None:
        if self.checkpoint is None:
            return
        seq, unread_since = self.pipeline.next_seq - 1, self.client.unread_since
        offset, not_journalled = self.client.clock_offset, self.publisher.not_journalled
        lacks_baseline = self.pipeline.lacks_baseline
        if is_end or self.checkpoint.is_due(
            seq, unread_since, offset, not_journalled, lacks_baseline=lacks_baseline
        ):
            self.checkpoint.write(
                Checkpoint(
                    seq,
                    unread_since,
                    clock_offset=offset,
                    heard_until=self.client.heard_until,
                    is_end=is_end,
                    orders=self.pipeline.known_orders(),
                )
            )

    def _timeout(self) -> float:
        stream = self.client.stream
        if stream is not None and stream.pending():
            return 0.0
        left = max(0.0, self.due_at - self.clock())
        return min(left, FLUSH_EVERY) if self.publisher.writers else left

    def _on_control(self) -> None:
        while self.control.poll():
            try:
                message = self.control.receive()
            except EOFError:
                # The supervisor has ended; the lifeline ends this process.
                self.selector.unregister(self.control)
                return
            match message:
                case Attach(host):
                    self.publisher.attach(host, self.control.receive_queue(writable=True))
                case Go():
                    self.client.machine.go()
                case Stop() as stop:
                    self.stop = stop

    def _tell_lost(self, lost: int) -> None:
        error = GapError(
            f"{format_count(lost, 'event was', 'events were')} lost: more came than was taken for "
            "longer than the queue has room for. Handle events faster, make the queue larger, or "
            "use a journal, in which they would wait"
        )
        self.publisher.emit([self.pipeline.problem(error, time.time_ns())])

    def _log_notices(self) -> None:
        for line in self.pipeline.notices.take():
            log.warning("%s", line)
        for text in self.pipeline.notices.take_gaps():
            if self.gap_lines.allow(text, self.clock()):
                log.error("%s", text)

    def _reportable(self) -> tuple[str, bool]:
        """What is reported at once when it changes: the state, and the first message.  By that the
        parent knows that this process got something done, should it die in the next second."""
        return self.client.status, self.client.receiver.last_message > 0

    def _report(self) -> None:
        now = self._reportable()
        if now[0] != self.reported[0]:
            self.since = time.time()
        self.reported = now
        gap = self.pipeline.notices.last_gap
        self.control.send(
            ConnectionStatus(
                now[0],
                self.since,
                self.client.reconnects,
                self.client.receiver.last_message,
                self.client.receiver.last_pong,
                self.pipeline.next_seq - 1,
                self.publisher.protected,
                redact(self.client.trouble),
                self.pipeline.notices.counts,
                gap and replace(gap, text=redact(gap.text)),
            )
        )

    def _end(self, stop: Stop) -> None:
        """Close the socket, hand over what is still on its way, all within the time of `stop`."""
        deadline = self.clock() + stop.timeout
        self.client.close(stop.reason, stop.timeout / 2)
        self._write_checkpoint(is_end=True)
        while self.publisher.writers and self.clock() < deadline:
            select.select([], self.publisher.writers, [], max(0.0, deadline - self.clock()))
            for writer in self.publisher.writers:
                writer.flush()
        self.publisher.close()
        self.background.close()
        self._log_notices()
        _log_repeats(self.gap_lines.remaining())
        self._report()
        self.control.send(Ended(0))


def _log_repeats(repeats: Iterable[tuple[str, int]]) -> None:
    for text, count in repeats:
        log.error("%s (%s)", text, format_count(count, "more time"))
