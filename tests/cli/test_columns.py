"""Rows in columns: what fits, what goes beneath, what is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from qehost.cli.columns import (
    PIPE_WIDTH,
    Column,
    lay_out_table,
    print_lines,
    stdout_console,
    wrap_words,
)

NAME = Column("Name", usual=8)
COLUMNS = (NAME, Column("Pid", right=True, drop=2), Column("Lost", right=True), Column("Why"))
LONG = "a-name-of-32-letters-and-no-more"


def plain(columns: tuple[Column, ...], rows: list[list[str]], width: int) -> list[str]:
    return [line.plain for line in lay_out_table(columns, rows, width).lines]


def test_where_there_is_room_a_row_is_a_line() -> None:
    rows = [[LONG, "4711", "12", "no disk"], ["b", "5", "0", ""]]
    assert plain(COLUMNS, rows, 80) == [
        "Name                               Pid  Lost  Why",
        "a-name-of-32-letters-and-no-more  4711    12  no disk",
        "b                                    5     0",
    ]


def test_a_long_name_has_its_row_beneath_where_room_is_short() -> None:
    rows = [[LONG, "4711", "12", "no disk"], ["b", "5", "0", ""]]
    assert plain(COLUMNS, rows, 40) == [
        "Name       Pid  Lost  Why",
        "a-name-of-32-letters-and-no-more",
        "          4711    12  no disk",
        "b            5     0",
    ]


def test_columns_that_may_go_are_named() -> None:
    layout = lay_out_table(COLUMNS, [["main", "4711", "12", "no disk"]], 20)
    assert [line.plain for line in layout.lines] == ["Name  Lost  Why", "main    12  no disk"]
    assert layout.left_out == ["Pid"]


def test_the_last_column_flows_beside_its_row_or_beneath() -> None:
    why = "the disk is full, and has been so since the morning"
    assert plain(COLUMNS, [["main", "4711", "12", why]], 60)[1:] == [
        "main  4711    12  the disk is full, and has been so since",
        "                  the morning",
    ]
    assert plain(COLUMNS, [["main", "4711", "12", why]], 40)[1:] == [
        "main    12",
        "    the disk is full, and has been so",
        "    since the morning",
    ]


def test_columns_that_must_stay_go_on_in_a_second_line() -> None:
    columns = (Column("One"), Column("Two"), Column("Three"), Column("Four"))
    assert plain(columns, [["1" * 8, "2" * 8, "3" * 8, "4"]], 20) == [
        "One       Two",
        "    Three     Four",
        "11111111  22222222",
        "    33333333  4",
    ]


def test_what_has_nothing_behind_it_takes_no_room_from_the_others() -> None:
    assert plain((Column("What"), Column("Id")), [["a long text", ""], ["a", "7"]], 80) == [
        "What  Id",
        "a long text",
        "a     7",
    ]


def test_a_path_longer_than_a_line_is_not_broken() -> None:
    text = Text("is it /a/path/without/end or not?")
    assert [line.plain for line in wrap_words(text, 12)] == [
        "is it",
        "/a/path/without/end",
        "or not?",
    ]


words = st.text("abc你", min_size=1, max_size=50)
cells = st.lists(words, max_size=6).map(" ".join)


@given(st.lists(st.lists(cells, min_size=4, max_size=4), max_size=4), st.integers(10, 120))
def test_every_word_stays_whole_and_in_order_at_every_width(
    rows: list[list[str]], width: int
) -> None:
    columns = (NAME, Column("Two", drop=1), Column("Three", right=True), Column("Four"))
    layout = lay_out_table(columns, rows, width)
    kept = [index for index, each in enumerate(columns) if each.heading not in layout.left_out]
    expected = [columns[index].heading for index in kept]
    expected += [word for row in rows for index in kept for word in row[index].split()]
    assert [word for line in layout.lines for word in line.plain.split()] == expected


def test_no_cell_controls_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["a\x9b31mb", "\u202ec"], ["d\u200b", "e"]]
    layout = lay_out_table([Column("One"), Column("Two")], rows, PIPE_WIDTH)
    print_lines(stdout_console(), layout.lines)
    assert capsys.readouterr().out.split() == [
        *("One", "Two"),
        *("a\\x9b31mb", "\\u202ec"),
        *("d\\u200b", "e"),
    ]
