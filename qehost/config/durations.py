"""Durations as settings and options have them: `90s`, `15m`, `12h`, `7d`."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["DURATION_PATTERN", "MAX_SECONDS", "parse_duration"]

DURATION_PATTERN = r"\d+(\.\d+)?[smhd]"
"""A regular expression that they match."""
MAX_SECONDS = 3e9
"""95 years, which every clock can count."""

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@lru_cache  # plugins ask for what their settings say at each event
def parse_duration(text: str) -> float:
    """A duration such as `90s`, `15m`, `12h` or `7d` in seconds, at most 3e9.

    Raises ValueError for any other text.
    """
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(f"{text!r} is no duration: write 90s, 15m, 12h or 7d")
    return min(float(text[:-1]) * SECONDS[text[-1]], MAX_SECONDS)
