"""When a call is repeated, without a network."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.errors import APIError, ServerError, TransportError
from qehost.rest import Retries
from qehost.rest.clock import VenueClock
from qehost.rest.http import HttpReply
from qehost.rest.replies import read

RNG = random.Random(1)


@given(st.integers(1, 30), st.integers(0))
def test_the_delay_doubles_with_jitter_up_to_its_bound(attempt, seed):
    retries = Retries(attempts=100)
    delay = retries.delay(attempt, TransportError("no answer"), random.Random(seed))
    assert delay is not None
    bound = min(5.0, 0.5 * 2 ** (attempt - 1))
    assert bound / 2 <= delay <= bound


def test_the_last_try_is_the_last():
    assert Retries(attempts=3).delay(3, TransportError("no answer"), RNG) is None


def test_a_wait_that_was_asked_for_is_kept_to_the_full():
    error = ServerError(503, "closed")
    error.retry_after = 7.0
    delay = Retries().delay(1, error, RNG)
    assert delay is not None
    assert delay >= 7.0


def test_an_envelope_of_429_at_http_200_counts_as_busy():
    with pytest.raises(APIError) as caught:
        read(HttpReply(200, {"retry-after": "3"}, b'{"code": 429, "message": "slow down"}'))
    delay = Retries().delay(1, caught.value, RNG)
    assert delay is not None
    assert delay >= 3.0


def test_half_of_the_round_trip_is_subtracted(monkeypatch):
    ticks = iter([10.0, 10.4])
    monkeypatch.setattr("qehost.rest.clock.time.monotonic", lambda: next(ticks))
    clock = VenueClock(lambda: 1_000_000, lambda: 900.0)
    clock.measure()
    assert clock.offset == pytest.approx(1000.0 - (900.0 - 0.2))


def test_a_slow_measurement_is_made_twice_and_the_faster_one_counts(monkeypatch):
    ticks = iter([10.0, 14.0, 20.0, 20.2])
    monkeypatch.setattr("qehost.rest.clock.time.monotonic", lambda: next(ticks))
    clock = VenueClock(lambda: 1_000_000, lambda: 900.0)
    clock.measure()
    assert clock.offset == pytest.approx(100.1)
