"""The venue's forms of time."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.events.times import epoch_ms, made_ms

MS = 1_720_000_000_123


@pytest.mark.parametrize(
    "texts",
    [
        ["2024-07-03T09:46:40Z", "2024-07-03T09:46:40.123Z", "2024-07-03T09:46:40Z"],
        ["2024-07-03T094640.12Z", "2024-07-03T094640.1Z", "2024-07-03T094640.12Z"],
        ["2024-07-03T09:46:40.1Z", "2024-07-03T09:46:40.123Z", "2024-07-03T09:46:40.1Z"],
    ],
)
def test_a_second_that_is_known_does_not_change_what_a_time_is(texts: list[str]) -> None:
    expected = [round(datetime.fromisoformat(text).timestamp() * 1000) for text in texts]
    assert [epoch_ms(text) for text in texts * 2] == expected * 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("0", 0),
        ("1720000000123", MS),
        ("1720000000123.0", MS),
        ("1720000000", MS - 123),
        ("1720000000.123", MS),
        ("1.720000000123e12", MS),
        ("2024-07-03T09:46:40.123Z", MS),
        ("2024-07-03t09:46:40.123z", MS),
        ("2024-07-03 09:46:40.123", MS),
        ("2024-07-03T17:46:40.123+08:00", MS),
        ("2024-07-03T17:46:40.123+0800", MS),
        ("2024-07-03T09:46:40.123456789Z", MS),
        ("2024-07-03T09:46:40.1Z", MS - 23),
        ("2024-07-03T09:46:40Z", MS - 123),
        ("0001-01-01T00:00:00Z", 0),
        ("1719999999000123456", 1719999999000),
        ("1719999999000123", 1719999999000),
        ("-62135596800", 0),
        ("-62135596800000", 0),
    ],
)
def test_a_time_is_read_in_each_of_its_forms(text: str, expected: int) -> None:
    assert epoch_ms(text) == expected


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2024-13-01T00:00:00Z", "9" * 5000, "1e999999999", "nan", "1_000", "²", "-", "T"],
)
def test_what_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        epoch_ms(text)


@given(st.text())
def test_any_other_text_is_an_error_and_nothing_else(text: str) -> None:
    with suppress(ValueError):
        assert abs(epoch_ms(text)) < 10**14


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1)))
def test_a_remembered_second_gives_what_parsing_gives(moment: datetime) -> None:
    text = moment.isoformat(timespec="milliseconds") + "Z"
    expected = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        milliseconds=1
    )
    assert epoch_ms(text) == expected
    assert epoch_ms(text) == expected


def test_when_an_order_was_made_is_the_same_however_often_it_is_read() -> None:
    for text in ("2026-07-03T09:46:39Z", "2026-07-03T09:46:39.123Z", "1712345000217", ""):
        assert [made_ms[text], made_ms[text]] == [epoch_ms(text)] * 2
    for _ in range(2):
        with pytest.raises(ValueError, match="never"):
            made_ms["never"]


def test_what_is_remembered_of_times_is_bounded() -> None:
    for number in range(20_000):
        assert made_ms[str(1_712_345_000_000 + number)] == 1_712_345_000_000 + number
    assert made_ms["0" * 100] == 0
    assert len(made_ms) < 10_000
    assert "0" * 100 not in made_ms


@pytest.mark.parametrize("first", ["2026-07-03T09:47:01Z", "2026-07-03T09:47:01.250Z"])
def test_whole_seconds_are_read_right_after_fractions_and_before(first: str) -> None:
    assert epoch_ms(first) // 1000 == epoch_ms("2026-07-03T09:47:01Z") / 1000 == 1783072021
    assert epoch_ms("2026-07-03T09:47:01.250Z") == 1783072021250
    assert epoch_ms("2026-07-03T09:47:01Z") == 1783072021000
