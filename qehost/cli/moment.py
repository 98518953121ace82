"""What people type for a time and a size."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any

import click

from qehost.config.loading import LONGEST, seconds

__all__ = ["AGE", "MOMENT", "SIZE", "FiniteRange"]

LARGEST = 2**62
BYTES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


class Age(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """`90s`, `15m`, `12h`, `7d` → seconds."""

    name = "age"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        if not re.fullmatch(r"\d+(?:\.\d+)?[smhd]", value):
            self.fail(f"{value!r} is no age: write 90s, 15m, 12h or 7d", param, ctx)
        return seconds(value)


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """An age (`15m`: that long ago), a time of today, or a date with or without one → epoch ns.

    Local time, unless the text has an offset.
    """

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        if re.fullmatch(r"\d+(\.\d+)?[smhd]", value):
            return time.time_ns() - int(AGE.convert(value, param, ctx) * 1e9)
        text = value
        if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?", value):
            text = f"{datetime.now().date()}T{value.zfill(5) if len(value) < 5 else value}"
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"{value!r} is no time: write 15m (ago), 09:30, 2026-11-25 or 2026-11-25T09:30",
                param,
                ctx,
            )
        try:
            whole = int(moment.replace(microsecond=0).timestamp())
        except (ValueError, OverflowError):  # The first and the last years have no local time.
            whole = 0 if moment.year < 1970 else LARGEST // 10**9
        # Nothing was received before 1970 either, and 0 is no moment.
        return max(1, whole * 10**9 + moment.microsecond * 1000)


class Size(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """`500M`, `20G` → bytes."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        if not (found := re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]?)(i?b)?", value.lower())):
            self.fail(f"{value!r} is no size: write 500M or 20G", param, ctx)
        return int(min(float(found[1]) * BYTES[found[2]], LARGEST))


class FiniteRange(click.FloatRange):
    """A number that is one (`nan` is a float, too), of seconds that a clock can wait for."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        number = super().convert(value, param, ctx)
        if not abs(number) <= LONGEST:
            self.fail(f"{value!r} is no number up to {LONGEST:,.0f}", param, ctx)
        return number


AGE, MOMENT, SIZE = Age(), Moment(), Size()
