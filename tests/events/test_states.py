"""Which of two states is later, and whether they are one."""

from __future__ import annotations

import json

import pytest

from qehost.events.states import (
    FINAL,
    differ,
    is_another_time,
    is_exactly_later,
    is_later,
    is_older,
)

WHOLE, FINE = 1_783_072_001_000, 1_783_072_001_250


@pytest.mark.parametrize(
    ("moment", "than", "older"),
    [
        (FINE - 1, FINE, True),
        (FINE, FINE, False),
        (WHOLE, FINE, False),  # it may have been up to a second later
        (WHOLE - 1000, FINE, True),
        (0, FINE, False),
        (FINE, 0, False),
    ],
)
def test_rest_is_older_only_where_that_is_certain(moment: int, than: int, older: bool) -> None:
    assert is_older(moment, than) is older


@pytest.mark.parametrize(
    ("moment", "than", "later"),
    [(FINE, WHOLE, False), (WHOLE + 1000, WHOLE, True), (FINE, 0, False), (0, FINE, False)],
)
def test_it_is_later_only_where_that_is_certain(moment: int, than: int, later: bool) -> None:
    assert is_later(moment, than) is later


@pytest.mark.parametrize(
    ("moment", "than", "later"),
    [
        (FINE + 1, FINE, True),
        (FINE, FINE, False),
        (FINE, FINE + 1, False),
        (FINE, WHOLE, False),  # that may have been written less exactly
        (0, FINE, False),
        (FINE, 0, False),
    ],
)
def test_it_is_exactly_later_where_the_other_time_is_exact(
    moment: int, than: int, later: bool
) -> None:
    assert is_exactly_later(moment, than) is later


def test_two_times_in_one_second_may_be_one() -> None:
    assert not is_another_time(WHOLE, FINE)
    assert is_another_time(WHOLE, WHOLE + 1000)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"x": "0.10"}, {"x": "0.1"}),
        ({"x": 1}, {"x": "1E0"}),
        ({"x": "true"}, {"x": 1}),
        ({"x": ""}, {"x": None}),
        ({"x": ""}, {"x": "0.0"}),
        ({"x": {"BNB": "1"}}, {"x": {"BNB": "1.0"}}),
        ({"x": {}}, {"x": None}),
        ({"x": "NEW"}, {"x": "new"}),
        ({"x": "1", "y": "2"}, {"x": "1", "z": "3"}),
        ({"updatedAt": "1"}, {"updatedAt": "2"}),
    ],
)
def test_what_says_the_same_does_not_differ(a: object, b: object) -> None:
    assert not differ(json.dumps(a), json.dumps(b))
    assert not differ(json.dumps(b), json.dumps(a))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"x": "0.1"}, {"x": "0.2"}),
        ({"x": ""}, {"x": "0.1"}),
        ({"x": {"BNB": "1"}}, {"x": {"BNB": "2"}}),
        ({"x": "NEW"}, {"x": "PAUSED"}),
        ({"x": True}, {"x": False}),
    ],
)
def test_what_says_something_else_differs(a: object, b: object) -> None:
    assert differ(json.dumps(a), json.dumps(b))
    assert differ(json.dumps(b), json.dumps(a))


def test_texts_that_are_no_objects_differ_where_they_are_not_equal() -> None:
    assert differ("", "{}")
    assert not differ("x", "x")


def test_a_status_is_final_however_it_is_written() -> None:
    assert {"FILLED", "filled", "Filled", "COMPLETED_WITHTAIL", "Expired"} <= FINAL
    assert not {"PLACED", "Cancelack", "CANCEL_REJECTED", "CANCEL", "CLEANING", ""} & FINAL
