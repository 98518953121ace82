"""The stream of one account over all its connections: the state machine, and its I/O.

`StreamMachine` decides; `StreamClient` owns the sockets, runs what may take long in the background,
and makes events of what it learns.  `Recovery` reads what the stream did not bring.
"""

from __future__ import annotations

import logging
import random
import ssl
import time
from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import urlencode

from qehost.connection.actions import (
    Action,
    CloseStream,
    Connect,
    DrainStream,
    GiveUp,
    MakeKey,
    SendPing,
    TellDisconnected,
    TellError,
    UseStream,
    WriteLog,
)
from qehost.connection.background import BackgroundCalls
from qehost.connection.baseline import Baseline
from qehost.connection.beginning import Beginning
from qehost.connection.frames import NORMAL, Item
from qehost.connection.listen_key import Key, ListenKeys, make_key
from qehost.connection.receiver import Receiver
from qehost.connection.recovery import Recovery
from qehost.connection.state_machine import State, StreamMachine
from qehost.connection.stream import Stream, open_stream
from qehost.errors import ConnectionLost, GapError
from qehost.errors import WebsocketClientError as StreamError
from qehost.events.codec import Record
from qehost.events.pipeline import Pipeline
from qehost.messages import Connected, Disconnected
from qehost.processes.account_api import account_api
from qehost.processes.control import ConnectionTask

__all__ = ["StreamClient"]

log = logging.getLogger("qehost.connection")

PATHS = {"v2": "/api/ws/v2", "v1": "/api/ws"}
BASELINE_WITHIN = 10.0
"""Seconds that the stream of a first start waits for how the orders stand; what takes longer is
read beside it."""
DRAIN_TIME = 2.0
"""Seconds within which what still lies on a stream that is to be closed is waited for."""

NEVER = float("inf")

Emit = Callable[[Sequence[Record]], None]


def _nothing(_: object) -> None:
    pass


def _with_outlook(error: Exception, outlook: str) -> str:
    """What went wrong, and the sentence that says what comes next, if any."""
    text = str(error)
    if outlook and not text.endswith((".", "?", "!")):
        text += "."
    return f"{text} {outlook}".rstrip()


class StreamClient:
    """`watch` and `unwatch` tell the loop which stream to wait for.

    `last_heard` (the venue's time, epoch ns; 0: never) is until when earlier processes heard the
    stream: what came since is read over REST after the first connection.  Where none did, or none
    learned how the orders stood when it began, that is read before it.
    """

    def __init__(
        self,
        task: ConnectionTask,
        tls: ssl.SSLContext,
        pipeline: Pipeline,
        emit: Emit,
        background: BackgroundCalls,
        watch: Callable[[Stream], None],
        unwatch: Callable[[Stream], object],
        last_heard: int,
    ) -> None:
        self.account = task.settings
        self.settings = task.connection
        self.tls = tls
        self.pipeline = pipeline
        self.emit = emit
        self.background = background
        self.watch = watch
        self.unwatch = unwatch
        self.clock = time.monotonic
        self.reconnects = 0
        """Ends of the stream that were told."""
        self.gave_up = ""
        """Why this connection is not tried any more; `""` while it is."""
        self.trouble = ""
        """The last error on the way to a connection; `""` where there is one."""

        given, rng = self.account.listen_key, random.Random()
        self.api = account_api(self.account, tls)
        self._venue_clock = self.api.venue_clock
        keys = ListenKeys(
            given.reveal() if given else "",
            can_make=self.api.has_credentials,
            may_replace=self.account.replace_listen_key,
            rng=rng,
        )
        if keys.warning:
            log.warning("%s", keys.warning)
        self.machine = StreamMachine(self.settings, keys, rng, self.clock())
        self.receiver = Receiver(pipeline, emit)
        can_read = self.api.has_credentials
        lacks_baseline = can_read and (not last_heard or pipeline.lacks_baseline)
        self._beginning = Beginning(pipeline, self._venue_clock, last_heard, may_read=can_read)
        self.recovery = Recovery(
            self.api, self.settings, pipeline, emit, self._tell, background, self._beginning
        )
        self.stream: Stream | None = None
        """The one that is read."""
        self._opened: Stream | None = None  # one that is not read yet
        self._was_up = False
        # The venue's time, epoch ns; 0: never.
        self._up_since = 0
        self._last_heard = last_heard
        self._baseline: Baseline | None = None
        if lacks_baseline:
            now = self.clock()
            self._baseline = Baseline(self.api, pipeline, emit, self._tell, background, now)
            self.machine.connect_from(now + BASELINE_WITHIN)
        self._key_asked_at = 0  # the first try to make a key since the stream opened
        # How much of the venue clock's `jumped`, `set_back` and `was_ahead` they take into account.
        self._corrected = (0.0, 0.0, 0.0)

    @property
    def status(self) -> str:
        """What `qehost status` shows: `connecting`, `connected` or `waiting`."""
        return self.machine.status

    @property
    def unread_since(self) -> int:
        """Since when REST is still to be asked, epoch ns; 0: it need not be.

        Before the first connection that is all since earlier processes heard the stream.
        """
        return self.recovery.unread_since if self._was_up else self._last_heard

    @property
    def heard_until(self) -> int:
        """Until when the stream was heard, by this process or before: the venue's time, epoch ns;
        0: never."""
        return self._last_heard

    # --- the loop calls --------------------------------------------------------------------

    def next_deadline(self) -> float:
        """When `keep_time` should be called at the latest (monotonic seconds)."""
        baseline = NEVER if self._baseline is None else self._baseline.next_deadline()
        machine = self.machine.next_deadline(self.clock())
        return min(machine, self.recovery.next_deadline(), baseline)

    def keep_time(self, now: float) -> None:
        """Do what is due.  The stream must have been read before: an answer may lie there."""
        self._correct_times()
        if self._baseline is not None and self._baseline.keep_time(now):
            self._take_baseline(self._baseline, now)
        self._act(now)
        if self.recovery.keep_time(now):
            error = ConnectionLost("the stream is mute: REST knows of events that it withheld")
            self.machine.ended(error, now)
            self._act(now)

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
            now = self.clock()
            self.machine.ended(error, now)
            self._act(now)
            return
        now = self.clock()
        if stream.bytes_received != before:
            self._correct_times()
            self._last_heard = int(self._venue_clock.at(now) * 1e9)
            self.machine.heard(now)
        self._take(items, received_at, now)

    def close(self, reason: str, timeout: float) -> None:
        """Close the socket in good order within `timeout` seconds; take what still comes in."""
        self.api.close()
        if self.stream is not None:
            self.unwatch(self.stream)
            before = self.stream.bytes_received
            self._take(self.stream.close(timeout=timeout), time.time_ns(), self.clock())
            if self.stream.bytes_received != before:  # otherwise it may have been mute for long
                self._correct_times()
                self._last_heard = self._venue_time()
            self.stream = None
            self._emit_disconnected(reason, NORMAL)
        elif self.machine.state is State.DRAINING:
            # What both streams held is read over REST by the next process: nothing was heard since.
            self._emit_disconnected(reason, NORMAL)
        elif self.machine.untold is not None:
            self._do(TellDisconnected(self.machine.untold), self.clock())
        if self._opened is not None:
            self._opened.abort()

    # --- the state machine asks ------------------------------------------------------------

    def _act(self, now: float) -> None:
        for action in self.machine.due(now):
            self._do(action, now)

    def _do(self, action: Action, now: float) -> None:
        match action:
            case MakeKey():
                self._key_asked_at = self._key_asked_at or self._venue_time()
                self.background.run(
                    "listen-key",
                    lambda: make_key(self.api, self.account.protocol),
                    lambda made: self.machine.key_made(made, self.clock()),
                    lambda error: self.machine.key_failed(error, self.clock()),
                )
            case Connect(key):
                # Beside it: if a clock was set, or the machine slept, that is measured by then.
                self.background.run("clock", self.api.clock_offset, _nothing, _nothing)
                self.background.run(
                    "connect",
                    lambda: self._open(key),
                    self._take_opened,
                    lambda error: self.machine.not_opened(error, self.clock()),
                )
            case DrainStream():
                self._drain_stream()
            case UseStream(attempt):
                self._use_opened(attempt, now)
            case CloseStream(at_once):
                self._close_stream(at_once)
            case SendPing():
                self._ping()
            case TellDisconnected(error, outlook):
                self.reconnects += 1
                log.warning("disconnected: %s", _with_outlook(error, outlook))
                self._emit_disconnected(str(error), error.close_code)
                self.trouble = str(error)
            case TellError(error, outlook):
                if self.stream is None:
                    self.trouble = str(error)
                self._tell(error, outlook)
            case WriteLog(text):
                log.info("%s", text)
            case GiveUp(reason):
                self.gave_up = reason

    def _open(self, key: Key) -> Stream:
        """Runs in a thread of its own."""
        url = f"{self.account.ws_url.rstrip('/')}{PATHS[self.account.protocol]}"
        return open_stream(
            f"{url}?{urlencode({'listen_key': key.text})}",
            timeout=self.settings.connect_timeout,
            tls=self.tls,
            proxy=self.account.proxy.reveal(),
            max_message=self.settings.max_message,
        )

    def _take_opened(self, stream: Stream) -> None:
        self._opened = stream
        now = self.clock()
        self.machine.opened(now)
        self._act(now)

    def _use_opened(self, attempt: int, now: float) -> None:
        self._correct_times()
        at = self._venue_time()
        self.stream, self._opened = self._opened, None
        assert self.stream
        self.trouble = ""
        self.watch(self.stream)
        if self._venue_clock.reachable():
            self.background.run("clock", self.api.clock_offset, _nothing, _nothing)
        is_first, self._was_up = not self._was_up, True
        unsure_since = self._beginning.opened(now)
        if is_first and self._baseline is not None:
            self._baseline.opened(now)
        down_since, self._last_heard = self._last_heard, at
        address = self.stream.address
        if attempt:
            log.info("connected to %s", address)
            message = Connected(address, attempt, down_since, at)
            self.emit([self.pipeline.connected(message, time.time_ns())])
            self._up_since = at
        else:
            log.info("connected to %s with a new listen key", address)
            # With the new key the old one may have ended, and the venue have left its connection
            # open, with answers to pings and without messages.
            down_since = min(down_since, self._key_asked_at or down_since)
        self._key_asked_at = 0
        # Subscribed first, now it is read what came before.
        self.recovery.opened(down_since or unsure_since, now, at)

    def _take_baseline(self, baseline: Baseline, now: float) -> None:
        """Plugins know how the orders stood."""
        self._baseline = None
        if not self._was_up:
            self.machine.connect_from(now)
        if missed := self._beginning.known_at(baseline.asked_at, baseline.inexact_by):
            self.recovery.missed(missed, now)

    def _drain_stream(self) -> None:
        def drained(items: Sequence[Item]) -> None:
            self._take(items, time.time_ns(), self.clock())
            now = self.clock()
            self.machine.drained(now)
            self._act(now)

        stream = self._unwatch_stream()
        self.background.run(
            "close", partial(stream.close, timeout=DRAIN_TIME), drained, lambda _: drained([])
        )

    def _close_stream(self, at_once: bool) -> None:
        stream = self._unwatch_stream()
        self.recovery.closed(self.clock())
        if at_once:
            stream.abort()
        else:
            # Closing over unread bytes would send a reset, which overtakes our close frame.
            self.background.run(
                "close", partial(stream.close, timeout=DRAIN_TIME), self._take_late, _nothing
            )

    def _take_late(self, items: Sequence[Item]) -> None:
        """What a stream that is of no use any more still brought."""
        # After messages of its successor it would be old news; REST is read for this time anyway.
        if self.stream is None:
            self._take(items, time.time_ns(), self.clock())

    def _unwatch_stream(self) -> Stream:
        stream, self.stream = self.stream, None
        assert stream
        self.unwatch(stream)
        return stream

    def _ping(self) -> None:
        assert self.stream
        if self.settings.heartbeat == "text":
            self.stream.send_text("ping")
        else:
            self.stream.send_ping()

    # --- time ------------------------------------------------------------------------------

    @property
    def clock_offset(self) -> int:
        """How much this machine's clock is behind the venue's, as far as is known; ns."""
        return self._venue_time() - time.time_ns()

    def _venue_time(self) -> int:
        """Epoch ns."""
        return int(self._venue_clock.now() * 1e9)

    def _correct_times(self) -> None:
        """Where the venue's time was not what it was taken for: what was noted may be wrong by so
        much, and earlier is on the safe side.

        To be called before a time is noted, too, which would be corrected again otherwise.
        """
        clock = self._venue_clock
        jumped, set_back = clock.jumped, clock.set_back
        before, corrected = self._corrected, (jumped, set_back, clock.was_ahead)
        if corrected == before:
            return
        self._corrected = corrected
        off_by = round((jumped - before[0]) * 1e9)
        if self._was_up:  # what an earlier process noted has nothing to do with it
            self._last_heard -= off_by
            self._key_asked_at -= off_by if self._key_asked_at else 0
        elif self._last_heard:
            # But where the venue's clock was set back meanwhile, that is what it showed then.
            self._last_heard -= round((set_back - before[1]) * 1e9)
        self._beginning.correct()
        self.recovery.correct(jumped)

    # --- events ----------------------------------------------------------------------------

    def _take(self, items: Sequence[Item], received_at: int, now: float) -> None:
        if self.receiver.take(items, received_at):
            self.machine.message_came()
            self.recovery.heard(now)

    def _emit_disconnected(self, reason: str, code: int) -> None:
        message = Disconnected(reason, code, self._up_since, self._last_heard)
        self.emit([self.pipeline.disconnected(message, time.time_ns())])

    def _tell(self, error: StreamError | None, outlook: str = "") -> None:
        """To the log, there with what comes next, and to `on_error`.

        A `GapError` is logged with all others of the pipeline.
        """
        if error is not None:
            if not isinstance(error, GapError):
                log.error("%s", _with_outlook(error, outlook))
            self.emit([self.pipeline.problem(error, time.time_ns())])
