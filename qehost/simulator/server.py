"""The local venue: a living market behind one port that speaks REST and the push stream.

::

    with Venue(seed=1, rate=50) as venue:
        ...                       # venue.ws_url, venue.rest_url, venue.api_key, venue.api_secret

Threads: one for the market, one that accepts, and for each client a reader and a writer.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import msgspec
from websocket import STATUS_NORMAL, STATUS_POLICY_VIOLATION

from qehost.simulator.accounts import Account, Accounts
from qehost.simulator.connection import Connection, text_frame
from qehost.simulator.doors import Door
from qehost.simulator.encode import Form, pushes
from qehost.simulator.history import TimeFilter
from qehost.simulator.orders import Update
from qehost.simulator.refusal import Refused
from qehost.simulator.rest import Reply, Request, Rest, refusal

__all__ = ["Protocol", "Seen", "Sent", "Venue"]

Protocol: TypeAlias = Literal["v1", "v2", "mixed"]

_BEAT = 0.002  # seconds between two bursts of the market at a high rate
_IDLE = 0.05  # seconds between two looks at the clock
_BURST = 1_000  # updates at most in one of them, after a stall


class Sent(NamedTuple):
    """One message that the venue sent, or would have sent if somebody had listened.

    `reached` is the number of connections; 0 and an `update` mean that only REST knows of it.
    """

    message_id: str
    text: str
    user_id: str
    update: Update | None
    reached: int


class Seen(NamedTuple):
    """One HTTP request that was answered; status 101 is a stream that opened."""

    at: float  # on the monotonic clock
    method: str
    path: str
    status: int


class Venue:
    """A venue with `accounts` users, each with credentials, a listen key and a market of its own.

    `seed` makes the market and the credentials; `rate` is messages/s for each user, 0 for a market
    that moves by `step` alone; `port` 0 takes a free one.  `protocol`: with `v2` each path has its
    form, V2 at `/api/ws/v2` and V1 at `/api/ws`; with `v1` both have V1; with `mixed` the two forms
    take turns on both.  `object_data` sends every second `data` as an object in place of a string.
    `time_filter`: see `History`.  `clock` gives epoch seconds.  `sent` and `requests` hold the last
    `remember` entries.

    A context manager; all methods may be called from any thread.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        rate: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        protocol: Protocol = "v2",
        accounts: int = 1,
        object_data: bool = False,
        time_filter: TimeFilter = "updated",
        clock: Callable[[], float] = time.time,
        remember: int = 100_000,
    ) -> None:
        self.rate = rate
        self.sent: deque[Sent] = deque(maxlen=remember)
        self.requests: deque[Seen] = deque(maxlen=remember)
        self._protocol = protocol
        self._object_data = object_data
        self._clock = clock
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._connections: list[Connection] = []
        self._changed = threading.Condition(self._lock)
        now_ms = self.now_ms()
        self.accounts = Accounts(
            Account(seed, index, now_ms, time_filter) for index in range(accounts)
        )
        self._rest = Rest(self.accounts)
        # Unique to the run, as the venue's are; the number behind it counts from 1.
        self._id_prefix = f"{now_ms:x}"
        self._number = 0
        self._door = Door((host, port), self)
        self._market = threading.Thread(target=self._trade, name="venue market", daemon=True)

    def start(self) -> None:
        self._door.open()
        self._market.start()

    def stop(self) -> None:
        """Ends every connection and every thread."""
        self._stopping.set()
        if self._market.is_alive():
            self._market.join()
        self._door.shut()

    def __enter__(self) -> Venue:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._door.server_address[:2]
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
    def connections(self) -> list[Connection]:
        """The streams that are open, oldest first."""
        with self._lock:
            return self._open()

    def wait_connected(self, count: int = 1, timeout: float = 10.0) -> list[Connection]:
        """Waits until at least `count` streams are open; `TimeoutError` after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._open()) >= count, timeout):
                have = len(self._open())
                raise TimeoutError(f"{have} of {count} streams are open after {timeout} s")
            return self._open()

    def now_ms(self) -> int:
        """The venue's clock: epoch milliseconds."""
        return round(self._clock() * 1000)

    def new_listen_key(self, account: int = 0, lifetime: float | None = None) -> str:
        """A new listen key, as if asked for over REST: the one before it ends.

        `lifetime` in seconds; left out it is that of REST.
        """
        with self._lock:
            user = self.accounts[account]
            key = user.new_listen_key(self.now_ms(), lifetime or self._rest.key_lifetime)
            self._end_invalid()
        return key

    def push(self, text: str | bytes, account: int | None = None) -> int:
        """Sends exactly this text, to one user or to all; gives the number of connections."""
        data = text.encode() if isinstance(text, str) else text
        frame = text_frame(data)
        with self._lock:
            reached = 0
            for connection in self._open():
                if account is None or connection.account is self.accounts[account]:
                    connection.send(frame)
                    reached += 1
            shown = data.decode(errors="replace")
            user_id = "" if account is None else self.accounts[account].user_id
            self.sent.append(Sent(_message_id(data), shown, user_id, None, reached))
        return reached

    def step(self, count: int = 1, *, push: bool = True, account: int = 0) -> list[Update]:
        """The market's next `count` updates.  Without `push` only REST knows of them."""
        user = self.accounts[account]
        with self._lock:
            updates = [user.market.step(self.now_ms()) for _ in range(count)]
            for update in updates:
                self._publish(user, update, push=push)
        return updates

    def publish(self, update: Update, *, push: bool = True, account: int = 0) -> None:
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
            match how:
                case "close":
                    connection.close(code, reason)
                case "end":
                    connection.end()
                case "reset":
                    connection.reset()
        return len(connections)

    # --- what the door asks -----------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        with self._lock:
            reply = self._rest.answer(request, self.now_ms())
            if reply.account is not None:
                for update in reply.account.market.drain():
                    self._publish(reply.account, update)
                self._end_invalid()
        return reply

    def admit(self, listen_key: str) -> Account:
        with self._lock:
            account = self.accounts.by_listen_key(listen_key, self.now_ms())
        if account is None:
            raise Refused(401, "LISTEN_KEY_INVALID", "the listen key is unknown or has expired")
        return account

    def refuse(self, refused: Refused) -> Reply:
        return refusal(refused, self.now_ms())

    def opened(self, connection: Connection) -> None:
        with self._changed:
            self._connections.append(connection)
            self._end_invalid()  # the key may have been replaced during the handshake
            self._changed.notify_all()

    def ended(self, connection: Connection) -> None:
        with self._changed:
            self._connections.remove(connection)
            self._changed.notify_all()

    def seen(self, method: str, path: str, status: int) -> None:
        self.requests.append(Seen(time.monotonic(), method, path, status))

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
                        self._publish(account, account.market.step(self.now_ms()))
                self._end_invalid()
            done += due
            next_due = (done + 1) / self.rate - elapsed if self.rate else _IDLE
            wait = min(max(next_due, _BEAT), _IDLE)

    def _publish(self, account: Account, update: Update, *, push: bool = True) -> None:
        account.history.record(update)
        self._number += 1
        groups: dict[Form, list[Connection]] = {}
        if push:
            for connection in self._open():
                if connection.account is account:
                    groups.setdefault(self._form(connection.form), []).append(connection)
        message_id = f"{self._id_prefix}-{self._number}"
        as_object = self._object_data and self._number % 2 == 0
        for form, listeners in (groups or {self._form("v2"): []}).items():
            for each, text in pushes(
                update, message_id, account.user_id, form, as_object=as_object
            ):
                frame = text_frame(text)
                for connection in listeners:
                    connection.send(frame)
                self.sent.append(Sent(each, text.decode(), account.user_id, update, len(listeners)))

    def _open(self) -> list[Connection]:
        return [connection for connection in self._connections if connection.open]

    def _form(self, asked: Form) -> Form:
        if self._protocol == "mixed":
            return "v1" if self._number % 2 else "v2"
        return "v1" if self._protocol == "v1" else asked

    def _end_invalid(self) -> None:
        """Ends the streams whose listen key is no longer valid."""
        now_ms = self.now_ms()
        for connection in self._connections:
            if not connection.account.accepts(connection.listen_key, now_ms):
                replaced = connection.listen_key != connection.account.listen_key
                reason = "listen key replaced" if replaced else "listen key expired"
                connection.close(STATUS_POLICY_VIOLATION, reason)


def _message_id(data: bytes) -> str:
    try:
        message = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return str(message.get("messageId", "")) if isinstance(message, dict) else ""
