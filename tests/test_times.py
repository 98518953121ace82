"""The venue's forms of time."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.times import created_ms, epoch_ms

MS = 1_720_000_000_123


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
        ("1719999999000123456", 1719999999000123456),
    ],
)
def test_a_time_is_read_in_each_of_its_forms(text: str, expected: int) -> None:
    assert epoch_ms(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("1719999999000", 1719999999000),
        ("1719999999", 1719999999),
        ("1719999999000.0", 1719999999000),
        ("2024-07-03T09:46:40.123Z", MS),
    ],
)
def test_a_creation_time_as_a_number_is_taken_as_it_is(text: str, expected: int) -> None:
    assert created_ms(text) == expected


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2024-13-01T00:00:00Z", "9" * 5000, "1e999999999", "nan", "1_000", "²", "-", "T"],
)
@pytest.mark.parametrize("read", [epoch_ms, created_ms])
def test_what_is_no_time_is_an_error(read: object, text: str) -> None:
    assert callable(read)
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        read(text)


@given(st.text())
def test_any_other_text_is_an_error_and_nothing_else(text: str) -> None:
    for read in (epoch_ms, created_ms):
        with suppress(ValueError):
            assert -(2**63) <= read(text) < 2**63


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1)))
def test_a_remembered_second_gives_what_parsing_gives(moment: datetime) -> None:
    text = moment.isoformat(timespec="milliseconds") + "Z"
    expected = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        milliseconds=1
    )
    assert epoch_ms(text) == expected
    assert epoch_ms(text) == expected
