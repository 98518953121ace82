"""The local venue: a simulated market, and one port for REST and the push stream.

::

    with Venue(seed=1, rate=50) as venue:
        ...                       # venue.ws_url, venue.rest_url, venue.api_key, venue.api_secret

Threads: one for the market, one that accepts, and for each client a reader and a writer.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from websocket import STATUS_NORMAL

from qehost.simulator.accounts import Account, AccountList
from qehost.simulator.connection import ClientConnection
from qehost.simulator.encode import MessageVersion
from qehost.simulator.fault_injector import FaultInjector, refusal_by
from qehost.simulator.faults import KINDS, Fault, parse
from qehost.simulator.history import TimeFilter
from qehost.simulator.http_server import HttpServer
from qehost.simulator.orders import OrderUpdate
from qehost.simulator.refusal import LostAnswer, RestRefusal
from qehost.simulator.rest import Rest, RestReply, RestRequest, refusal
from qehost.simulator.streams import SentMessage, StreamProtocol, Streams

__all__ = ["SeenRequest", "SentMessage", "StreamProtocol", "Venue"]

_BEAT = 0.002  # seconds between two bursts of the market at a high rate
_IDLE = 0.05  # seconds between two looks at the clock
_BURST = 1_000  # updates at most in one burst, after a stall
_LATE = 2.0  # seconds until an answer that comes late
_DELAYED = 1.0  # seconds until a call that is carried out late


class SeenRequest(NamedTuple):
    """One HTTP request; status 101 is a stream that opened, 0 a request that gets no answer."""

    at: float  # on the monotonic clock
    method: str
    path: str
    status: int


class Venue:
    """A venue with `accounts` users, each with credentials, a listen key and a market of its own.

    `seed` makes the market and the credentials; `rate` is updates/s for each user, 0 for a market
    that moves by `step` alone; `port` 0 takes a free one.  `protocol`: with `v2` each path has its
    form, V2 at `/api/ws/v2` and V1 at `/api/ws`; with `v1` both have V1; with `mixed` the two forms
    take turns on both.  `object_data` sends every second `data` as an object in place of a string.
    `time_filter`: see `History`.  `faults`: see `faults.parse`, whose ValueError may come from
    here.  `clock` gives epoch seconds.  `sent` and `requests` hold the last `remember` entries.

    A context manager; all methods may be called from any thread.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        rate: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        protocol: StreamProtocol = "v2",
        accounts: int = 1,
        object_data: bool = False,
        time_filter: TimeFilter = "updated",
        faults: Iterable[str | Fault] = (),
        clock: Callable[[], float] = time.time,
        remember: int = 100_000,
    ) -> None:
        parsed = [parse(each) if isinstance(each, str) else each for each in faults]
        self.rate = rate
        self._requests: deque[SeenRequest] = deque(maxlen=remember)
        self._clock = clock
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._faults = FaultInjector(parsed, seed, time.monotonic())
        now_ms = self.now_ms()
        self.accounts = AccountList(
            Account(seed, index, now_ms, time_filter) for index in range(accounts)
        )
        self._rest = Rest(self.accounts)
        self._streams = Streams(
            self._lock,
            self._faults,
            self.now_ms,
            protocol=protocol,
            object_data=object_data,
            remember=remember,
        )
        self._http_server = HttpServer((host, port), self)
        self._market = threading.Thread(target=self._trade, name="venue market", daemon=True)

    def start(self) -> None:
        self._http_server.open()
        self._market.start()

    def stop(self) -> None:
        """Ends every connection and every thread."""
        self._stopping.set()
        if self._market.is_alive():
            self._market.join()
        self._http_server.shut()

    def __enter__(self) -> Venue:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- for tests and the command line -----------------------------------------------------

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._http_server.server_address[:2]
        return f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.address}"

    @property
    def rest_url(self) -> str:
        return f"http://{self.address}"

    @property
    def api_key(self) -> str:
        """The first user's."""
        return self.accounts[0].api_key

    @property
    def api_secret(self) -> str:
        """The first user's."""
        return self.accounts[0].api_secret

    @property
    def connections(self) -> list[ClientConnection]:
        """The streams that a message sent now would reach, oldest first."""
        return self._streams.open()

    @property
    def sent(self) -> list[SentMessage]:
        """The messages sent so far, in order, also those that reached no stream."""
        # A copy, because others go on sending while the caller goes through it.
        return list(self._streams.sent)

    @property
    def requests(self) -> list[SeenRequest]:
        """The requests answered so far, in order."""
        return list(self._requests)

    def wait_connected(self, count: int = 1, timeout: float = 60.0) -> list[ClientConnection]:
        """Waits until at least `count` streams are open; `TimeoutError` after `timeout` seconds."""
        return self._streams.wait(count, timeout)

    def now_ms(self) -> int:
        """The venue's clock: epoch milliseconds."""
        return round((self._clock() + self._faults.clock_offset) * 1000)

    def new_listen_key(self, account: int = 0, lifetime: float | None = None) -> str:
        """A new listen key, as if asked for over REST: the one before it ends.

        `lifetime` in seconds; left out it is that of REST.
        """
        with self._lock:
            lifetime = lifetime or self._faults.rest_form.key_lifetime
            key = self.accounts[account].new_listen_key(self.now_ms(), lifetime)
            self._streams.end_invalid()
        return key

    def push(self, text: str | bytes, account: int | None = None) -> int:
        """Sends exactly this text, to one user or to all; gives the number of streams reached."""
        data = text.encode() if isinstance(text, str) else text
        with self._lock:
            users = self.accounts if account is None else [self.accounts[account]]
            return self._streams.push(users, data)

    def step(self, count: int = 1, *, push: bool = True, account: int = 0) -> list[OrderUpdate]:
        """The market's next `count` updates.  Without `push` only REST knows of them."""
        user = self.accounts[account]
        with self._lock:
            updates = [self._update(user) for _ in range(count)]
            for update in updates:
                self._publish(user, update, push=push)
        return updates

    def publish(self, update: OrderUpdate, *, push: bool = True, account: int = 0) -> None:
        """An update that is not the market's.  Without `push` only REST knows of it."""
        with self._lock:
            self._publish(self.accounts[account], update, push=push)

    def drop(
        self,
        how: Literal["close", "end", "reset"] = "close",
        code: int = STATUS_NORMAL,
        reason: str = "",
    ) -> int:
        """Ends every stream: by a close frame, an end of file, or a reset.  Gives their number."""
        connections = self.connections
        for connection in connections:
            if how == "close":
                connection.close(code, reason)
            else:
                self._streams.apply_fault(connection, how)
        return len(connections)

    def inject(self, fault: str, times: int = 1) -> None:
        """Apply a fault, whatever its WHEN is.

        A fault of streams affects all that are open, now; one of messages or requests the next
        `times` of them; a state of the venue lasts from now on, and `expire-key` without a value
        ends the existing keys.  `clock-step` and `restart` happen once, now.
        """
        parsed = parse(fault)
        with self._lock:
            if fault == "expire-key":
                for account in self.accounts:
                    account.expire_at_ms = min(account.expire_at_ms, self.now_ms())
                self._streams.end_invalid()
            elif "stream" in KINDS[parsed.name].groups:
                for connection in self.connections:
                    self._streams.apply_fault(connection, parsed.name)
            elif parsed.name == "clock-step":
                self._faults.step_clock(parsed.value or 0.0)
            elif parsed.name == "restart":
                self._streams.restart()
            else:
                self._faults.set(parsed)
                self._faults.inject(parsed.name, times)

    def withdraw(self, fault: str) -> None:
        """End an injected fault of messages or requests before all its times are over."""
        with self._lock:
            self._faults.withdraw(fault)

    # --- for the HTTP server ----------------------------------------------------------------

    def answer(self, request: RestRequest) -> RestReply:
        with self._lock:
            try:
                spoiled = self._faults.call(time.monotonic())
            except RestRefusal as refused:
                return self.refuse(refused)
        if spoiled == "delayed":
            raise LostAnswer(_DELAYED)
        reply = self.carry_out(request)
        if spoiled == "lost":
            raise LostAnswer
        if spoiled == "late":
            self._stopping.wait(_LATE)
        if spoiled == "done-500":
            return self.refuse(refusal_by("500"))
        return reply

    def carry_out(self, request: RestRequest) -> RestReply:
        with self._lock:
            self._rest.form = self._faults.rest_form
            reply = self._rest.answer(request, self.now_ms())
            if reply.acted_on is not None:  # its updates are pushed at once
                for update in reply.acted_on.market.drain():
                    self._publish(reply.acted_on, update)
            self._streams.end_invalid()
        return reply

    def admit(self, listen_key: str) -> Account:
        with self._lock:
            refuse_key = self._faults.handshake(time.monotonic())
            account = self.accounts.by_listen_key(listen_key, self.now_ms())
            if refuse_key and account is not None:
                account.listen_key = ""
                account = None
        if account is None:
            raise RestRefusal(401, "LISTEN_KEY_INVALID", "the listen key is unknown or has expired")
        return account

    def refuse(self, refused: RestRefusal) -> RestReply:
        return refusal(refused, self.now_ms())

    def open(
        self,
        account: Account,
        listen_key: str,
        form: MessageVersion,
        sock: socket.socket,
        read: Callable[[int], bytes],
    ) -> ClientConnection:
        pause = self._faults.write_pause
        connection = ClientConnection(account, listen_key, form, sock, read, pause)
        self._streams.add(connection)
        return connection

    def ended(self, connection: ClientConnection) -> None:
        self._streams.remove(connection)

    def seen(self, method: str, path: str, status: int) -> None:
        self._requests.append(SeenRequest(time.monotonic(), method, path, status))

    # --- the market -------------------------------------------------------------------------

    def _trade(self) -> None:
        begun, done = time.monotonic(), 0
        wait = 0.0
        while not self._stopping.wait(wait):
            elapsed = time.monotonic() - begun
            due = int(elapsed * self.rate) - done
            with self._lock:
                for _ in range(min(due, _BURST)):
                    for account in self.accounts:
                        self._publish(account, self._update(account))
                if self._faults.restarts(time.monotonic()):
                    self._streams.restart()
                for name in self._faults.random(time.monotonic()):
                    self.inject(name)
                self._streams.tick()
            done += due
            next_due = (done + 1) / self.rate - elapsed if self.rate else _IDLE
            wait = min(max(next_due, _BEAT), _IDLE)

    def _update(self, account: Account) -> OrderUpdate:
        """The market's next."""
        now_ms, market = self.now_ms(), account.market
        market.resting_ms = round(self._faults.resting * 1000)
        if self._faults.market.due(time.monotonic()):
            market.amend(now_ms)
        return market.step(now_ms)

    def _publish(self, account: Account, update: OrderUpdate, *, push: bool = True) -> None:
        account.history.record(update)
        self._streams.publish(account, update, push=push)
