"""Events as files: JSON lines, CSV and Parquet; and JSON lines read back.

JSON lines hold everything, exact figures too, and can be delivered again.  CSV and Parquet have one
flat row for each event.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import islice
from typing import Any, BinaryIO, get_type_hints

import msgspec

from qehost.errors import Error
from qehost.messages import (
    AnyEvent,
    Connected,
    Disconnected,
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderMessage,
    OrderMessage,
    Problem,
)

__all__ = ["FORMATS", "event_from_dict", "text_of", "write_csv", "write_jsonl", "write_parquet"]

FORMATS = ("jsonl", "csv", "parquet")

# What the messages of a kind are; `status` has a text, `unknown` nothing.
MESSAGES: dict[str, Any] = {
    "master_order": MasterOrderMessage,
    "order": OrderMessage,
    "fill": FillMessage,
    "error": Problem,
    "connected": Connected,
    "disconnected": Disconnected,
}
TABLED = (MasterOrderMessage, OrderMessage, FillMessage)
# The columns and their types, in order: of the event, of all messages, of a derived fill's exact
# figures, and the text as received.
COLUMNS: dict[str, type] = {
    "received_at": str,
    "received_ns": int,
    "account": str,
    "seq": int,
    "kind": str,
    "origin": str,
    "message_id": str,
    "text": str,
    **{
        name: get_type_hints(message)[name]
        for message in TABLED
        # The hints have more than the fields: what belongs to the class.
        for name in message.__struct_fields__
        if name != "type"
    },
    "exact_quantity": str,
    "exact_price": str,
    "exact_notional": str,
    "raw": str,
}
ROW_GROUP = 10_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_encode = msgspec.json.Encoder().encode


def write_jsonl(events: Iterable[AnyEvent], file: BinaryIO) -> int:
    """One JSON object a line, decimals as strings.  Returns the number of events."""
    count = 0
    for event in events:
        file.write(_encode(event.as_dict()) + b"\n")
        count += 1
    return count


def write_csv(events: Iterable[AnyEvent], file: BinaryIO) -> int:
    """A header and one row for each event; what an event does not have is empty."""
    count = 0
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    try:
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        for event in events:
            writer.writerow(_row(event))
            count += 1
    finally:
        text.detach()  # The file is the caller's to close.
    return count


def write_parquet(events: Iterable[AnyEvent], file: BinaryIO) -> int:
    """The same columns, typed; needs `pip install 'qehost[parquet]'`."""
    try:
        # A module of its own size: it is an extra, and loaded by this function alone.
        pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise Error("Parquet needs pyarrow: pip install 'qehost[parquet]'") from None
    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    schema = pyarrow.schema(
        [(name, types.get(type_, pyarrow.bool_())) for name, type_ in COLUMNS.items()]
    )
    count = 0
    remaining = iter(events)
    with parquet.ParquetWriter(file, schema) as writer:
        while rows := [_row(event) for event in islice(remaining, ROW_GROUP)]:
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))
            count += len(rows)
    return count


def event_from_dict(fields: dict[str, Any]) -> AnyEvent:
    """An event from a line of `write_jsonl`.  Raises ValueError."""
    try:
        kind = fields["kind"]
        message = fields["message"]
        if kind in MESSAGES:
            message = _values(MESSAGES[kind], message)
        names = ("seq", "account", "message_id", "received_at", "origin", "redelivered", "raw")
        values = [kind, *(fields[name] for name in names), message]
        if exact := fields.get("exact"):
            values.append(_values(FillDetail, exact))
        event: AnyEvent = msgspec.convert(values, AnyEvent)
    except (KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
        raise ValueError(f"no event: {error!r}") from error
    return event


def text_of(event: AnyEvent) -> str:
    """What the event says in words, for the kinds that are no orders or fills."""
    message = event.message
    if isinstance(message, str):
        return message
    if isinstance(message, Problem):
        return message.text
    if isinstance(message, Connected):
        return f"connected to {message.url}"
    if isinstance(message, Disconnected):
        return f"disconnected: {message.reason}"
    return ""


def _values(type_: Any, fields: dict[str, Any]) -> list[Any]:
    return [fields[name] for name in type_.__struct_fields__]


def _row(event: AnyEvent) -> dict[str, Any]:
    row: dict[str, Any] = {
        "received_at": _time(event.received_at),
        "received_ns": event.received_at,
        "account": event.account,
        "seq": event.seq,
        "kind": event.kind,
        "origin": event.origin,
        "message_id": event.message_id,
        "text": text_of(event),
        "raw": event.raw,
    }
    if isinstance(event.message, TABLED):
        row.update(event.message.as_dict())
        del row["type"]
    if isinstance(event, FillEvent) and (exact := event.exact):
        for name, value in (
            ("exact_quantity", exact.quantity),
            ("exact_price", exact.price),
            ("exact_notional", exact.notional),
        ):
            row[name] = None if value is None else str(value)
    return row


def _time(epoch_ns: int) -> str:
    """UTC, to the microsecond; the column beside it has the nanoseconds."""
    return (EPOCH + timedelta(microseconds=epoch_ns // 1000)).isoformat(timespec="microseconds")
