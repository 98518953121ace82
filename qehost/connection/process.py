"""The connection process of one account: one loop around one socket.

It waits for the socket, for the supervisor, for errands that are done and for the next deadline,
and for nothing else.  What is received is decoded, journalled and handed over before the socket is
read again.
"""

from __future__ import annotations

import logging
import random
import select
import selectors
import time
from multiprocessing.connection import Connection as Pipe
from urllib.parse import urlencode

from qehost import children
from qehost.connection.errands import Errands
from qehost.connection.frames import NORMAL, Item, Pong
from qehost.connection.outlet import Outlet
from qehost.connection.session import Backoff, Beat, Heartbeat
from qehost.connection.stream import Stream, open_stream
from qehost.control import Attach, ConnectionStatus, ConnectionTask, Control, Ended, Stop
from qehost.dial import tls_context
from qehost.errors import (
    ConnectError,
    ConnectionLost,
    DecodeError,
    Error,
    HandshakeError,
    ListenKeyError,
    WebsocketClientError,
)
from qehost.journal import Journal, JournalReader
from qehost.messages import AnyEvent, Connected, Disconnected
from qehost.pipeline import Pipeline
from qehost.queue import decode_events
from qehost.rest.api import API
from qehost.state import StateFolder

__all__ = ["main"]

log = logging.getLogger("qehost.connection")

PATHS = {"v2": "/api/ws/v2", "v1": "/api/ws"}
REPORT_EVERY = 1.0
REMEMBER = 20_000
"""Events of an earlier run that duplicates are recognised by."""
HOPELESS = frozenset((401, 403))
FLUSH_EVERY = 0.05


def main(task: ConnectionTask, control: Pipe) -> None:
    children.enter(f"connection {task.account}", task.log)
    journal = Journal(StateFolder(task.state_dir).journal(task.account), task.journal.durability)
    with journal:
        Connection(task, Control(control), journal).run()


class Connection:
    def __init__(self, task: ConnectionTask, control: Control, journal: Journal) -> None:
        self.task = task
        self.control = control
        self.clock = time.monotonic
        self.tls = tls_context(
            task.settings.ca_file, task.settings.client_cert, task.settings.client_key
        )
        self.pipeline = Pipeline(task.account, journal.last_seq() + 1)
        self._remember(journal)
        self.outlet = Outlet(journal, task.host.queue_bytes, self.clock)
        self.errands = Errands()
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ, self._on_control)
        self.selector.register(self.errands, selectors.EVENT_READ, self.errands.collect)

        settings = task.connection
        self.backoff = Backoff(
            settings.reconnect_delay, settings.reconnect_max_delay, random.Random()
        )
        self.stream: Stream | None = None
        self.heartbeat: Heartbeat | None = None
        self.connect_at: float | None = self.clock()
        self.report_at = self.clock()
        self.stopping: Stop | None = None

        self.state = "connecting"
        self.since = time.time()
        self.attempt = 0
        self.reconnects = 0
        self.up_since = 0
        self.last_heard = 0
        self.down_since = 0
        self.last_message = 0.0
        self.last_pong = 0.0

    def _remember(self, journal: Journal) -> None:
        """What an earlier process received, so that it is not delivered as new."""
        next_seq = self.pipeline.next_seq
        with JournalReader(journal.folder) as reader:
            for batch in reader.tail(REMEMBER):
                self.pipeline.restore(decode_events(batch.events))
        self.pipeline.next_seq = max(next_seq, self.pipeline.next_seq)

    # --- the loop ------------------------------------------------------------------------

    def run(self) -> None:
        while self.stopping is None:
            self._turn()
        self._end(self.stopping)

    def _turn(self) -> None:
        ready = self.selector.select(self._timeout())
        for key, _ in ready:
            key.data()
        if self.stream is not None and self.stream.pending():
            self._receive()
        self._keep_time(self.clock())

    def _timeout(self) -> float:
        if self.stream is not None and self.stream.pending():
            return 0.0
        deadlines = [self.report_at]
        if self.connect_at is not None:
            deadlines.append(self.connect_at)
        if self.heartbeat is not None:
            deadlines.append(self.heartbeat.next_deadline())
        if self.outlet.writers:
            # Rare enough (a reader that is slow) to be looked at by the clock.
            deadlines.append(self.clock() + FLUSH_EVERY)
        return max(0.0, min(deadlines) - self.clock())

    def _keep_time(self, now: float) -> None:
        for writer in self.outlet.writers:
            writer.flush()
        if self.stream is not None and self.heartbeat is not None:
            match self.heartbeat.due(now):
                case Beat.PING:
                    self._ping(self.stream)
                case Beat.DEAD:
                    settings = self.task.connection
                    self._lost(
                        ConnectionLost(
                            f"nothing was heard for {settings.ping_interval:g} s, and nothing "
                            f"within {settings.pong_timeout:g} s after a ping"
                        )
                    )
        if self.connect_at is not None and now >= self.connect_at:
            self.connect_at = None
            self._connect()
        if now >= self.report_at:
            self.report_at = now + REPORT_EVERY
            self._report()

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
                    self.stopping = order

    def _report(self) -> None:
        self.control.send(
            ConnectionStatus(
                self.state,
                self.since,
                self.reconnects,
                self.last_message,
                self.last_pong,
                self.pipeline.next_seq - 1,
            )
        )

    # --- connecting ----------------------------------------------------------------------

    def _connect(self) -> None:
        self.attempt += 1
        self._enter("connecting")
        self.errands.run("connect", self._open, self._opened, self._not_opened)

    def _open(self) -> Stream:
        """Runs in an errand's thread."""
        settings = self.task.settings
        key = settings.listen_key.reveal() if settings.listen_key else self._make_listen_key()
        url = f"{settings.ws_url.rstrip('/')}{PATHS[settings.protocol]}"
        return open_stream(
            f"{url}?{urlencode({'listen_key': key})}",
            timeout=self.task.connection.connect_timeout,
            tls=self.tls,
            proxy=settings.proxy,
            max_message=self.task.connection.max_message,
        )

    def _make_listen_key(self) -> str:
        settings = self.task.settings
        api = API(
            settings.api_key.reveal() if settings.api_key else None,
            settings.api_secret.reveal() if settings.api_secret else None,
            settings.rest_url,
            private_key=settings.private_key.reveal() if settings.private_key else None,
            private_key_pass=(
                settings.private_key_pass.reveal() if settings.private_key_pass else None
            ),
            ssl_context=self.tls,
            proxy=settings.proxy,
        )
        try:
            return api.create_listen_key(settings.protocol).key
        except Error as error:
            raise ListenKeyError(f"no listen key from {settings.rest_url}: {error}") from error
        finally:
            api.close()

    def _opened(self, stream: Stream) -> None:
        now, at = self.clock(), time.time_ns()
        self.stream = stream
        self.selector.register(stream, selectors.EVENT_READ, self._receive)
        settings = self.task.connection
        self.heartbeat = Heartbeat(settings.ping_interval, settings.pong_timeout, now)
        self.backoff.opened(now)
        log.info("connected to %s", stream.address)
        self.outlet.emit(
            [
                self.pipeline.connected(
                    Connected(stream.address, self.attempt, self.down_since, at), at
                )
            ]
        )
        self.up_since = self.last_heard = at
        self.attempt = 0
        self._enter("connected")

    def _not_opened(self, error: Exception) -> None:
        told = error if isinstance(error, WebsocketClientError) else ConnectError(str(error))
        status = getattr(error, "status", 0)
        delay = self.backoff.next_delay(
            self.clock(),
            retry_after=getattr(error, "retry_after", None),
            hopeless=isinstance(error, HandshakeError) and status in HOPELESS,
        )
        log.error("%s. Trying again in %.1f s", str(told).rstrip("."), delay)
        self.outlet.emit([self.pipeline.problem(told, time.time_ns())])
        self._enter("waiting")
        self.connect_at = self.clock() + delay

    def _lost(self, error: ConnectionLost) -> None:
        if self.stream is None:
            return
        self.selector.unregister(self.stream)
        self.stream.abort()
        self._tell_disconnected(str(error), error.close_code)
        delay = self.backoff.next_delay(self.clock())
        log.warning("disconnected: %s. Connecting again in %.1f s", str(error).rstrip("."), delay)
        self.reconnects += 1
        self._enter("waiting")
        self.connect_at = self.clock() + delay

    def _tell_disconnected(self, reason: str, code: int) -> None:
        self.stream = self.heartbeat = None
        self.down_since = self.last_heard
        message = Disconnected(reason, code, self.up_since, self.last_heard)
        self.outlet.emit([self.pipeline.disconnected(message, time.time_ns())])

    def _enter(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.since = time.time()

    # --- receiving -----------------------------------------------------------------------

    def _receive(self) -> None:
        stream = self.stream
        if stream is None:
            return
        received_at = time.time_ns()
        before = stream.bytes_received
        try:
            items = stream.receive()
        except ConnectionLost as error:
            self._lost(error)
            return
        if stream.bytes_received != before:
            self.last_heard = received_at
            if self.heartbeat is not None:
                self.heartbeat.heard(self.clock())
        self._take(items, received_at)

    def _take(self, items: list[Item], received_at: int) -> None:
        texts = [item for item in items if type(item) is str]
        events = self.pipeline.feed(texts, received_at)
        if len(texts) != len(items):
            events += self._take_others(items, received_at)
        elif texts == ["pong"]:
            self.last_pong = received_at / 1e9
        if events:
            self.last_message = received_at / 1e9
            self.outlet.emit(events)

    def _take_others(self, items: list[Item], received_at: int) -> list[AnyEvent]:
        """Pongs, and binary messages, of which the protocol knows none."""
        events: list[AnyEvent] = []
        for item in items:
            if isinstance(item, Pong):
                self.last_pong = received_at / 1e9
            elif isinstance(item, bytes):
                text = item.decode("utf-8", "backslashreplace")
                error = DecodeError("a binary message; the venue's protocol has text only", text)
                events.append(self.pipeline.problem(error, received_at, text))
        return events

    def _ping(self, stream: Stream) -> None:
        try:
            if self.task.connection.heartbeat == "text":
                stream.send_text("ping")
            else:
                stream.send_ping()
        except ConnectionLost as error:
            self._lost(error)

    # --- the end -------------------------------------------------------------------------

    def _end(self, order: Stop) -> None:
        """Close the socket, hand over what is still on its way, all within the order's time."""
        deadline = self.clock() + order.timeout
        if self.stream is not None:
            self.selector.unregister(self.stream)
            self._take(self.stream.close(timeout=order.timeout / 2), time.time_ns())
            self._tell_disconnected(order.reason, NORMAL)
        while self.outlet.writers and self.clock() < deadline:
            select.select([], self.outlet.writers, [], deadline - self.clock())
            for writer in self.outlet.writers:
                writer.flush()
        self.outlet.close()
        self.control.send(Ended(0))
