"""Writes docs/fields.md, every field that a plugin can read: `python docs/make_fields.py`.

Nothing in that page is written by hand.  Types come from the annotations in qehost/messages.py,
meanings and units from the docstrings below the fields there; a unit is the last sentence, `In …`
or `As …`.  Which names of the venue a field comes from is tried: each is set and left out, to see
which fields change.  tests/test_fields_page.py fails while page and code differ.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from qehost import messages
from qehost.events import wire
from qehost.events.codec import derived_event
from qehost.events.fills import NOTHING_FILLED
from qehost.storage.export.columns import HEAD as HEAD_COLUMNS
from qehost.storage.export.columns import RAW, Cell, Table
from qehost.storage.journal.search import KINDS

PAGE = Path(__file__).parent / "fields.md"

# What the venue sends, every documented field of it.  Decimals and 64-bit integers are text in V2.
V2_MASTER_ORDER: dict[str, Any] = {
    "createdAt": "2026-01-02T03:04:05.123Z",
    "updatedAt": "2026-01-02T03:14:05.456Z",
    "masterOrderId": "2008012345678901248",
    "clientOrderId": "rebalance-7",
    "apiKeyId": "f0a1",
    "tradingAccount": "desk-1",
    "exchange": "Binance",
    "marketType": "PERP",
    "category": "perp",
    "symbol": "BTCUSDT",
    "baseCurrency": "BTC",
    "quoteCurrency": "USDT",
    "side": "buy",
    "marginType": "U",
    "reduceOnly": True,
    "isMargin": True,
    "algorithm": "TWAP",
    "totalQuantity": "1.50",
    "orderNotional": "150000",
    "startTimeMs": "1767323045000",
    "executionDurationSeconds": 600,
    "worstPrice": "98000.5",
    "mustComplete": True,
    "makerRateLimit": "0.3",
    "povLimit": "0.8",
    "povMinLimit": "0.1",
    "upTolerance": "0.1",
    "lowTolerance": "0.05",
    "strictUpBound": True,
    "tailOrderProtection": True,
    "enableMake": True,
    "isTargetPosition": True,
    "notes": "month end",
    "status": "PROCESSING",
    "rejectReason": "no funds",
    "finishedMs": "1767323645000",
    "cumFilledQty": "0.75",
    "cumFilledNotional": "72750.0750",
    "avgFilledPrice": "97000.1",
    "makerRate": "0.62",
    "completedQuantity": "0.75",
    "commission": {"BNB": "0.00120"},
    "triggerPrice": "96000",
    "triggerPrice1": "95000",
    "maxTriggerWaitSecs": 60,
    "maxTriggerWaitTimeoutAction": 1,
}
V2_ORDER: dict[str, Any] = {
    "id": "9071",
    "orderCreatedTime": "1767323050000",
    "masterOrderId": "2008012345678901248",
    "exchange": "Binance",
    "category": "perp",
    "symbol": "BTCUSDT",
    "side": "buy",
    "filledNotional": "29100.030",
    "filledQuantity": "0.30",
    "averagePrice": "97000.10",
    "price": "97000.10",
    "status": "PLACED",
    "rejectReason": "no funds",
    "baseCurrency": "BTC",
    "quoteCurrency": "USDT",
    "orderType": "LIMIT",
    "orderId": "84719200",
    "quantity": "0.50",
    "createdAt": "2026-01-02T03:04:10.000Z",
    "updatedAt": "2026-01-02T03:04:12.500Z",
}
V1_MASTER_ORDER: dict[str, Any] = {
    "type": "master_order",
    "master_order_id": "2008012345678901248",
    "client_id": "rebalance-7",
    "strategy": "TWAP",
    "symbol": "BTCUSDT",
    "side": "buy",
    "qty": 1.5,
    "duration_secs": 600.0,
    "category": "perp",
    "action": "open",
    "reduce_only": True,
    "status": "PROCESSING",
    "date": 1767323645.456,
    "ticktime_int": 1767323645,
    "ticktime_ms": 1767323645456,
    "reason": "no funds",
    "timestamp": 1767323645456,
}
V1_ORDER: dict[str, Any] = {
    "type": "order",
    "master_order_id": "2008012345678901248",
    "order_id": "84719200",
    "symbol": "BTCUSDT",
    "category": "perp",
    "side": "buy",
    "price": 97000.1,
    "quantity": 0.5,
    "status": "PLACED",
    "created_time": 1767323050000,
    "fill_qty": 0.2,
    "fill_price": 97000.1,
    "cum_filled_qty": 0.3,
    "quantity_remaining": 0.2,
    "ack_time": 1767323050020,
    "last_fill_time": 1767323052400,
    "cancel_time": 1767323052450,
    "price_type": "LIMIT",
    "reason": "no funds",
    "timestamp": 1767323052500,
}
V1_FILL: dict[str, Any] = {
    "type": "fill",
    "master_order_id": "2008012345678901248",
    "order_id": "84719200",
    "symbol": "BTCUSDT",
    "category": "perp",
    "side": "buy",
    "fill_price": 97000.1,
    "filled_qty": 0.3,
    "fill_time": 1767323052400,
    "timestamp": 1767323052500,
}

HEAD = """\
# Every field of a message

What a plugin can read: `message` and `detail` of each kind, and `event`. This page is made by
`python docs/make_fields.py` from the code, and a test fails where the two differ.

- **V1** and **V2** name the fields of the venue's object that a field comes from; `–`: none, so it
  has its default. Of several names a later one counts where an earlier one is missing, or they
  are computed together.
- `message` has floats, `0` or `""` for what was not sent. `detail` has exact decimals, `None` for a
  number, boolean or time that was not sent, and `""` for a text.
- **contracts**: where the exchange counts those (`perp_cm`, Deribit), quantities are no amounts of
  the base currency. What a notional means there the venue does not document.
- A unit of `–` is none: texts, ids, yes or no.
- Sources of the venue's facts: its client `qe-connector` 1.3.3 and its public documentation.
"""
TITLES = {
    "MasterOrderMessage": "`on_master_order`: `message`",
    "MasterOrderDetail": "`on_master_order`: `detail`",
    "OrderMessage": "`on_order`: `message`",
    "OrderDetail": "`on_order`: `detail`",
    "FillMessage": "`on_fill`: `message`",
    "FillDetail": "`on_fill`: `detail`",
    "ClientPushMessage": "`on_raw_message`: `message`",
    "Connected": "`on_connected`: `event.message`",
    "Disconnected": "`on_disconnected`: `event.message`",
    "Problem": "`on_error`: `event.message`",
    "Event": "`event`, of all kinds",
}
COLUMNS = """\
## Columns of exported tables

`qehost journal export --kind KIND` as CSV or Parquet; `--columns` chooses. Each kind has, too,
in front `{head}`, and `raw` at the end.
Times are times there, whatever they are above.

| `--kind` | columns |
|---|---|
"""
COMMON = {column.name for column in (*HEAD_COLUMNS, RAW)}


# --- the venue's names --------------------------------------------------------------------------

Read = Callable[[Mapping[str, Any]], Any]


def _event(type_: str, fields: Mapping[str, Any]) -> messages.AnyEvent:
    text = json.dumps(
        {"type": type_, "messageId": "m-1", "userId": "u-1", "data": json.dumps(fields)}
    )
    decoded = wire.decode(text)
    assert decoded is not None
    kinds: dict[type, Any] = {
        messages.MasterOrderMessage: messages.MasterOrderEvent,
        messages.OrderMessage: messages.OrderEvent,
        messages.FillMessage: messages.FillEvent,
    }
    kind = kinds[type(decoded.message)]
    event: messages.AnyEvent = kind(1, "main", "m-1", 0, "stream", False, text, decoded.message)
    return event


def _derived(fields: Mapping[str, Any]) -> messages.FillEvent:
    text = json.dumps({"type": "order_data", "data": json.dumps(fields)})
    return derived_event(wire.decode(text), NOTHING_FILLED, 1, "main", 0, text)


# Struct → (the V1 object and how it is read, the V2 object and how it is read).
SOURCES: dict[str, list[tuple[dict[str, Any], Read]]] = {
    "MasterOrderMessage": [
        (V1_MASTER_ORDER, lambda fields: _event("data", fields).message),
        (V2_MASTER_ORDER, lambda fields: _event("master_data", fields).message),
    ],
    "MasterOrderDetail": [
        (V1_MASTER_ORDER, lambda fields: wire.detail(_event("data", fields))),
        (V2_MASTER_ORDER, lambda fields: wire.detail(_event("master_data", fields))),
    ],
    "OrderMessage": [
        (V1_ORDER, lambda fields: _event("data", fields).message),
        (V2_ORDER, lambda fields: _event("order_data", fields).message),
    ],
    "OrderDetail": [
        (V1_ORDER, lambda fields: wire.detail(_event("data", fields))),
        (V2_ORDER, lambda fields: wire.detail(_event("order_data", fields))),
    ],
    "FillMessage": [
        (V1_FILL, lambda fields: _event("data", fields).message),
        (V2_ORDER, lambda fields: _derived(fields).message),
    ],
    "FillDetail": [
        (V1_FILL, lambda fields: wire.detail(_event("data", fields))),
        (V2_ORDER, lambda fields: wire.detail(_derived(fields))),
    ],
}
# What an object is read by, so it stays in each attempt.
NEEDED = {
    "FillMessage": ("filledQuantity", "type"),
    "FillDetail": ("filledQuantity", "type"),
}


def venue_names(struct: str, example: Mapping[str, Any], read: Read) -> dict[str, list[str]]:
    """Field → the names in the venue's object that it comes from, the decisive ones first."""
    whole = read(example)
    needed = {name: example[name] for name in NEEDED.get(struct, ("type",)) if name in example}
    nothing = read(needed)
    found: dict[str, dict[str, None]] = {name: {} for name in whole.__struct_fields__}
    for name in example:
        if name not in needed:
            rest = {key: value for key, value in example.items() if key != name}
            _note(found, name, whole, read(rest))
    for name in example:
        if name not in needed:
            _note(found, name, nothing, read({**needed, name: example[name]}))
    for name in needed:
        other = {**example, name: "0.2"} if name != "type" else example
        _note(found, name, whole, read(other))
    return {field: list(names) for field, names in found.items()}


def _note(found: dict[str, dict[str, None]], name: str, one: Any, other: Any) -> None:
    for field, names in found.items():
        if getattr(one, field) != getattr(other, field):
            names[name] = None


# --- what stands in messages.py -----------------------------------------------------------------


def documented() -> dict[str, dict[str, tuple[str, str]]]:
    """Class → field → annotation and docstring, of a class and what it is derived from."""
    tree = ast.parse(Path(messages.__file__).read_text(encoding="utf-8"))
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            fields = _own(node.body)
            for base in node.bases:
                fields |= {
                    k: v for k, v in found.get(ast.unparse(base), {}).items() if k not in fields
                }
            found[node.name] = fields
    return found


def _own(body: list[ast.stmt]) -> dict[str, tuple[str, str]]:
    fields = {}
    for statement, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        name, annotation, text = "", "", ""
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name, annotation = statement.target.id, ast.unparse(statement.annotation)
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                text = str(following.value.value)
        elif isinstance(statement, ast.FunctionDef) and _is_property(statement):
            assert statement.returns is not None
            name, annotation = statement.name, ast.unparse(statement.returns)
            text = ast.get_docstring(statement) or ""
        if name and not name.startswith("_") and not annotation.startswith("ClassVar["):
            fields[name] = annotation, " ".join(text.split())
    return fields


def _is_property(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(each, ast.Name) and each.id == "property" for each in function.decorator_list
    )


def unit_of(docstring: str) -> tuple[str, str]:
    """The unit, `""` for none, and the rest."""
    found = re.fullmatch(r"(.*\.) (?:In|As) ([^.]+)\.", docstring)
    return (found[2], found[1]) if found else ("", docstring)


# --- the page -----------------------------------------------------------------------------------


def page() -> str:
    classes = documented()
    parts = [HEAD]
    for struct, title in TITLES.items():
        parts.append(
            f"## {title}\n\n`qehost.messages.{struct}`\n\n{_table(struct, classes[struct])}"
        )
    head = "`, `".join(column.name for column in HEAD_COLUMNS)
    parts.append(COLUMNS.format(head=head) + "".join(_export_row(kind) for kind in KINDS))
    return "\n".join(parts)


def _table(struct: str, fields: Mapping[str, tuple[str, str]]) -> str:
    if struct not in SOURCES:
        rows: list[tuple[str, ...]] = [("field", "type", "unit", "meaning"), ("---",) * 4]
        for name, (annotation, text) in fields.items():
            unit, meaning = unit_of(text)
            rows.append((f"`{name}`", _type(annotation), unit or "–", meaning))
        return _rows(rows)
    v1, v2 = (venue_names(struct, example, read) for example, read in SOURCES[struct])
    examples = [read(example) for example, read in SOURCES[struct]]
    rows = [("field", "type", "unit", "V1", "V2", "example", "meaning"), ("---",) * 7]
    for name, (annotation, text) in fields.items():
        unit, meaning = unit_of(text)
        shown = getattr(examples[1], name) or getattr(examples[0], name)
        constant = name == "type"
        rows.append(
            (
                f"`{name}`",
                _type(annotation),
                unit or "–",
                "`type`" if constant else _names(v1.get(name, ())),
                _names(v2.get(name, ())),
                _example(shown),
                meaning,
            )
        )
    return _rows(rows)


def _rows(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _type(annotation: str) -> str:
    return " or ".join(f"`{each}`" for each in annotation.split(" | "))


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def _example(value: Any) -> str:
    if isinstance(value, Decimal):
        return f'`Decimal("{value}")`'
    text = json.dumps(value, default=str) if not isinstance(value, bool | None) else str(value)
    return f"`{text}`"


def _export_row(kind: messages.EventKind) -> str:
    cells = Table((kind,)).cells
    columns = [
        f"`{name}`" + ("" if cell is Cell.TEXT else f" ({cell.value})")
        for name, cell in cells.items()
        if name not in COMMON
    ]
    return f"| `{kind}` | {', '.join(columns) or '–'} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
