"""JSON lines hold everything, and come back as the events that they were."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from qehost.messages import AnyEvent
from qehost.storage.export.columns import Table
from qehost.storage.export.json_lines import event_from_dict, write_json_rows, write_jsonl
from qehost.testing import Events


def some_of_each_kind() -> list[AnyEvent]:
    events = Events()
    order = events.order(filled_quantity="0.5", status="FILLED")
    return [
        events.master_order(),
        order,
        events.order(status="PLACED", stale=True),
        events.order(origin="catch_up"),
        events.fill(quantity="0.30", price="100.10"),
        replace(events.fill(), attempt=2),
        events.status('connected, «quoted» "and" with\na line'),
        events.error("no margin"),
        events.connected(),
        events.disconnected("maintenance"),
        events.unknown(),
    ]


def lines(events: list[AnyEvent], **options: Any) -> list[dict[str, Any]]:
    file = io.BytesIO()
    assert write_jsonl(events, file, **options) == len(events)
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_json_lines_are_read_back_as_they_were() -> None:
    events = some_of_each_kind()
    assert [event_from_dict(line) for line in lines(events)] == events


def test_what_an_earlier_version_did_not_write_has_its_default() -> None:
    events = some_of_each_kind()[:2]
    earlier = lines(events)
    for line in earlier:
        for name in ("attempt", "stale", "detail"):
            del line[name]
    assert [event_from_dict(line) for line in earlier] == events


@pytest.mark.parametrize(
    "fields",
    [{}, {"kind": "order"}, {"kind": "order", "message": None}, {"kind": "nothing", "message": ""}],
)
def test_what_is_no_event_is_a_value_error(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no event"):
        event_from_dict(fields)


@pytest.mark.parametrize("fields", [{"kind": "order", "message": 3}, [], None, "text"])
def test_neither_is_what_has_another_form(fields: Any) -> None:
    with pytest.raises(ValueError, match="no event"):
        event_from_dict(fields)


def test_every_figure_stands_there_exactly() -> None:
    events = Events()
    commission = {"BNB": Decimal("0.00120")}
    made = [
        events.master_order(total_quantity="123456789012345678.10", commission=commission),
        events.order(price="0.10"),
        events.fill(quantity="0.30", price="100.10", origin="stream"),
    ]
    master, order, fill = (line["detail"] for line in lines(made))
    assert master["total_quantity"] == "123456789012345678.10"
    assert master["commission"] == {"BNB": "0.00120"}
    assert master["order_notional"] is None
    assert (order["price"], fill["price"]) == ("0.10", "100.10")


def test_without_the_raw_text_the_figures_are_there_all_the_same() -> None:
    (line,) = lines([Events().order(price="0.10")], raw=False)
    assert "raw" not in line
    assert line["detail"]["price"] == "0.10"


def test_rows_of_chosen_columns_are_flat() -> None:
    events = Events()
    file = io.BytesIO()
    table = Table(("order",), ("price", "seq"))
    write_json_rows([events.order(price="1E-8"), events.order(price=None)], file, table)
    assert [json.loads(line) for line in file.getvalue().splitlines()] == [
        {"price": "0.00000001", "seq": 1},
        {"price": None, "seq": 2},
    ]
