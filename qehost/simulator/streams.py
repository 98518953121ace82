"""The open streams of a venue, what is sent over them, and the faults that meet them.

Everything here happens under one lock, the venue's; sending only fills outboxes, so it is short.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, TypeAlias

import msgspec
from websocket import STATUS_GOING_AWAY, STATUS_POLICY_VIOLATION

from qehost.simulator.accounts import Account
from qehost.simulator.connection import Connection
from qehost.simulator.encode import Form, pushes
from qehost.simulator.faults import Occasions
from qehost.simulator.orders import Update
from qehost.simulator.strikes import STREAM, shaped
from qehost.simulator.trouble import Trouble

__all__ = ["Protocol", "Sent", "Streams"]

Protocol: TypeAlias = Literal["v1", "v2", "mixed"]

_HOLD = 0.5  # seconds that a message waits at most for another one to overtake it


class Sent(NamedTuple):
    """One message that the venue sent, or would have sent if somebody had listened.

    `reached` is the number of connections; 0 and an `update` mean that only REST knows of it.
    """

    message_id: str
    text: str
    user_id: str
    update: Update | None
    reached: int


class _Message(NamedTuple):
    """One message on its way to some connections."""

    send: Callable[[Connection], None]
    listeners: list[Connection]


class _Held(NamedTuple):
    since: float  # on the monotonic clock
    messages: list[_Message]


class Streams:
    """`now_ms` is the venue's clock in epoch milliseconds; `sent` holds the last `remember`."""

    def __init__(
        self,
        lock: threading.RLock,
        trouble: Trouble,
        now_ms: Callable[[], int],
        *,
        protocol: Protocol,
        object_data: bool,
        remember: int,
    ) -> None:
        self.sent: deque[Sent] = deque(maxlen=remember)
        self._changed = threading.Condition(lock)
        self._trouble = trouble
        self._now_ms = now_ms
        self._protocol = protocol
        self._object_data = object_data
        self._connections: dict[Connection, Occasions] = {}
        self._held: dict[Account, _Held] = {}  # what waits for a later message to overtake it
        # Unique to the run, as the venue's are; the number behind it counts from 1.
        self._id_prefix = f"{now_ms():x}"
        self._number = 0

    def add(self, connection: Connection) -> None:
        now = time.monotonic()
        with self._changed:
            self._connections[connection] = self._trouble.stream(now)
            if self._trouble.openings.due(now):
                connection.close(STATUS_GOING_AWAY, "going away")
            self.end_invalid()  # the key may have been replaced during the handshake
            self._changed.notify_all()

    def remove(self, connection: Connection) -> None:
        with self._changed:
            del self._connections[connection]
            self._changed.notify_all()

    def open(self) -> list[Connection]:
        """Those that something sent now would reach, oldest first."""
        with self._changed:
            return [connection for connection in self._connections if connection.open]

    def wait(self, count: int, timeout: float) -> list[Connection]:
        """As `open`, once there are `count` of them; `TimeoutError` after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.open()) >= count, timeout):
                have = len(self.open())
                raise TimeoutError(f"{have} of {count} streams are open after {timeout} s")
            return self.open()

    def publish(self, account: Account, update: Update, *, push: bool) -> None:
        """Tells of an update in the form that each stream has."""
        self._number += 1
        faults = self._trouble.messages.due(time.monotonic()) if push else []
        groups: dict[Form, list[Connection]] = {}
        if push and "gap" not in faults:
            for connection in self.open():
                if connection.account is account:
                    groups.setdefault(self._form(connection.form), []).append(connection)
        message_id = f"{self._id_prefix}-{self._number}"
        user_id = account.user_id
        as_object = self._object_data and self._number % 2 == 0
        messages: list[_Message] = []
        for form, listeners in (groups or {self._form("v2"): []}).items():
            for each, text in pushes(update, message_id, user_id, form, as_object=as_object):
                messages.append(_Message(shaped(text, faults), listeners))
                self.sent.append(Sent(each, text.decode(), user_id, update, len(listeners)))
        self._deliver(account, messages, faults)

    def push(self, users: list[Account], text: bytes) -> int:
        """Sends exactly this text; gives the number of streams that it reaches."""
        faults = self._trouble.messages.due(time.monotonic())
        listeners = [connection for connection in self.open() if connection.account in users]
        if "gap" in faults:
            listeners = []
        user_id = users[0].user_id if len(users) == 1 else ""
        shown = text.decode(errors="replace")
        self.sent.append(Sent(_message_id(text), shown, user_id, None, len(listeners)))
        self._deliver(users[0], [_Message(shaped(text, faults), listeners)], faults)
        return len(listeners)

    def look_around(self) -> None:
        """What the clock alone brings about."""
        now = time.monotonic()
        self.end_invalid()
        for connection, occasions in self._connections.items():
            for name in occasions.due(now, chance=False):
                self.strike(connection, name)
        for account, held in list(self._held.items()):
            if now - held.since > _HOLD:
                self._deliver(account, [])

    def strike(self, connection: Connection, name: str) -> None:
        """Lets a fault of streams meet one of them."""
        if name == "takeover":
            connection.account.new_listen_key(self._now_ms(), self._trouble.key_lifetime)
            self.end_invalid()
        else:
            STREAM[name](connection)

    def end_invalid(self) -> None:
        """Ends the streams whose listen key is no longer valid."""
        if self._trouble.keep_old:
            return
        now_ms = self._now_ms()
        for connection in self._connections:
            if not connection.account.accepts(connection.listen_key, now_ms):
                replaced = connection.listen_key != connection.account.listen_key
                reason = "listen key replaced" if replaced else "listen key expired"
                connection.close(STATUS_POLICY_VIOLATION, reason)

    def _deliver(
        self, account: Account, messages: list[_Message], faults: Iterable[str] = ()
    ) -> None:
        """Sends messages, and after them what was held back before."""
        now = time.monotonic()
        held = self._held.pop(account, None)
        if held is not None:
            messages = messages + held.messages
        if "reorder" in faults:
            self._held[account] = _Held(now, messages)
            return
        for message in messages:
            for connection in message.listeners:
                message.send(connection)
                occasions = self._connections.get(connection)  # None: ended while it was held
                for name in occasions.due(now) if occasions else ():
                    self.strike(connection, name)

    def _form(self, asked: Form) -> Form:
        if self._protocol == "mixed":
            return "v1" if self._number % 2 else "v2"
        return "v1" if self._protocol == "v1" else asked


def _message_id(text: bytes) -> str:
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return str(message.get("messageId", "")) if isinstance(message, dict) else ""
