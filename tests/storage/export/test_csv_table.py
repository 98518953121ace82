"""CSV: every figure exact, and nothing in it that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.messages import AnyEvent
from qehost.storage.export.columns import Table
from qehost.storage.export.csv_table import write_csv
from qehost.testing import Events


def rows(events: list[AnyEvent], table: Table, **options: Any) -> list[dict[str, str]]:
    file = io.BytesIO()
    assert write_csv(events, file, table, **options) == len(events)
    return list(csv.DictReader(io.StringIO(file.getvalue().decode(), newline="")))


def test_every_figure_stands_there_exactly() -> None:
    order = Events().order(price="100.10", quantity="123456789.123456789", filled_quantity="1E-8")
    (row,) = rows([order], Table(("order",)))
    assert row["price"] == "100.10"
    assert row["quantity"] == "123456789.123456789"
    assert row["filled_quantity"] == "0.00000001"


def test_what_an_event_does_not_have_is_empty() -> None:
    events = Events()
    one, two = rows([events.order(price=None), events.status("a,\nb")], Table())
    assert (one["price"], two["symbol"], two["quantity"]) == ("", "", "")
    assert two["text"] == "a,\nb"
    assert (one["redelivered"], one["seq"]) == ("false", "1")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@A", "\t=1", "\r=1", "\n=1", "＝1", "=a,b\n"]
)
def test_a_text_that_would_be_a_formula_is_text(text: str) -> None:
    events = Events()
    made = [events.status(text), events.error(text)]
    assert [row["text"] for row in rows(made, Table())] == [f"'{text}"] * 2


def test_a_negative_figure_is_a_figure() -> None:
    (row,) = rows([Events().order(quantity="-2")], Table(("order",)))
    assert row["quantity"] == "-2"


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_one_cell(text: str) -> None:
    (row,) = rows([Events().status(text)], Table(("status",), ("text", "seq")))
    assert row["text"].removeprefix("'") == text.removeprefix("'")
    assert row["seq"] == "1"


def test_a_file_for_a_spreadsheet_begins_with_the_mark_of_utf_8() -> None:
    file = io.BytesIO()
    write_csv([Events().status("余额不足")], file, Table(("status",), ("text",)), mark=True)
    assert file.getvalue() == b"\xef\xbb\xbftext\r\n" + "余额不足\r\n".encode()
    assert not file.closed
