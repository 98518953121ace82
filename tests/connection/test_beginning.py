"""Which orders count as new, by since when an account is listened to."""

from __future__ import annotations

import json

import pytest

from qehost.connection.beginning import Beginning
from qehost.connection.catch_up import Window
from qehost.events.codec import expand
from qehost.events.order_records import KnownOrders
from qehost.events.pipeline import Pipeline
from qehost.rest.clock import VenueClock
from qehost.simulator.orders import rfc3339

SECOND = 10**9
NOW = 1_790_000_000.0
"""The venue's time at the monotonic 0."""


class Clock(VenueClock):
    """The venue's, by the monotonic clock of the test."""

    def __init__(self) -> None:
        super().__init__(lambda: 0, lambda: 0.0)
        self.ahead = 0.0

    def at(self, monotonic: float) -> float:
        return NOW + monotonic + self.ahead


class Account:
    def __init__(self, last_heard: int = 0, *, lacks_baseline: bool = False) -> None:
        self.clock = Clock()
        self.pipeline = Pipeline("main")
        if lacks_baseline:
            self.pipeline.adopt(KnownOrders(lacks_baseline=True))
        self.beginning = Beginning(self.pipeline, self.clock, last_heard)
        self.number = 0

    def first_push(self, created: float) -> list[str]:
        """The events of an order that was made then (monotonic), and of which 7 are filled."""
        self.number += 1
        made = rfc3339(round((NOW + created) * 1000))
        data = {"id": f"i{self.number}", "orderId": f"o{self.number}", "masterOrderId": "m"}
        data |= {"status": "PLACED", "filledQuantity": "7", "averagePrice": "2"}
        data |= {"createdAt": made, "updatedAt": made}
        outer = {"type": "order_data", "messageId": str(self.number), "data": json.dumps(data)}
        records = self.pipeline.feed([json.dumps(outer)], round(NOW * SECOND))
        return [event.kind + "*" * event.redelivered for event in expand(records)]


def test_without_a_baseline_what_is_older_than_the_opening_is_no_fill() -> None:
    account = Account()
    assert account.beginning.opened(100.0) == 0
    assert account.first_push(101.0) == ["order", "fill"]
    assert account.first_push(99.0) == ["order", "error"]
    assert account.beginning.opened(500.0) == 0, "later streams follow the first one"
    assert account.first_push(101.0) == ["order", "fill"]


def test_the_opening_is_known_better_when_the_venue_s_time_was_measured() -> None:
    account = Account()
    account.clock.ahead = 3600.0  # as this machine's clock says
    account.beginning.opened(100.0)
    account.clock.ahead = 0.0
    account.beginning.correct()
    assert account.first_push(101.0) == ["order", "fill"]
    assert account.first_push(99.0) == ["order", "error"]


def test_with_a_baseline_what_happened_since_it_was_asked_for_is_to_be_read() -> None:
    account = Account()
    asked_at = round((NOW + 90) * SECOND)
    assert account.beginning.known_at(asked_at) is None
    assert account.beginning.opened(100.0) == asked_at
    assert account.first_push(95.0) == ["order", "fill"]
    assert account.first_push(-3600.0) == ["order", "error"]


def test_an_order_that_may_be_older_than_a_baseline_by_an_inexact_clock_has_marked_fills() -> None:
    account = Account()
    account.beginning.known_at(round((NOW + 90) * SECOND), 5 * SECOND)
    account.beginning.opened(100.0)
    assert account.first_push(93.0) == ["order", "fill*"]
    assert account.first_push(96.0) == ["order", "fill"]


@pytest.mark.parametrize("asked", [90.0, 110.0])
def test_a_baseline_may_come_when_the_stream_is_open(asked: float) -> None:
    account = Account()
    account.beginning.opened(100.0)
    missed = account.beginning.known_at(round((NOW + asked) * SECOND))
    opened_at = round((NOW + 100) * SECOND)
    assert missed == (Window(round((NOW + 90) * SECOND), opened_at) if asked < 100 else None)
    assert account.first_push(101.0) == ["order", "fill"]


def test_where_an_earlier_process_listened_everything_since_is_new() -> None:
    account = Account(round(NOW * SECOND))
    assert account.beginning.opened(100.0) == round(NOW * SECOND)
    assert account.first_push(1.0) == ["order", "fill"]
    assert account.first_push(-3600.0) == ["order", "error"]


def test_a_clock_that_was_set_back_while_the_program_was_stopped_hides_no_new_order() -> None:
    pipeline = Pipeline("main")
    pipeline.clock_offset = 0
    venue_ms = [round((NOW - 86_400) * 1000)]
    clock = VenueClock(lambda: venue_ms[0], lambda: NOW)
    beginning = Beginning(pipeline, clock, round(NOW * SECOND))
    clock.measure()
    beginning.correct()
    account = Account()
    account.pipeline = pipeline
    assert account.first_push(-86_000.0) == ["order", "fill*"]


@pytest.mark.parametrize(("expected", "ahead"), [(0, 3600), (-3600, 0), (-3600, -3600)])
def test_a_doubt_holds_until_then_by_the_venue_s_clock_as_it_turns_out_to_be(
    expected: int, ahead: int
) -> None:
    pipeline = Pipeline("main")
    pipeline.clock_offset = expected * SECOND
    pipeline.doubt(round((NOW + expected) * SECOND))  # as it was expected then
    clock = VenueClock(lambda: round((NOW + ahead) * 1000), lambda: NOW)
    beginning = Beginning(pipeline, clock, round((NOW - 7200) * SECOND))
    clock.measure()
    for _ in range(2):
        beginning.correct()
        assert pipeline.doubtful_until == round((NOW + ahead) * SECOND)


@pytest.mark.parametrize("is_open", [False, True])
def test_a_baseline_that_an_earlier_process_lacked_is_of_when_that_was_heard_last(
    is_open: bool,
) -> None:
    last_heard = round(NOW * SECOND)
    account = Account(last_heard, lacks_baseline=True)
    assert account.pipeline.lacks_baseline
    if is_open:
        assert account.beginning.opened(100.0) == last_heard
        account.beginning.correct()
    assert account.first_push(-1.0) == ["order", "error"]
    assert account.first_push(1.0) == ["order", "fill"], "since then all is new"
    account.beginning.known_at(round((NOW + 90) * SECOND))
    assert not account.pipeline.lacks_baseline
    assert account.first_push(1.0) == ["order", "fill"]
    assert account.first_push(-3600.0)[0] == "order"


def test_what_was_noted_by_a_wrong_clock_is_moved_to_where_reading_begins() -> None:
    account = Account(round((NOW + 3600) * SECOND))
    account.beginning.impossible(round((NOW - 86_400) * SECOND))
    assert account.first_push(1.0) == ["order", "fill"]


def test_after_the_venue_set_its_clock_back_new_orders_are_new_and_what_may_be_old_is_marked() -> (
    None
):
    account = Account(round(NOW * SECOND))
    account.beginning.opened(100.0)
    account.clock.set_back = 86_400.0
    account.beginning.correct()
    assert account.first_push(-86_000.0) == ["order", "fill*"]
    assert account.first_push(1.0) == ["order", "fill"]
    assert account.first_push(-90_000.0) == ["order", "error"]
