"""How long a journal still has what a plugin waits for."""

from __future__ import annotations

import pytest

from qehost.supervisor.journal_lifetime import journal_lasts


@pytest.mark.parametrize(
    ("waiting", "waiting_for", "keep_bytes", "seconds"),
    [
        (100, 60.0, 4000, 180.0),  # 1000 bytes a minute, and 3000 are left
        (50, 60.0, 4000, 420.0),
        (100, 60.0, 1000, 1.0),  # it is full
        (100, 60.0, 500, 1.0),
        (500, 60.0, 4000, 180.0),  # of which some are not in the journal any more
        (100, 60.0, 0, 0.0),  # no bound
        (0, 0.0, 4000, 0.0),
    ],
)
def test_it_lasts_as_long_as_there_is_room_at_the_pace_of_now(
    waiting: int, waiting_for: float, keep_bytes: int, seconds: float
) -> None:
    found = journal_lasts(
        total_bytes=1000,
        events=100,
        waiting=waiting,
        waiting_for=waiting_for,
        keep_bytes=keep_bytes,
    )
    assert found == pytest.approx(seconds)
