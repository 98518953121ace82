"""The stream of one account over all its connections: keys, opening, heartbeat, loss, catching up.

`Link` brings the state machines together (`listen_key`, `session`, `catch_up`) and does their I/O:
what may take long runs as errands, everything else happens when the loop calls.  It owns the open
`Stream`; what it learns goes out as events.
"""

from __future__ import annotations

import logging
import random
import ssl
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from qehost.connection import catch_up, listen_key
from qehost.connection.catch_up import CatchUp, Found, read_window
from qehost.connection.errands import Errands
from qehost.connection.frames import NORMAL, Item, Pong
from qehost.connection.listen_key import Key, ListenKeys, make_key
from qehost.connection.session import Backoff, Beat, Heartbeat
from qehost.connection.stream import Stream, open_stream
from qehost.control import ConnectionTask
from qehost.errors import ConnectError, ConnectionLost, DecodeError, HandshakeError
from qehost.errors import WebsocketClientError as StreamError
from qehost.messages import AnyEvent, Connected, Disconnected
from qehost.pipeline import Pipeline
from qehost.rest import API

__all__ = ["Link", "State"]

log = logging.getLogger("qehost.connection")

PATHS = {"v2": "/api/ws/v2", "v1": "/api/ws"}
KEY_REFUSED = frozenset((401, 403))
"""HTTP statuses of a handshake that speak of the listen key."""
POLICY_VIOLATION = 1008
"""The close code with which a server ends a connection that is no longer allowed."""

WITHOUT_CLOSE_FRAME = 1006
NEVER = float("inf")

Emit = Callable[[Sequence[AnyEvent]], None]


class State:
    """What `qehost status` tells of the connection.  Times are epoch seconds, 0 for never."""

    def __init__(self) -> None:
        self.name = "connecting"
        self.since = time.time()
        self.reconnects = 0
        self.last_message = 0.0
        self.last_pong = 0.0

    def enter(self, name: str) -> None:
        if name != self.name:
            self.name = name
            self.since = time.time()


class Link:
    """`watch` and `unwatch` tell the loop which stream to wait for.

    `last_event` (epoch ns, 0: none) is when an earlier run last received something: what came
    since is read over REST after the first connection.
    """

    def __init__(
        self,
        task: ConnectionTask,
        tls: ssl.SSLContext,
        pipeline: Pipeline,
        emit: Emit,
        errands: Errands,
        watch: Callable[[Stream], None],
        unwatch: Callable[[Stream], object],
        last_event: int,
    ) -> None:
        self.account = task.settings
        self.settings = task.connection
        self.tls = tls
        self.pipeline = pipeline
        self.emit = emit
        self.errands = errands
        self.watch = watch
        self.unwatch = unwatch
        self.clock = time.monotonic
        self.state = State()

        given = self.account.listen_key
        self.api = self._api()
        can_ask = self.api.has_credentials
        self.keys = ListenKeys(given.reveal() if given else "", can_make=can_ask)
        if self.keys.warning:
            log.warning("%s", self.keys.warning)
        self.gaps = CatchUp(can_read=can_ask)
        self.backoff = Backoff(
            self.settings.reconnect_delay, self.settings.reconnect_max_delay, random.Random()
        )

        self.stream: Stream | None = None
        self.heartbeat: Heartbeat | None = None
        self._key_in_use = 0
        self._key_due = self._gap_due = self.clock()
        self._connecting = False
        self._connect_at = self.clock()
        self._attempt = 0
        self._up_since = 0
        self._last_heard = last_event
        self._down_at = self.clock()
        self._look_again_at = self._next_look()
        self._quiet_since = self.clock()
        self._asking_rest = False
        self.gave_up = ""

    def _api(self) -> API:
        account = self.account

        def text(name: str) -> str | None:
            secret = getattr(account, name)
            return secret.reveal() if secret else None

        return API(
            text("api_key"),
            text("api_secret"),
            account.rest_url,
            private_key=text("private_key"),
            private_key_pass=text("private_key_pass"),
            ssl_context=self.tls,
            proxy=account.proxy,
        )

    # --- time ----------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """When `keep_time` should be called at the latest (monotonic seconds)."""
        deadlines = [self._key_due, self._gap_due, self._look_again_at, self._mute_at()]
        if self.heartbeat is not None:
            deadlines.append(self.heartbeat.next_deadline())
        elif not self._connecting:
            if self.keys.current(self.clock()) is not None:
                deadlines.append(self._connect_at)
            deadlines.append(self._gives_up_at())
        return min(deadlines)

    def keep_time(self, now: float) -> None:
        """Do what is due."""
        if self.heartbeat is not None and self.stream is not None:
            match self.heartbeat.due(now):
                case Beat.PING:
                    self._ping(self.stream)
                case Beat.DEAD:
                    self._lost(
                        ConnectionLost(
                            f"the venue is silent: a ping was not answered within "
                            f"{self.settings.pong_timeout:g} s, nor did anything else come"
                        )
                    )
        self._see_to_the_key(now)
        self._connect_if_due(now)
        if self.stream is not None and now >= min(self._look_again_at, self._mute_at()):
            self._look_again(now)
        self._see_to_gaps(now)
        if now >= self._gives_up_at():
            limit = self.settings.give_up_after
            self.gave_up = f"no connection for {limit:g} s (--give-up-after)"

    def _gives_up_at(self) -> float:
        limit = self.settings.give_up_after
        return self._down_at + limit if limit and self.stream is None else NEVER

    def _see_to_the_key(self, now: float) -> None:
        match self.keys.next(now):
            case listen_key.Wait(until):
                self._key_due = until
            case listen_key.Make():
                self._key_due = NEVER
                self.errands.run(
                    "listen-key",
                    lambda: make_key(self.api, self.account.protocol),
                    lambda made: self.keys.made(made, self.clock()),
                    lambda error: self._tell(self.keys.failed(error, self.clock())),
                )

    def _see_to_gaps(self, now: float) -> None:
        match self.gaps.next(now):
            case catch_up.Wait(until):
                self._gap_due = until
            case catch_up.Read(window):
                self._gap_due = NEVER
                self.errands.run(
                    "catch-up",
                    lambda: read_window(self.api, window),
                    self._caught_up,
                    lambda error: log.error("catching up failed: %r", error),
                )

    # --- opening -------------------------------------------------------------------------

    def _connect_if_due(self, now: float) -> None:
        if self._connecting or now < self._connect_at:
            return
        key = self.keys.current(now)
        if key is None or (self.stream is not None and key.number == self._key_in_use):
            return
        self._connecting = True
        if self.stream is None:
            self._attempt += 1
            self.state.enter("connecting")
        self.errands.run(
            "connect",
            lambda: self._open(key),
            lambda stream: self._opened(stream, key.number),
            lambda error: self._not_opened(error, key.number),
        )

    def _open(self, key: Key) -> Stream:
        """Runs in an errand's thread."""
        url = f"{self.account.ws_url.rstrip('/')}{PATHS[self.account.protocol]}"
        return open_stream(
            f"{url}?{urlencode({'listen_key': key.text})}",
            timeout=self.settings.connect_timeout,
            tls=self.tls,
            proxy=self.account.proxy,
            max_message=self.settings.max_message,
        )

    def _opened(self, stream: Stream, key_number: int) -> None:
        now, at = self.clock(), time.time_ns()
        self._connecting = False
        self.keys.accepted(key_number, now)
        self.backoff.opened(now)
        self._key_in_use = key_number
        before = self.stream
        if before is not None:
            # A new key: the new connection is there, now the old one may go.  What both bring is
            # delivered once.
            log.info("connected to %s with a new listen key", stream.address)
            self.unwatch(before)
            self.errands.run("close", before.close, self._take_rest, lambda _: None)
        self.stream = stream
        self.watch(stream)
        self.heartbeat = Heartbeat(self.settings.ping_interval, self.settings.pong_timeout, now)
        if before is not None:
            return
        log.info("connected to %s", stream.address)
        down_since = self._last_heard
        self.emit(
            [self.pipeline.connected(Connected(stream.address, self._attempt, down_since, at), at)]
        )
        self._attempt = 0
        self._up_since = self._last_heard = at
        self._quiet_since = now
        self.state.enter("connected")
        if down_since:
            self._read_again(down_since, at)

    def _not_opened(self, error: Exception, key_number: int) -> None:
        self._connecting = False
        # Anything else than our own errors may hold a secret in its text.
        told = error if isinstance(error, StreamError) else ConnectError(type(error).__name__)
        refused = isinstance(told, HandshakeError) and told.status in KEY_REFUSED
        if refused:
            self._tell(self.keys.refused(key_number, self.clock()))
        retry_after = told.retry_after if isinstance(told, HandshakeError) else None
        delay = self.backoff.next_delay(self.clock(), retry_after=retry_after)
        if not refused:
            log.error("%s. Trying again in %.1f s", str(told).rstrip("."), delay)
            self.emit([self.pipeline.problem(told, time.time_ns())])
        if self.stream is None:
            self.state.enter("waiting")
        self._connect_at = self.clock() + delay

    # --- losing --------------------------------------------------------------------------

    def _lost(self, error: ConnectionLost) -> None:
        if self.stream is None:
            return
        self.unwatch(self.stream)
        if error.close_code == WITHOUT_CLOSE_FRAME:
            self.stream.abort()
        else:
            # Closing over unread bytes would send a reset, which overtakes our close frame.
            self.errands.run("close", self.stream.close, lambda _: None, lambda _: None)
        now = self.clock()
        delay = self.backoff.next_delay(now)
        self._connect_at = now + delay
        self.state.reconnects += 1
        self.state.enter("waiting")
        log.warning("disconnected: %s. Connecting again in %.1f s", str(error).rstrip("."), delay)
        self._tell_disconnected(str(error), error.close_code)
        if error.close_code == POLICY_VIOLATION:
            self._tell(self.keys.refused(self._key_in_use, now))

    def _tell_disconnected(self, reason: str, code: int) -> None:
        self.stream = self.heartbeat = None
        self._down_at = self.clock()
        message = Disconnected(reason, code, self._up_since, self._last_heard)
        self.emit([self.pipeline.disconnected(message, time.time_ns())])

    def _tell(self, error: StreamError | None) -> None:
        if error is not None:
            log.error("%s", error)
            self.emit([self.pipeline.problem(error, time.time_ns())])

    # --- receiving -----------------------------------------------------------------------

    def receive(self) -> None:
        """Take what has come in."""
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
            self._last_heard = received_at
            if self.heartbeat is not None:
                self.heartbeat.heard(self.clock())
        self._take(items, received_at)

    def _take(self, items: Sequence[Item], received_at: int) -> None:
        texts = [item for item in items if type(item) is str]
        events = self.pipeline.feed(texts, received_at)
        if len(texts) != len(items):
            events += self._take_others(items, received_at)
        elif texts == ["pong"]:
            self.state.last_pong = received_at / 1e9
        if events:
            self.state.last_message = received_at / 1e9
            self._quiet_since = self.clock()
            self.emit(events)

    def _take_others(self, items: Sequence[Item], received_at: int) -> list[AnyEvent]:
        """Pongs, and binary messages, of which the protocol knows none."""
        events: list[AnyEvent] = []
        for item in items:
            if isinstance(item, Pong):
                self.state.last_pong = received_at / 1e9
            elif isinstance(item, bytes):
                text = item.decode("utf-8", "backslashreplace")
                error = DecodeError("a binary message; the venue's protocol has text only", text)
                events.append(self.pipeline.problem(error, received_at, text))
        return events

    def _take_rest(self, items: Sequence[Item]) -> None:
        """What the old connection still brought after the new one was open."""
        self._take(items, time.time_ns())

    def _ping(self, stream: Stream) -> None:
        if self.settings.heartbeat == "text":
            stream.send_text("ping")
        else:
            stream.send_ping()

    # --- what the stream did not bring ---------------------------------------------------

    def _read_again(self, since: int, until: int) -> None:
        self._tell(self.gaps.add(since, until))

    def _next_look(self) -> float:
        every = self.settings.catch_up_interval
        return self.clock() + every if every else NEVER

    def _mute_at(self) -> float:
        limit = self.settings.mute_after
        return self._quiet_since + limit if limit and self.stream else NEVER

    def _look_again(self, now: float) -> None:
        """Compare with REST, by the clock or because the stream is mute."""
        self._asking_rest = self._asking_rest or now >= self._mute_at()
        quiet = int((now - self._quiet_since) * 1e9)
        self._look_again_at = self._next_look()
        self._quiet_since = now
        at = time.time_ns()
        self._read_again(at - quiet - int(self.settings.catch_up_interval * 1e9), at)

    def _caught_up(self, found: Found) -> None:
        events = self.pipeline.catch_up(found.master_orders, found.orders, time.time_ns())
        if events:
            log.info("%d events that the stream did not bring were read over REST", len(events))
            self.emit(events)
        self._tell(self.gaps.done(found, self.clock()))
        mute, self._asking_rest = self._asking_rest, False
        if mute and events:
            # Quiet alone proves nothing: order streams are quiet.
            self._lost(ConnectionLost("the stream is mute: REST knows of events that it withheld"))

    # --- the end -------------------------------------------------------------------------

    def close(self, reason: str, timeout: float) -> None:
        """Close the socket in good order within `timeout` seconds; take what still comes in."""
        if self.stream is not None:
            self.unwatch(self.stream)
            self._take(self.stream.close(timeout=timeout), time.time_ns())
            self._tell_disconnected(reason, NORMAL)
        self.api.close()
