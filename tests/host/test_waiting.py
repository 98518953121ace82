"""How long a plugin waits: as it asks for, or longer each time."""

from __future__ import annotations

import pytest

from qehost.errors import Retry
from qehost.host.waiting import Waiting, reason_of
from qehost.secret import Secret


def test_without_a_wish_the_delay_doubles_up_to_a_minute() -> None:
    waiting = Waiting(1000.0)
    delays = [waiting.failed(ValueError("no"), 0.0, 1000.0) for _ in range(8)]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (waiting.attempts, waiting.since) == (8, 1000.0)


def test_what_a_retry_asks_for_holds_on_both_clocks() -> None:
    waiting = Waiting(1000.0)
    assert waiting.failed(Retry(2.5), 10.0, 1000.0) == 2.5
    assert (waiting.due, waiting.next_try) == (12.5, 1002.5)


@pytest.mark.parametrize(
    ("asked", "delay"),
    [(-3, 0.05), (0, 0.05), (1e300, 86_400), (float("inf"), 86_400), (float("nan"), 1), ("5", 1)],
)
def test_a_wish_that_makes_no_sense_has_a_bound(asked: object, delay: float) -> None:
    assert Waiting(0.0).failed(Retry(asked), 0.0, 0.0) == delay  # type: ignore[arg-type]


def test_the_reason_is_the_plugins_or_what_it_was_raised_from() -> None:
    class Nasty:
        def __str__(self) -> str:
            raise RuntimeError

    assert reason_of(Retry(1, "no database")) == "no database"
    assert reason_of(Retry()) == "try again later"
    assert reason_of(Retry(1, Nasty())) == "Retry"  # type: ignore[arg-type]
    assert reason_of(ValueError("no")) == "ValueError: no"
    bare = Retry()
    bare.__cause__ = TimeoutError("10 s")
    assert reason_of(bare) == "TimeoutError: 10 s"


def test_the_reason_holds_no_secret() -> None:
    token = Secret("0123456789abcdef").reveal()
    for error in (Retry(1, f"no {token}"), ValueError(f"no {token}")):
        assert "••••" in reason_of(error)
        assert token not in reason_of(error)
