"""Which columns a kind has, of which types, and what stands in them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qehost.messages import AnyEvent, EventKind
from qehost.storage.export.columns import Cell, Table, columns_of, text_of
from qehost.storage.journal.search import KINDS
from qehost.testing import Events, detail


def one_of_each(events: Events) -> list[AnyEvent]:
    return [
        events.master_order(),
        events.order(),
        events.fill(),
        events.status("hello"),
        events.error("no margin"),
        events.connected(),
        events.disconnected("maintenance"),
        events.unknown(),
    ]


def row(event: AnyEvent, *chosen: str) -> dict[str, Any]:
    table = Table((event.kind,), chosen)
    return dict(zip(table.cells, table.row(event), strict=True))


@pytest.mark.parametrize("event", one_of_each(Events())[:3], ids=lambda event: event.kind)
def test_a_kind_has_every_field_of_its_detail_exactly(event: AnyEvent) -> None:
    exact: Any = detail(event)
    found = row(event)
    for name, value in exact.as_dict().items():
        if isinstance(value, Decimal):
            assert found[name] == value
            assert str(found[name]) == str(value)
        elif value and name in found and not name.endswith("_at"):
            assert found[name] in (value, value if isinstance(value, str) else value * 10**6)
    missing = exact.as_dict().keys() - found.keys()
    assert missing <= {"start_time_ms", "finished_ms"}
    assert len(missing) == len({"start_time", "finished_at"} & found.keys())


def test_the_columns_of_a_kind_are_no_others_kinds() -> None:
    assert "cum_quantity" in columns_of(["fill"])
    assert "order_type" not in columns_of(["fill"])
    assert len(columns_of(["fill"])) < 25
    assert len(columns_of(KINDS)) < 25


def test_a_name_has_one_type_whatever_the_kinds() -> None:
    types: dict[str, set[Cell]] = {}
    for kind in KINDS:
        for name in {*columns_of([kind]), *columns_of(KINDS), "received_ns"}:
            types.setdefault(name, set()).add(Table((kind,), (name,)).cells[name])
    assert {name: cells for name, cells in types.items() if len(cells) > 1} == {}


def test_a_table_of_all_kinds_has_a_row_for_each() -> None:
    table = Table()
    events = one_of_each(Events())
    rows = [dict(zip(table.cells, table.row(event), strict=True)) for event in events]
    assert [row["kind"] for row in rows] == list(KINDS)
    assert [row["quantity"] for row in rows[:3]] == [
        *(Decimal("1.5"), Decimal("0.5"), Decimal("0.5")),
    ]
    assert [row["text"] for row in rows[3:]] == [text_of(event) for event in events[3:]]


def test_times_of_the_venue_are_times_whatever_form_they_have() -> None:
    events = Events()
    at = "2026-01-02T03:04:05.678Z"
    milliseconds = 1_767_323_045_678
    found = row(events.master_order(created_at=at, start_time_ms=milliseconds))
    assert (found["created_at"], found["start_time"]) == (milliseconds * 10**6,) * 2
    odd = row(events.master_order(created_at="yesterday", start_time_ms=0, finished_ms=None))
    assert (odd["created_at"], odd["start_time"], odd["finished_at"]) == (None, None, None)


def test_a_time_beyond_all_libraries_is_none() -> None:
    found = row(Events().master_order(created_at="2300-01-01T00:00:00Z"), "created_at")
    assert found == {"created_at": None}


def test_the_fees_stand_there_as_json() -> None:
    found = row(Events().master_order(commission={"BNB": Decimal("0.00120")}), "commission")
    assert found == {"commission": '{"BNB":"0.00120"}'}


@pytest.mark.parametrize("kinds", [("fill",), KINDS])
def test_without_the_raw_text_there_is_no_column_for_it(kinds: tuple[EventKind, ...]) -> None:
    assert "raw" in Table(kinds).cells
    assert "raw" not in Table(kinds, raw=False).cells


def test_a_table_has_at_least_one_column() -> None:
    with pytest.raises(ValueError, match="no column is left"):
        Table(("fill",), ("raw",), raw=False)


def test_a_column_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"'quantty'; did you mean quantity\?.*cum_quantity"):
        Table(("fill",), ("seq", "quantty"))
    with pytest.raises(ValueError, match="those of the kind master_order have"):
        Table(("fill", "order"), ("algorithm",))


def test_each_kind_says_in_words_what_it_says() -> None:
    words = {event.kind: text_of(event) for event in one_of_each(Events())}
    assert words["error"] == "no margin"
    assert words["disconnected"] == "disconnected: maintenance"
    assert words["connected"].startswith("connected to ws")
    assert words["order"] == words["fill"] == words["unknown"] == ""
