"""Quiet hours."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from qehost_notify.hours import Quiet

ZONE = ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        ("22:00-07:00", "2026-11-27T21:59", "2026-11-27T21:59"),
        ("22:00-07:00", "2026-11-27T22:00", "2026-11-28T07:00"),
        ("22:00-07:00", "2026-11-28T06:59", "2026-11-28T07:00"),
        ("22:00-07:00", "2026-11-28T07:00", "2026-11-28T07:00"),
        ("12:00-13:30", "2026-11-28T12:10", "2026-11-28T13:30"),
        ("12:00-13:30", "2026-11-28T13:30", "2026-11-28T13:30"),
        ("22:00-07:00", "2026-10-24T23:00", "2026-10-25T07:00"),  # the clocks go back that night
    ],
)
def test_it_is_quiet_until_its_end(hours: str, now: str, until: str) -> None:
    assert Quiet.parse(hours).until(at(now), ZONE) == at(until)


@pytest.mark.parametrize("hours", ["22-7", "22:00", "24:00-07:00", "07:00-07:00", "a:b-c:d"])
def test_what_is_no_time_is_refused(hours: str) -> None:
    with pytest.raises(ValueError, match="expected two times of day"):
        Quiet.parse(hours)
