"""Times of day: hours in which nothing is sent, and when the digest is due.  No I/O."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta, tzinfo

import msgspec

__all__ = ["Quiet", "last_time", "time_of_day"]

_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")


def time_of_day(text: str) -> time:
    """Of `22:00`.  Raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError("expected a time of day, such as 18:00")
    return time.fromisoformat(text)


def last_time(clock: time, now: float, zone: tzinfo | None, days: int = 0) -> datetime:
    """When it was so late last, or so many days before that.  `now` is epoch seconds."""
    local = datetime.fromtimestamp(now, zone)
    found = local.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0, fold=0)
    back = timedelta(days=days + (found.timestamp() > now))
    return (found - back).astimezone(zone)


class Quiet(msgspec.Struct, frozen=True):
    """From `begin` to `end`, over midnight where it ends earlier than it begins."""

    begin: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Quiet:
        """Of `22:00-07:00`.  Raises ValueError."""
        begin, _, end = text.replace(" ", "").partition("-")
        try:
            made = cls(time_of_day(begin), time_of_day(end))
        except ValueError:
            made = None
        if made is None or made.begin == made.end:
            raise ValueError("expected two times of day, such as 22:00-07:00")
        return made

    def until(self, now: float, zone: tzinfo | None) -> float:
        """When it is over, if it is quiet at `now`; else `now`.  Both epoch seconds."""
        # An aware time, so that a night in which the clocks change ends at its hour.
        local = datetime.fromtimestamp(now, zone)
        clock = local.time()
        if self.begin < self.end:
            is_quiet = self.begin <= clock < self.end
        else:
            is_quiet = clock >= self.begin or clock < self.end
        if not is_quiet:
            return now
        end = local.replace(hour=self.end.hour, minute=self.end.minute, second=0, microsecond=0)
        if end <= local:
            end += timedelta(days=1)
        return max(now, end.timestamp())
