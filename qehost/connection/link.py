"""The stream of one account over all its connections: keys, opening, heartbeat, loss.

`Link` brings the state machines together (`listen_key`, `session`) and does their I/O: what may
take long runs as errands, everything else happens when the loop calls.  It owns the open `Stream`;
what it learns goes out as events.  `Recovery` reads what the stream did not bring.
"""

from __future__ import annotations

import logging
import random
import ssl
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from qehost.connection import listen_key
from qehost.connection.errands import Errands
from qehost.connection.frames import NORMAL, Item
from qehost.connection.intake import Intake
from qehost.connection.listen_key import Key, ListenKeys, make_key
from qehost.connection.recovery import Recovery
from qehost.connection.session import Backoff, Beat, Heartbeat
from qehost.connection.stream import Stream, open_stream
from qehost.control import ConnectionTask
from qehost.errors import ConnectError, ConnectionLost, HandshakeError
from qehost.errors import WebsocketClientError as StreamError
from qehost.messages import Connected, Disconnected
from qehost.pipeline import Pipeline
from qehost.records import Record
from qehost.rest.account import account_api

__all__ = ["Link", "State"]

log = logging.getLogger("qehost.connection")

PATHS = {"v2": "/api/ws/v2", "v1": "/api/ws"}
KEY_REFUSED = frozenset((401, 403))
"""HTTP statuses of a handshake that speak of the listen key."""
PASSING = frozenset((408, 418, 425, 429))
"""HTTP statuses below 500 that heal by themselves; of the others only people can heal the cause."""
POLICY_VIOLATION = 1008
"""The close code with which a server ends a connection that is no longer allowed."""
WITHOUT_CLOSE_FRAME = 1006
AT_ONCE = 10.0
"""Seconds; an end that comes so soon after the opening, without a message, may be the key's."""
HANDOVER = 5.0
"""Seconds that a new key's connection may take to be open after the venue ended the old one."""
NEVER = float("inf")

Emit = Callable[[Sequence[Record]], None]


class State:
    """What `qehost status` tells of the connection; `since` is epoch seconds."""

    def __init__(self) -> None:
        self.name = "connecting"
        self.since = time.time()
        self.reconnects = 0

    def enter(self, name: str) -> None:
        if name != self.name:
            self.name = name
            self.since = time.time()


class Link:
    """`watch` and `unwatch` tell the loop which stream to wait for.

    `last_heard` (epoch ns, 0: never) is until when earlier processes heard the stream: what came
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
        last_heard: int,
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
        self.gave_up = ""
        """Why this connection is not tried any more; `""` while it is."""

        given = self.account.listen_key
        self.api = account_api(self.account, tls)
        self.keys = ListenKeys(given.reveal() if given else "", can_make=self.api.has_credentials)
        if self.keys.warning:
            log.warning("%s", self.keys.warning)
        self.intake = Intake(pipeline, emit)
        self.recovery = Recovery(self.api, self.settings, pipeline, emit, self._tell, errands)
        self.backoff = Backoff(
            self.settings.reconnect_delay, self.settings.reconnect_max_delay, random.Random()
        )

        now = self.clock()
        self.stream: Stream | None = None
        self.heartbeat: Heartbeat | None = None
        self._key_in_use = 0
        self._making_key = False
        self._connecting = False
        self._key_due = self._connect_at = self._down_at = now
        self._attempt = 0
        self._opened_at = 0.0  # never
        self._ends_at_once = 0  # in a row
        self._up_since = 0
        self._last_heard = last_heard
        # The end of the old connection while the new key's is being opened: not told if that works.
        self._unsaid: ConnectionLost | None = None

    @property
    def unread_since(self) -> int:
        """Since when REST is still to be asked, epoch ns; 0: it need not be.

        Before the first connection that is all since earlier processes heard the stream.
        """
        return self.recovery.unread_since if self._opened_at else self._last_heard

    # --- time ----------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """When `keep_time` should be called at the latest (monotonic seconds)."""
        deadlines = [self._key_due, self.recovery.next_deadline(), self._gives_up_at()]
        if self.heartbeat is not None:
            deadlines.append(self.heartbeat.next_deadline())
        if self._unsaid is not None:
            deadlines.append(self._down_at + HANDOVER)
        if not self._connecting and self._key_to_connect_with(self.clock()) is not None:
            deadlines.append(self._connect_at)
        return min(deadlines)

    def keep_time(self, now: float) -> None:
        """Do what is due.  The stream must have been read before: an answer may lie there."""
        if self.heartbeat is not None and self.stream is not None:
            match self.heartbeat.due(now):
                case Beat.PING:
                    self._ping(self.stream)
                case Beat.DEAD:
                    self._lost(
                        ConnectionLost(
                            "the venue is silent: nothing came for "
                            f"{self.settings.ping_interval + self.settings.pong_timeout:g} s, "
                            "not even an answer to a ping"
                        )
                    )
        if self._unsaid is not None and now >= self._down_at + HANDOVER:
            self._say_disconnected()
        self._see_to_the_key(now)
        self._connect_if_due(now)
        if self.recovery.keep_time(now):
            self._lost(ConnectionLost("the stream is mute: REST knows of events that it withheld"))
        if now >= self._gives_up_at():
            limit = self.settings.give_up_after
            self.gave_up = f"no connection for {limit:g} s (give_up_after)"

    def _gives_up_at(self) -> float:
        limit = self.settings.give_up_after
        return self._down_at + limit if limit and self.stream is None else NEVER

    def _see_to_the_key(self, now: float) -> None:
        match self.keys.next(now):
            case listen_key.Wait(until):
                self._key_due = until
            case listen_key.Make():
                self._key_due = NEVER
                self._making_key = True
                self.errands.run(
                    "listen-key",
                    lambda: make_key(self.api, self.account.protocol),
                    self._key_made,
                    self._key_failed,
                )

    def _key_made(self, made: listen_key.Made) -> None:
        self._making_key = False
        self.keys.made(made, self.clock())

    def _key_failed(self, error: Exception) -> None:
        self._making_key = False
        now = self.clock()
        if self._unsaid is not None:
            self._connect_at = now + self.backoff.next_delay(now)
            self._say_disconnected()
        self._tell(self.keys.failed(error, now))

    # --- opening -------------------------------------------------------------------------

    def _key_to_connect_with(self, now: float) -> Key | None:
        key = self.keys.current(now)
        if key is None or (self.stream is not None and key.number == self._key_in_use):
            return None
        return key

    def _connect_if_due(self, now: float) -> None:
        if self._connecting or now < self._connect_at:
            return
        key = self._key_to_connect_with(now)
        if key is None:
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
            proxy=self.account.proxy.reveal(),
            max_message=self.settings.max_message,
        )

    def _opened(self, stream: Stream, key_number: int) -> None:
        now, at = self.clock(), time.time_ns()
        self._connecting = False
        self.keys.accepted(key_number, now)
        self.backoff.opened(now)
        self._key_in_use = key_number
        self._opened_at = now
        before, self.stream = self.stream, stream
        self.watch(stream)
        self.heartbeat = Heartbeat(self.settings.ping_interval, self.settings.pong_timeout, now)
        down_since, self._last_heard = self._last_heard, at
        if before is not None or self._unsaid is not None:
            log.info("connected to %s with a new listen key", stream.address)
            self._unsaid = None
        else:
            log.info("connected to %s", stream.address)
            message = Connected(stream.address, self._attempt, down_since, at)
            self.emit([self.pipeline.connected(message, at)])
            self._up_since = at
        if before is not None:
            # The new connection is there, now the old one may go.
            self.unwatch(before)
            self.errands.run("close", before.close, self._take_rest, lambda _: None)
        self._attempt = 0
        self.state.enter("connected")
        # Subscribed first, now it is read what came before; after a change of keys, too, because
        # the venue may have left the old connection open and silent.
        self.recovery.opened(down_since, now, at)

    def _not_opened(self, error: Exception, key_number: int) -> None:
        self._connecting = False
        self._say_disconnected()
        # Anything else than our own errors may hold a secret in its text.
        told = error if isinstance(error, StreamError) else ConnectError(type(error).__name__)
        status = told.status if isinstance(told, HandshakeError) else 0
        retry_after = told.retry_after if isinstance(told, HandshakeError) else None
        refused = status in KEY_REFUSED
        hopeless = 300 <= status < 500 and not refused and status not in PASSING
        delay = self.backoff.next_delay(self.clock(), retry_after=retry_after, hopeless=hopeless)
        self._connect_at = self.clock() + delay
        if self.stream is None:
            self.state.enter("waiting")
        if refused:
            given = self.keys.given
            self._tell(self.keys.refused(key_number, self.clock()))
            if given and not self.keys.given:
                # The first key of our own is no new try with what was refused.
                self._connect_at = self.clock()
        else:
            self._tell(told, f"{str(told).rstrip('.')}. Trying again in {delay:.1f} s")
            if hopeless:
                self._doubt_key(key_number)

    def _doubt_key(self, number: int) -> None:
        """How a venue tells that a listen key has ended, it does not document."""
        if self.keys.doubted(number, self.clock()):
            log.info("a new listen key is made, in case the one in use has ended")

    # --- losing --------------------------------------------------------------------------

    def _lost(self, error: ConnectionLost) -> None:
        stream = self.stream
        if stream is None:
            return
        now = self.clock()
        handing_over = self._handing_over(now)
        self.unwatch(stream)
        if error.close_code == WITHOUT_CLOSE_FRAME:
            stream.abort()
        else:
            # Closing over unread bytes would send a reset, which overtakes our close frame.
            self.errands.run("close", stream.close, lambda _: None, lambda _: None)
        self.stream = self.heartbeat = None
        self._down_at = now
        self._ends_at_once += 1
        if now - self._opened_at > AT_ONCE:
            self._ends_at_once = 0
        self.recovery.closed()
        self._unsaid = error
        if handing_over:
            log.info("the venue ended the old connection before the new one was open: %s", error)
            self._connect_at = now
            self.state.enter("connecting")
            if error.close_code == POLICY_VIOLATION:
                self.keys.refused(self._key_in_use, now)
            return
        delay = self.backoff.next_delay(now)
        self._connect_at = now + delay
        self._say_disconnected(f"Connecting again in {delay:.1f} s")
        if error.close_code == POLICY_VIOLATION:
            self._tell(self.keys.refused(self._key_in_use, now))
        elif self._ends_at_once > 1:
            self._doubt_key(self._key_in_use)

    def _handing_over(self, now: float) -> bool:
        """Whether a new key is on its way: a strict venue ends the old connection with the old key,
        which may be seen before the answer that brings the new one."""
        if self._ends_at_once > 1:
            return False  # that is no strict venue, but an ill one
        if self._connecting or self._making_key:
            return True
        return self._key_to_connect_with(now) is not None and now >= self._connect_at

    def _say_disconnected(self, outlook: str = "") -> None:
        """Tell the end of the connection, unless that was done."""
        if self._unsaid is None:
            return
        error, self._unsaid = self._unsaid, None
        self.state.reconnects += 1
        self.state.enter("waiting")
        log.warning("%s", f"disconnected: {str(error).rstrip('.')}. {outlook}".rstrip())
        self._emit_disconnected(str(error), error.close_code)

    def _emit_disconnected(self, reason: str, code: int) -> None:
        message = Disconnected(reason, code, self._up_since, self._last_heard)
        self.emit([self.pipeline.disconnected(message, time.time_ns())])

    def _tell(self, error: StreamError | None, line: str = "") -> None:
        """To the log, there with more words if that is of use, and to `on_error`."""
        if error is not None:
            log.error("%s", line or error)
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
        if self.intake.take(items, received_at):
            self._ends_at_once = 0
            self.recovery.heard(self.clock())

    def _take_rest(self, items: Sequence[Item]) -> None:
        """What the old connection still brought after the new one was open."""
        self._take(items, time.time_ns())

    def _ping(self, stream: Stream) -> None:
        if self.settings.heartbeat == "text":
            stream.send_text("ping")
        else:
            stream.send_ping()

    # --- the end -------------------------------------------------------------------------

    def close(self, reason: str, timeout: float) -> None:
        """Close the socket in good order within `timeout` seconds; take what still comes in."""
        self.api.close()
        if self.stream is not None:
            self.unwatch(self.stream)
            at = time.time_ns()
            self._take(self.stream.close(timeout=timeout), at)
            self._last_heard = at
            self.stream = None
            self._emit_disconnected(reason, NORMAL)
        self._say_disconnected()
