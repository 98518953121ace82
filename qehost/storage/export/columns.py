"""The columns of an exported table: which ones a kind of event has, their types and their values.

A table of one kind has every field of its `detail` under the name that it has there, exact.  A
table of several kinds has the columns that mean the same for all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple, TypeAlias, get_args

import msgspec

from qehost.events.times import epoch_ms
from qehost.messages import (
    AnyEvent,
    Connected,
    Disconnected,
    EventKind,
    FillDetail,
    MasterOrderDetail,
    OrderDetail,
    Problem,
)
from qehost.storage.journal.search import KINDS

__all__ = ["Cell", "Table", "TableColumn", "columns_of", "text_of"]


class Cell(Enum):
    """What a column holds.  Where an event has nothing for it, that is None."""

    TEXT = "text"
    INTEGER = "integer"
    FLAG = "yes or no"
    EXACT = "decimal"
    MOMENT = "time"
    """Epoch ns."""


Detail: TypeAlias = MasterOrderDetail | OrderDetail | FillDetail | None
Value: TypeAlias = Callable[[AnyEvent, Detail], Any]


class TableColumn(NamedTuple):
    """`value` gets the event and its detail."""

    name: str
    cell: Cell
    value: Value


MS = 1_000_000
"""In ns."""
LAST_MOMENT = 2**63 - 1
"""Epoch ns, in the year 2262: later times are none, as no file and no library has them."""


def _nothing(event: AnyEvent, detail: Detail) -> None:
    return None


def _of_event(name: str) -> Value:
    return lambda event, detail: getattr(event, name, None)


def _of_message(name: str) -> Value:
    return lambda event, detail: getattr(event.message, name)


def _of_detail(name: str) -> Value:
    return lambda event, detail: getattr(detail, name, None)


def _moment(value: Value, unit: int) -> Value:
    """A time of so many ns each; the venue's 0, and what can't be, are no time."""

    def moment(event: AnyEvent, detail: Detail) -> int | None:
        ns = (value(event, detail) or 0) * unit
        return ns if 0 < ns <= LAST_MOMENT else None

    return moment


def _moment_as_written(name: str) -> Value:
    """A time that the detail has as the venue wrote it."""

    def milliseconds(event: AnyEvent, detail: Detail) -> int | None:
        try:
            return epoch_ms(getattr(detail, name, ""))
        except ValueError:
            return None

    return _moment(milliseconds, MS)


def _commission(event: AnyEvent, detail: Detail) -> str | None:
    if not isinstance(detail, MasterOrderDetail) or not detail.commission:
        return None
    return msgspec.json.encode(detail.commission).decode()


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


def _text(event: AnyEvent, detail: Detail) -> str:
    return text_of(event)


CELLS = {str: Cell.TEXT, int: Cell.INTEGER, bool: Cell.FLAG, Decimal: Cell.EXACT}

# What every event has, in front of what its kind has.
HEAD = (
    TableColumn("received_at", Cell.MOMENT, _moment(_of_event("received_at"), 1)),
    TableColumn("account", Cell.TEXT, _of_event("account")),
    TableColumn("seq", Cell.INTEGER, _of_event("seq")),
    TableColumn("kind", Cell.TEXT, _of_event("kind")),
    TableColumn("origin", Cell.TEXT, _of_event("origin")),
    TableColumn("redelivered", Cell.FLAG, _of_event("redelivered")),
    TableColumn("message_id", Cell.TEXT, _of_event("message_id")),
)
RAW = TableColumn("raw", Cell.TEXT, _of_event("raw"))
ON_REQUEST = (
    TableColumn("received_ns", Cell.INTEGER, _of_event("received_at")),
    TableColumn("journal_id", Cell.TEXT, _of_event("journal_id")),
)
"""What stands in a table where it is asked for, for programs: the time as a number, and what names
an event together with account and seq."""
STALE = TableColumn("stale", Cell.FLAG, _of_event("stale"))

FIRST = {
    MasterOrderDetail: (
        *("symbol", "side", "status", "algorithm", "total_quantity", "order_notional"),
        *("cum_filled_qty", "avg_filled_price", "cum_filled_notional"),
        *("master_order_id", "client_order_id"),
    ),
    OrderDetail: (
        *("symbol", "side", "status", "quantity", "price"),
        *("filled_quantity", "average_price", "filled_notional"),
        *("master_order_id", "order_id"),
    ),
    FillDetail: (
        *("symbol", "side", "quantity", "price", "notional", "fill_time"),
        *("master_order_id", "order_id"),
    ),
}
"""What people look for; the other fields follow in the venue's order."""
TIMES = {
    "order_created_time": "order_created_time",
    "fill_time": "fill_time",
    "start_time_ms": "start_time",
    "finished_ms": "finished_at",
}
"""Fields of a detail in epoch milliseconds, and their columns, which hold times."""
WRITTEN_TIMES = ("created_at", "updated_at")


def _detail_columns(detail: Any) -> Iterable[TableColumn]:
    fields = {field.name: field for field in msgspec.structs.fields(detail)}
    for name in dict.fromkeys((*FIRST[detail], *fields)):
        if name in TIMES:
            yield TableColumn(TIMES[name], Cell.MOMENT, _moment(_of_detail(name), MS))
        elif name in WRITTEN_TIMES:
            yield TableColumn(name, Cell.MOMENT, _moment_as_written(name))
        elif name == "commission":
            yield TableColumn(name, Cell.TEXT, _commission)
        else:
            (type_,) = {*get_args(fields[name].type), fields[name].type} & CELLS.keys()
            yield TableColumn(name, CELLS[type_], _of_detail(name))


OWN: dict[EventKind, tuple[TableColumn, ...]] = {
    "master_order": (*_detail_columns(MasterOrderDetail), STALE),
    "order": (
        *_detail_columns(OrderDetail),
        # V1 says when; V2 has no such fields.
        *(
            TableColumn(name, Cell.MOMENT, _moment(_of_message(name), MS))
            for name in ("ack_time", "last_fill_time", "cancel_time")
        ),
        STALE,
    ),
    "fill": tuple(_detail_columns(FillDetail)),
    "status": (TableColumn("text", Cell.TEXT, _of_event("message")),),
    "error": (
        TableColumn("code", Cell.TEXT, _of_message("code")),
        TableColumn("text", Cell.TEXT, _of_message("text")),
    ),
    "connected": (
        TableColumn("url", Cell.TEXT, _of_message("url")),
        TableColumn("attempt", Cell.INTEGER, _of_message("attempt")),
        TableColumn("down_since", Cell.MOMENT, _moment(_of_message("down_since"), 1)),
        TableColumn("up_at", Cell.MOMENT, _moment(_of_message("up_at"), 1)),
    ),
    "disconnected": (
        TableColumn("reason", Cell.TEXT, _of_message("reason")),
        TableColumn("close_code", Cell.INTEGER, _of_message("code")),
        TableColumn("up_since", Cell.MOMENT, _moment(_of_message("up_since"), 1)),
        TableColumn("last_heard", Cell.MOMENT, _moment(_of_message("last_heard"), 1)),
    ),
    "unknown": (),
}

DETAILS: dict[str, Any] = {
    "master_order": MasterOrderDetail,
    "order": OrderDetail,
    "fill": FillDetail,
}
COMMON = {
    "symbol": Cell.TEXT,
    "side": Cell.TEXT,
    "status": Cell.TEXT,
    "quantity": Cell.EXACT,
    "price": Cell.EXACT,
    "filled_quantity": Cell.EXACT,
    "average_price": Cell.EXACT,
    "notional": Cell.EXACT,
    "master_order_id": Cell.TEXT,
    "order_id": Cell.TEXT,
    "text": Cell.TEXT,
}
"""The columns of a table of several kinds: `quantity` is what was ordered or filled, `notional`
what was filled of it, `filled_quantity` what is filled of the order now, `text` what was said."""
COMMON_FROM = {
    "master_order": {
        "quantity": "total_quantity",
        "filled_quantity": "cum_filled_qty",
        "average_price": "avg_filled_price",
        "notional": "cum_filled_notional",
        "text": "reject_reason",
    },
    "order": {"notional": "filled_notional", "text": "reject_reason"},
    "fill": {"filled_quantity": "cum_quantity"},
}
"""The fields of a detail that such a column comes from, where it has another name."""


def _common_columns(kind: EventKind) -> Iterable[TableColumn]:
    fields = DETAILS[kind].__struct_fields__ if kind in DETAILS else ()
    for name, cell in COMMON.items():
        field = COMMON_FROM.get(kind, {}).get(name, name)
        value: Value = _nothing
        if field in fields:
            value = _of_detail(field)
        elif name == "text":
            value = _text
        yield TableColumn(name, cell, value)


def columns_of(kinds: Collection[EventKind]) -> list[str]:
    """The names of the columns that a table of these kinds has, unless others are chosen."""
    if len(kinds) == 1:
        (kind,) = kinds
        own: Iterable[str] = (column.name for column in OWN[kind])
    else:
        own = COMMON
    return [*(column.name for column in HEAD), *own, RAW.name]


def _choice(kind: EventKind) -> dict[str, TableColumn]:
    """All columns that can be chosen, by name.  A kind's own stand for those in common."""
    known = (*HEAD, *_common_columns(kind), *OWN[kind], RAW, *ON_REQUEST)
    return {column.name: column for column in known}


class Table:
    """The columns of a file, and each event's row in them.

    `chosen` are names of columns; without them the kinds say which there are.  Raises ValueError,
    with a text for the user, where one of them does not exist for any of these kinds.
    """

    def __init__(
        self, kinds: Collection[EventKind] = (), chosen: Sequence[str] = (), *, raw: bool = True
    ) -> None:
        kinds = [kind for kind in KINDS if not kinds or kind in kinds]
        by_kind = {kind: _choice(kind) for kind in kinds}
        known: dict[str, Cell] = {}
        for columns in by_kind.values():
            known |= {name: column.cell for name, column in columns.items()}
        for name in chosen:
            if name not in known:
                raise ValueError(_unknown(name, known, kinds))
        names = dict.fromkeys(chosen or columns_of(kinds))
        self.cells: dict[str, Cell] = {
            name: known[name] for name in names if raw or name != RAW.name
        }
        """Name → what it holds, in order."""
        if not self.cells:
            raise ValueError("without raw no column is left")
        self._values: dict[str, list[Value]] = {
            kind: [columns[name].value if name in columns else _nothing for name in self.cells]
            for kind, columns in by_kind.items()
        }

    def row(self, event: AnyEvent) -> list[Any]:
        """The values of an event of one of the kinds, in the order of the columns."""
        detail = event.detail
        return [value(event, detail) for value in self._values[event.kind]]


def _unknown(name: str, known: Collection[str], kinds: Collection[EventKind]) -> str:
    elsewhere = [kind for kind in KINDS if kind not in kinds and name in _choice(kind)]
    near = difflib.get_close_matches(name, known, 1)
    hint = ""
    if elsewhere:
        hint = f", but those of the kind {' and '.join(elsewhere)} have"
    elif near:
        hint = f"; did you mean {near[0]}?"
    return f"these events have no column {name!r}{hint}. There are: {', '.join(known)}"
