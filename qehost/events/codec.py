"""Events as they travel between the processes and stand in the journal.  No I/O.

What the venue sent stands there as it came, once: a text says all that its event says.  It has been
decoded by then, so that what can't be read, or came before, is known; the event is built from it
where it is needed, and there may be any number of such places, or none.  A fill that the text of a
child order brings is kept as what was filled before.  Everything else is an event as it is.

So a message costs the process that receives it little, the journal and the queue carry half of what
they would carry with the events, and no digit of the venue's is lost on the way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from types import NoneType
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import force_setattr

from qehost.errors import DecodeError, VenueError
from qehost.events import wire
from qehost.events.fills import CumulativeFill, derive
from qehost.events.problems import to_problem
from qehost.events.wire.v2 import V2Order
from qehost.events.wire.values import Unreadable
from qehost.messages import (
    AnyEvent,
    ErrorEvent,
    EventKind,
    FillEvent,
    FillMessage,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderEvent,
    OrderMessage,
    StatusEvent,
    UnknownEvent,
)

__all__ = [
    "RawBatch",
    "Record",
    "decode_events",
    "decode_kinds",
    "decode_records",
    "derived_event",
    "encode_events",
    "expand",
    "first_seq",
    "join_batches",
    "last_seq",
    "stream_event",
]


class RawBatch(
    msgspec.Struct, frozen=True, array_like=True, gc=False, tag_field="kind", tag="texts"
):
    """Messages of the stream that came together, one event each.

    A `CumulativeFill` stands for the fill that the text in front of it brings: an event of its own.
    """

    first_seq: int
    account: str
    received_at: int
    """Epoch ns."""
    texts: list[str | CumulativeFill]


Record: TypeAlias = AnyEvent | RawBatch

encode_events = msgspec.msgpack.Encoder().encode
"""Records or events → the bytes that travel in the queue and stand in the journal."""

decode_records = msgspec.msgpack.Decoder(list[Record]).decode
"""The reverse of `encode_events`.  Raises msgspec.DecodeError."""


def decode_events(data: bytes, journal_id: str = "") -> list[AnyEvent]:
    """The events in what `encode_events` made; `journal_id` is that of the file that they stand in,
    or of the queue.  Raises msgspec.DecodeError."""
    return expand(decode_records(data), journal_id)


def decode_kinds(data: bytes, journal_id: str, kinds: Collection[EventKind]) -> list[AnyEvent]:
    """As `decode_events`, the events of these kinds alone.

    Of a text that is certainly of another kind no event is made, which is a third of the price.
    """
    events: list[AnyEvent] = []
    for record in decode_records(data):
        if not isinstance(record, RawBatch):
            if record.kind in kinds:
                events += expand((record,), journal_id)
        elif wanted := _wanted(record, kinds):
            made: list[AnyEvent] = []
            _expand(wanted, made, journal_id)
            events += [event for event in made if event.kind in kinds]
    return events


def _wanted(record: RawBatch, kinds: Collection[EventKind]) -> RawBatch | None:
    """The record, without texts at its ends that hold no such event; None: none does."""
    texts, with_fills = record.texts, "fill" in kinds
    wanted = [
        place
        for place, item in enumerate(texts)
        if (with_fills if not isinstance(item, str) else wire.kind_at_sight(item) in (None, *kinds))
    ]
    if not wanted:
        return None
    start = wanted[0]
    while not isinstance(texts[start], str):
        start -= 1  # a fill is made of the text before it
    stop = wanted[-1] + 1
    if stop - start == len(texts):
        return record
    return RawBatch(record.first_seq + start, record.account, record.received_at, texts[start:stop])


def expand(records: Iterable[Record], journal_id: str = "") -> list[AnyEvent]:
    """The events of records, in their order.

    Without a `journal_id` a record that is an event keeps its own, as in a dead letter.
    """
    events: list[AnyEvent] = []
    for record in records:
        if isinstance(record, RawBatch):
            _expand(record, events, journal_id)
        else:
            if journal_id:
                # It was made by this call's caller, and is not shared yet.
                force_setattr(record, "journal_id", journal_id)
            events.append(record)
    return events


def join_batches(batches: Sequence[bytes]) -> bytes:
    """The bytes of the records of all of these, one behind the other."""
    count, bodies = 0, [b""]
    for batch in batches:
        first = batch[0]
        if 0x90 <= first <= 0x9F:
            count += first & 0xF
            bodies.append(batch[1:])
        else:
            size = 3 if first == 0xDC else 5
            count += int.from_bytes(batch[1:size], "big")
            bodies.append(batch[size:])
    bodies[0] = b"\xdd" + count.to_bytes(4, "big")
    return b"".join(bodies)


def first_seq(record: Record) -> int:
    """The number of its first event."""
    return record.first_seq if isinstance(record, RawBatch) else record.seq


def last_seq(record: Record) -> int:
    """The number of its last event."""
    if isinstance(record, RawBatch):
        return record.first_seq + len(record.texts) - 1
    return record.seq


def _expand(record: RawBatch, events: list[AnyEvent], journal_id: str) -> None:
    seq, account, at = record.first_seq, record.account, record.received_at
    text = ""
    decoded: wire.Decoded | None = None
    for item in record.texts:
        try:
            if isinstance(item, str):
                text = item
                decoded = wire.decode(text)
                event = stream_event(decoded, seq, account, at, text, journal_id)
            else:
                event = derived_event(decoded, item, seq, account, at, text, journal_id)
        except DecodeError as error:
            # What could be read when it came can be read again, but by another version perhaps not.
            event = _unreadable(error, seq, account, at, text, journal_id)
        except Unreadable as error:
            problem = wire.unreadable(error, text)
            event = _unreadable(problem, seq, account, at, text, journal_id)
        events.append(event)
        seq += 1


def _unreadable(
    error: DecodeError, seq: int, account: str, at: int, text: str, journal_id: str
) -> ErrorEvent:
    problem = to_problem(error)
    return ErrorEvent(seq, account, "", at, "stream", False, text, problem, journal_id=journal_id)


_EVENTS: dict[type, Any] = {
    MasterOrderMessage: MasterOrderEvent,
    OrderMessage: OrderEvent,
    FillMessage: FillEvent,
    NoneType: UnknownEvent,
}


def stream_event(
    decoded: wire.Decoded | None, seq: int, account: str, at: int, text: str, journal_id: str = ""
) -> AnyEvent:
    """The event of a message; `at` is epoch ns.  Raises DecodeError where there is no message."""
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
        seq,
        account,
        decoded.message_id,
        at,
        "stream",
        False,
        text,
        message,
        journal_id=journal_id,
    )
    return event


def derived_event(
    decoded: wire.Decoded | None,
    before: CumulativeFill,
    seq: int,
    account: str,
    at: int,
    text: str,
    journal_id: str = "",
) -> FillEvent:
    """The fill that a V2 child order brings, with `text` as its raw text; `at` is epoch ns.

    Raises DecodeError for anything but a V2 child order, Unreadable as `derive`.
    """
    if decoded is None or not isinstance(decoded.shape, V2Order):
        raise DecodeError("$.data: no child order of which a fill could be derived", text, "$.data")
    message: Any = decoded.message
    fill, exact = derive(message, decoded.shape, before)
    return FillEvent(
        seq,
        account,
        decoded.message_id,
        at,
        "derived",
        False,
        text,
        fill,
        exact,
        journal_id=journal_id,
    )
