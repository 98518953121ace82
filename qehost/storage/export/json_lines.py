"""Events as JSON lines: everything that an event has, so that it can be delivered again.

Or, with chosen columns, a flat object for each.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any, BinaryIO, get_args

import msgspec

from qehost.errors import Error
from qehost.messages import (
    AnyEvent,
    Connected,
    Disconnected,
    FillDetail,
    FillMessage,
    MasterOrderMessage,
    OrderMessage,
    Problem,
)
from qehost.storage.export.cell_text import plain, time_text
from qehost.storage.export.columns import Cell, Table

__all__ = ["event_as_dict", "event_from_dict", "read_jsonl", "write_json_rows", "write_jsonl"]

EVENTS: dict[str, Any] = {event.kind: event for event in get_args(AnyEvent)}
# What the messages of a kind are; `status` has a text, `unknown` nothing.
MESSAGES: dict[str, Any] = {
    "master_order": MasterOrderMessage,
    "order": OrderMessage,
    "fill": FillMessage,
    "error": Problem,
    "connected": Connected,
    "disconnected": Disconnected,
}

_encode = msgspec.json.Encoder().encode


def event_as_dict(event: AnyEvent, *, raw: bool = True) -> dict[str, Any]:
    """All that an event has, for JSON, with `detail` beside `message`."""
    fields = event.as_dict()
    if not raw:
        del fields["raw"]
    if event.detail is not None:
        fields["detail"] = event.detail.as_dict()
    return fields


def write_jsonl(events: Iterable[AnyEvent], file: BinaryIO, *, raw: bool = True) -> int:
    """One JSON object a line, decimals as text.  Returns the number of events.

    Without `raw` the lines can't be delivered again.
    """
    count = 0
    for event in events:
        file.write(_encode(event_as_dict(event, raw=raw)) + b"\n")
        count += 1
    return count


def write_json_rows(
    events: Iterable[AnyEvent], file: BinaryIO, table: Table, *, local: bool = False
) -> int:
    """One flat JSON object a line, decimals and times as text, null where there is nothing.

    `local`: times are the machine's, else UTC; both have their offset.
    """
    count = 0
    for event in events:
        fields = {
            name: _value(cell, value, local)
            for (name, cell), value in zip(table.cells.items(), table.row(event), strict=True)
        }
        file.write(_encode(fields) + b"\n")
        count += 1
    return count


def _value(cell: Cell, value: Any, local: bool) -> Any:
    if value is None:
        return None
    if cell is Cell.MOMENT:
        return time_text(value, local)
    return plain(value) if cell is Cell.EXACT else value


def read_jsonl(path: str | PathLike[str]) -> Iterator[AnyEvent]:
    """The events of a file of `write_jsonl`, also where an editor has saved it.

    Raises OSError, and Error with the line that is no event.
    """
    decode: Any = msgspec.json.Decoder().decode
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            # An editor may have added a byte order mark and an empty line at the end.
            text = line.removeprefix(BOM_UTF8) if number == 1 else line
            if not text.strip():
                continue
            try:
                yield event_from_dict(decode(text))
            except (ValueError, msgspec.DecodeError) as error:
                raise Error(f"{path}, line {number}: {error}") from None


def event_from_dict(fields: dict[str, Any]) -> AnyEvent:
    """An event from a line of `write_jsonl`.  Raises ValueError."""
    try:
        kind = fields["kind"]
        if "raw" not in fields and "seq" in fields:
            raise ValueError("no event: `raw` is missing. An export with --no-raw can't be read")
        values = dict(fields)
        if kind in MESSAGES:
            values["message"] = _in_order(MESSAGES[kind], fields["message"])
        if exact := fields.get("exact"):
            values["exact"] = _in_order(FillDetail, exact)
        event: AnyEvent = msgspec.convert([kind, *_in_order(EVENTS[kind], values)], AnyEvent)
    except (KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
        raise ValueError(f"no event: {error!r}") from error
    return event


def _in_order(type_: Any, fields: dict[str, Any]) -> list[Any]:
    """The values of a struct that is encoded as an array.

    A field with a default may be missing: versions that did not know it wrote none.
    """
    return [
        fields[each.name] if each.required else fields.get(each.name, _default(each))
        for each in msgspec.structs.fields(type_)
    ]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    assert field.default_factory is not msgspec.NODEFAULT
    return field.default_factory()
