"""The open streams of a venue, what is sent over them, and their faults.

Everything is done under the venue's lock, but not for long, since sending only fills outboxes.
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
from qehost.simulator.connection import ClientConnection
from qehost.simulator.encode import MessageVersion, pushes
from qehost.simulator.fault_frames import STREAM, shaped
from qehost.simulator.fault_injector import FaultInjector
from qehost.simulator.faults import FaultSchedule
from qehost.simulator.orders import OrderUpdate

__all__ = ["SentMessage", "StreamProtocol", "Streams"]

StreamProtocol: TypeAlias = Literal["v1", "v2", "mixed"]

_HOLD = 0.5  # seconds that a message is held at most until another one is sent before it


class SentMessage(NamedTuple):
    """One message that the venue sent, or would have sent to an open stream.

    `reached` is the number of connections; 0 and an `update` mean that only REST knows of it.
    """

    message_id: str
    text: str
    user_id: str
    update: OrderUpdate | None
    reached: int


class _Outgoing(NamedTuple):
    """One message on its way to some connections."""

    send: Callable[[ClientConnection], None]
    listeners: list[ClientConnection]


class _Held(NamedTuple):
    since: float  # on the monotonic clock
    messages: list[_Outgoing]


class Streams:
    """`now_ms` is the venue's clock in epoch milliseconds; `sent` holds the last `remember`."""

    def __init__(
        self,
        lock: threading.RLock,
        faults: FaultInjector,
        now_ms: Callable[[], int],
        *,
        protocol: StreamProtocol,
        object_data: bool,
        remember: int,
    ) -> None:
        self.sent: deque[SentMessage] = deque(maxlen=remember)
        self._changed = threading.Condition(lock)
        self._faults = faults
        self._now_ms = now_ms
        self._protocol = protocol
        self._object_data = object_data
        self._connections: dict[ClientConnection, FaultSchedule] = {}
        self._held: dict[Account, _Held] = {}  # messages to be sent after a later one
        # Message ids are unique to the run, as the venue's are; the number after it counts from 1.
        self._id_prefix = f"{now_ms():x}"
        self._number = 0

    def add(self, connection: ClientConnection) -> None:
        now = time.monotonic()
        with self._changed:
            self._connections[connection] = self._faults.stream(now)
            if self._faults.openings.due(now):
                connection.close(STATUS_GOING_AWAY, "going away")
            self.end_invalid()  # the key may have been replaced during the handshake
            self._changed.notify_all()

    def remove(self, connection: ClientConnection) -> None:
        with self._changed:
            del self._connections[connection]
            self._changed.notify_all()

    def open(self) -> list[ClientConnection]:
        """The streams that a message sent now would reach, oldest first."""
        with self._changed:
            return [connection for connection in self._connections if connection.open]

    def wait(self, count: int, timeout: float) -> list[ClientConnection]:
        """As `open`, once there are `count` of them; `TimeoutError` after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.open()) >= count, timeout):
                have = len(self.open())
                raise TimeoutError(f"{have} of {count} streams are open after {timeout} s")
            return self.open()

    def restart(self) -> None:
        """Ends every stream, as a process that ends does; the message ids begin anew."""
        self._number = 0
        for connection in self._connections:
            connection.end()

    def publish(self, account: Account, update: OrderUpdate, *, push: bool) -> None:
        """Sends an update to each stream in the version that it has."""
        self._number += 1
        faults = self._faults.messages.due(time.monotonic()) if push else []
        groups: dict[MessageVersion, list[ClientConnection]] = {}
        if push and "gap" not in faults:
            for connection in self.open():
                if connection.account is account:
                    groups.setdefault(self._form(connection.form), []).append(connection)
        message_id = f"{self._id_prefix}-{self._number}"
        user_id = account.user_id
        as_object = self._object_data and self._number % 2 == 0
        messages: list[_Outgoing] = []
        for form, listeners in (groups or {self._form("v2"): []}).items():
            for each, text in pushes(update, message_id, user_id, form, as_object=as_object):
                messages.append(_Outgoing(shaped(text, faults), listeners))
                self.sent.append(SentMessage(each, text.decode(), user_id, update, len(listeners)))
        self._deliver(account, messages, faults)

    def push(self, users: list[Account], text: bytes) -> int:
        """Sends exactly this text; gives the number of streams that it reaches."""
        faults = self._faults.messages.due(time.monotonic())
        listeners = [connection for connection in self.open() if connection.account in users]
        if "gap" in faults:
            listeners = []
        user_id = users[0].user_id if len(users) == 1 else ""
        shown = text.decode(errors="replace")
        self.sent.append(SentMessage(_message_id(text), shown, user_id, None, len(listeners)))
        self._deliver(users[0], [_Outgoing(shaped(text, faults), listeners)], faults)
        return len(listeners)

    def tick(self) -> None:
        """Does what is due by the clock: ends streams, applies faults, sends what was held."""
        now = time.monotonic()
        self.end_invalid()
        for connection, schedule in self._connections.items():
            for name in schedule.due(now, chance=False):
                self.apply_fault(connection, name)
        for account, held in list(self._held.items()):
            if now - held.since > _HOLD:
                self._deliver(account, [])

    def apply_fault(self, connection: ClientConnection, name: str) -> None:
        """Applies a fault of streams to one of them."""
        if name == "takeover":
            connection.account.new_listen_key(self._now_ms(), self._faults.rest_form.key_lifetime)
            self.end_invalid()
        else:
            STREAM[name](connection)

    def end_invalid(self) -> None:
        """Ends the streams whose listen key is no longer valid."""
        if self._faults.keep_old:
            return
        now_ms = self._now_ms()
        for connection in self._connections:
            if not connection.account.accepts(connection.listen_key, now_ms):
                replaced = connection.listen_key != connection.account.listen_key
                reason = "listen key replaced" if replaced else "listen key expired"
                connection.close(STATUS_POLICY_VIOLATION, reason)

    def _deliver(
        self, account: Account, messages: list[_Outgoing], faults: Iterable[str] = ()
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
                schedule = self._connections.get(connection)  # None: ended while it was held
                for name in schedule.due(now) if schedule else ():
                    self.apply_fault(connection, name)

    def _form(self, asked: MessageVersion) -> MessageVersion:
        if self._protocol == "mixed":
            return "v1" if self._number % 2 else "v2"
        return "v1" if self._protocol == "v1" else asked


def _message_id(text: bytes) -> str:
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return str(message.get("messageId", "")) if isinstance(message, dict) else ""
