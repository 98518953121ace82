"""Sizes, durations and times: what options take, and how they are printed."""

from __future__ import annotations

import time

import click
import pytest

from qehost.cli.units import (
    DURATION,
    SIZE,
    TIME,
    format_count,
    format_duration,
    format_latency,
    format_local_time,
    format_size,
    format_utc,
)

AT = 1_795_599_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25T09:30:00Z", AT * 10**9),
        ("2026-11-25T09:30:00.25+00:00", AT * 10**9 + 250_000_000),
    ],
)
def test_times_with_an_offset_are_exact(text: str, expected: int) -> None:
    assert TIME.convert(text, None, None) == expected


def test_a_time_of_today_is_local() -> None:
    today = time.localtime()
    expected = time.mktime((today.tm_year, today.tm_mon, today.tm_mday, 9, 5, 0, 0, 0, -1))
    assert TIME.convert("09:05", None, None) == TIME.convert("9:05", None, None)
    assert TIME.convert("9:05", None, None) == int(expected) * 10**9


def test_a_duration_as_a_time_is_that_long_ago() -> None:
    before = time.time_ns()
    assert before <= TIME.convert("15m", None, None) + 900 * 10**9 <= time.time_ns()


@pytest.mark.parametrize(
    ("text", "expected"), [("500", 500), ("1k", 1024), ("2M", 2 << 20), ("1.5GiB", 3 << 29)]
)
def test_sizes_are_bytes(text: str, expected: int) -> None:
    assert SIZE.convert(text, None, None) == expected


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        (DURATION, "7", "write 90s, 15m, 12h or 7d"),
        (TIME, "noon", "write 15m"),
        (SIZE, "big", "write 500M or 20G"),
    ],
)
def test_what_is_none_is_refused_with_examples(kind: click.ParamType, text: str, why: str) -> None:
    with pytest.raises(click.BadParameter, match=why):
        kind.convert(text, None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.9, "59 s"), (60, "1 m"), (3_661, "1 h 1 m"), (90_000, "1 d 1 h")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 µs"),
        (8e-6, "8.0 µs"),
        (12e-6, "12 µs"),
        (0.0034, "3.4 ms"),
        (1.25, "1.25 s"),
        (125.0, "2 m 5 s"),
    ],
)
def test_latencies_have_two_digits_or_three(seconds: float, text: str) -> None:
    assert format_latency(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1_023, "1,023 B"), (1 << 20, "1.0 MiB"), (1 << 41, "2,048.0 GiB")],
)
def test_sizes_are_in_units_of_1024(size: int, text: str) -> None:
    assert format_size(size) == text


def test_counts_have_the_nouns_plural() -> None:
    counts = [format_count(number, "event") for number in (0, 1, 1_234)]
    assert counts == ["0 events", "1 event", "1,234 events"]


def test_a_moment_is_printed_in_local_time_and_in_utc() -> None:
    assert format_utc(AT) == "2026-11-25 09:30:00 UTC"
    local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(AT))
    assert format_local_time(AT * 10**9 + 7_000_000) == f"{local}.007"
