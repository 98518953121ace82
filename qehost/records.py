"""Events as they travel between the processes and stand in the journal.  No I/O.

What the venue sent stands there as it came, once: a text says all that its event says.  It has been
decoded by then, so that what can't be read, or came before, is known; the event is built from it
where it is needed, and there may be any number of such places, or none.  A fill that the text of a
child order brings is kept as what was filled before.  Everything else is an event as it is.

So a message costs the process that receives it little, the journal and the queue carry half of what
they would carry with the events, and no digit of the venue's is lost on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import NoneType
from typing import Any, TypeAlias

import msgspec

from qehost import wire
from qehost.errors import DecodeError, VenueError, to_problem
from qehost.fills import Before, derive, fill_message
from qehost.messages import (
    AnyEvent,
    ErrorEvent,
    FillEvent,
    FillMessage,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderEvent,
    OrderMessage,
    StatusEvent,
    UnknownEvent,
)
from qehost.wire.shapes import Unreadable, V2Order

__all__ = [
    "Record",
    "Texts",
    "decode_events",
    "decode_records",
    "derived_event",
    "encode_events",
    "expand",
    "first_seq",
    "last_seq",
]


class Texts(msgspec.Struct, frozen=True, array_like=True, gc=False, tag_field="kind", tag="texts"):
    """Messages of the stream that came together, one event each.

    A `Before` stands for the fill that the text in front of it brings: an event of its own.
    """

    first_seq: int
    account: str
    received_at: int
    """Epoch ns."""
    texts: list[str | Before]


Record: TypeAlias = AnyEvent | Texts

encode_events = msgspec.msgpack.Encoder().encode
"""Records or events → the bytes that travel in the queue and stand in the journal."""

decode_records = msgspec.msgpack.Decoder(list[Record]).decode
"""The reverse of `encode_events`.  Raises msgspec.DecodeError."""


def decode_events(data: bytes) -> list[AnyEvent]:
    """The events in what `encode_events` made.  Raises msgspec.DecodeError."""
    return expand(decode_records(data))


def expand(records: Iterable[Record]) -> list[AnyEvent]:
    """The events of records, in their order."""
    events: list[AnyEvent] = []
    for record in records:
        if isinstance(record, Texts):
            _expand(record, events)
        else:
            events.append(record)
    return events


def first_seq(record: Record) -> int:
    """The number of its first event."""
    return record.first_seq if isinstance(record, Texts) else record.seq


def last_seq(record: Record) -> int:
    """The number of its last event."""
    if isinstance(record, Texts):
        return record.first_seq + len(record.texts) - 1
    return record.seq


def _expand(record: Texts, events: list[AnyEvent]) -> None:
    seq, account, at = record.first_seq, record.account, record.received_at
    text = ""
    decoded: wire.Decoded | None = None
    for item in record.texts:
        try:
            if isinstance(item, str):
                text = item
                decoded = wire.decode(text)
                event = _stream_event(decoded, seq, account, at, text)
            else:
                event = derived_event(decoded, item, seq, account, at, text)
        except DecodeError as error:
            # What could be read when it came can be read again, but by another version perhaps not.
            problem = to_problem(error)
            event = ErrorEvent(seq, account, "", at, "stream", False, text, problem)
        except Unreadable as error:
            problem = to_problem(wire.unreadable(error, text))
            event = ErrorEvent(seq, account, "", at, "stream", False, text, problem)
        events.append(event)
        seq += 1


_EVENTS: dict[type, Any] = {
    MasterOrderMessage: MasterOrderEvent,
    OrderMessage: OrderEvent,
    FillMessage: FillEvent,
    NoneType: UnknownEvent,
}


def _stream_event(
    decoded: wire.Decoded | None, seq: int, account: str, at: int, text: str
) -> AnyEvent:
    if decoded is None:
        raise DecodeError("$: no message", text, "$")
    message: Any = decoded.message
    if type(message) is not str:
        event_type = _EVENTS[type(message)]
    elif decoded.type == "status":
        event_type = StatusEvent
    else:
        event_type = ErrorEvent
        message = to_problem(VenueError(message))
    event: AnyEvent = event_type(
        seq, account, decoded.message_id, at, "stream", False, text, message
    )
    return event


def derived_event(
    decoded: wire.Decoded | None, before: Before, seq: int, account: str, at: int, text: str
) -> FillEvent:
    """The fill that a V2 child order brings, with `text` as its raw text; `at` is epoch ns.

    Raises DecodeError for anything but a V2 child order, Unreadable as `derive`.
    """
    if decoded is None or not isinstance(decoded.shape, V2Order):
        raise DecodeError("$.data: no child order of which a fill could be derived", text, "$.data")
    message: Any = decoded.message
    fill = derive(message, decoded.shape, before)
    return FillEvent(
        seq, account, decoded.message_id, at, "derived", False, text, fill_message(fill), fill
    )
