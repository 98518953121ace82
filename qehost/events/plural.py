"""Numbers with what they count, in texts for people."""

from __future__ import annotations

__all__ = ["format_count", "format_times"]


def format_count(number: int, one: str, many: str = "") -> str:
    """`1 plugin`, `2 plugins`, `1,234 plugins`; `many` where it takes more than an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def format_times(number: int) -> str:
    """`once`, `2 times`, `1,234 times`"""
    return "once" if number == 1 else f"{number:,} times"
