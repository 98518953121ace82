"""Sizes, durations and times as people write and read them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import click

from qehost.config.durations import DURATION_PATTERN, MAX_SECONDS, parse_duration
from qehost.events.plural import format_count

__all__ = [
    "DURATION",
    "SIZE",
    "TIME",
    "FiniteRange",
    "format_count",
    "format_duration",
    "format_latency",
    "format_local_time",
    "format_size",
    "format_utc",
]

MAX_SIZE = 2**62
BYTES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
SECONDS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


class DurationType(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """`90s`, `15m`, `12h`, `7d` → seconds."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class TimeType(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """A duration (`15m`: that long ago), a time of today, or a date with or without one → epoch ns.

    Local time, unless the text has an offset.
    """

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        if re.fullmatch(DURATION_PATTERN, value):
            return time.time_ns() - int(parse_duration(value) * 1e9)
        text = value
        if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?", value):
            text = f"{datetime.now().date()}T{value.zfill(5) if len(value) < 5 else value}"
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"{value!r} is no time: write 15m (ago), 09:30, 2026-11-25 or 2026-11-25T09:30",
                param,
                ctx,
            )
        try:
            seconds = int(parsed.replace(microsecond=0).timestamp())
        except (ValueError, OverflowError):  # The first and the last years have no local time.
            seconds = 0 if parsed.year < 1970 else MAX_SIZE // 10**9
        # Nothing was received before 1970, and 0 stands for no time at all.
        return max(1, seconds * 10**9 + parsed.microsecond * 1000)


class SizeType(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """`500M`, `20G` → bytes."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        if not (found := re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]?)(i?b)?", value.lower())):
            self.fail(f"{value!r} is no size: write 500M or 20G", param, ctx)
        return int(min(float(found[1]) * BYTES[found[2]], MAX_SIZE))


class FiniteRange(click.FloatRange):
    """A number without NaN and infinity, as far as a clock can count seconds."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        number = super().convert(value, param, ctx)
        if not abs(number) <= MAX_SECONDS:
            self.fail(f"{value!r} is no number up to {MAX_SECONDS:,.0f}", param, ctx)
        return number


DURATION, TIME, SIZE = DurationType(), TimeType(), SizeType()


def format_size(number: float) -> str:
    """`500 B`, `11.8 MiB`, `2,048.0 GiB`"""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"


def format_duration(seconds: float) -> str:
    """Two units at most: `45 s`, `2 m 5 s`, `3 d 4 h`."""
    whole = int(seconds)
    parts: list[str] = []
    for size, unit in SECONDS:
        count, whole = divmod(whole, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 ")) or "0 s"


def format_latency(seconds: float) -> str:
    """`12 µs`, `3.4 ms`, `1.25 s`"""
    for size, unit in ((1e-6, "µs"), (1e-3, "ms")):
        if seconds < 1000 * size:
            value = seconds / size
            return f"{value:.0f} {unit}" if value >= 10 or not value else f"{value:.1f} {unit}"
    return f"{seconds:.2f} s" if seconds < 100 else format_duration(seconds)


def format_local_time(epoch_ns: int) -> str:
    """`2026-11-25 09:30:00.123`"""
    time_of_day = datetime.fromtimestamp(epoch_ns // 10**9)
    return f"{time_of_day:%Y-%m-%d %H:%M:%S}.{epoch_ns // 10**6 % 1000:03d}"


def format_utc(epoch_seconds: float) -> str:
    """`2026-11-25 08:30:00 UTC`"""
    return f"{datetime.fromtimestamp(epoch_seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
