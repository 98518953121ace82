"""Durations as settings and options have them."""

from __future__ import annotations

import pytest

from qehost.config.durations import MAX_SECONDS, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", 90.0), ("15m", 900.0), ("1.5h", 5400.0), ("7d", 604_800.0), ("9" * 400 + "d", 3e9)],
)
def test_a_duration_is_seconds_at_most_as_many_as_a_clock_counts(
    text: str, expected: float
) -> None:
    assert parse_duration(text) == expected <= MAX_SECONDS


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "7 d", "7w", "1e3s", "7d7d"])
def test_any_other_text_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration: write 90s, 15m, 12h or 7d"):
        parse_duration(text)
