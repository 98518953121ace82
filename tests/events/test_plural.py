"""One is no plural."""

from __future__ import annotations

import pytest

from qehost.events.plural import format_count, format_times


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 plugins"), (1, "1 plugin"), (2, "2 plugins"), (1234, "1,234 plugins")],
)
def test_a_number_stands_with_its_noun(number: int, text: str) -> None:
    assert format_count(number, "plugin") == text


def test_what_takes_more_than_an_s_is_given() -> None:
    assert format_count(1, "event was", "events were") == "1 event was"
    assert format_count(2, "event was", "events were") == "2 events were"


def test_once_is_a_word() -> None:
    assert [format_times(n) for n in (1, 2, 1000)] == ["once", "2 times", "1,000 times"]
