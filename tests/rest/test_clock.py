"""The venue's time, whatever clock is set, on clocks that only the tests move."""

from __future__ import annotations

import pytest

from qehost.errors import ServerError, TransportError
from qehost.rest import API
from qehost.rest.clock import MEASURE_EVERY, RETRY_AFTER, VenueClock

START = 1_790_000_000.0


class Clocks:
    """This machine's two, the venue's, and what became of asking for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine = self.venue = START
        self.monotonic = 50.0
        self.asked = 0
        self.is_reachable = True
        monkeypatch.setattr("qehost.rest.clock.time.monotonic", lambda: self.monotonic)
        self.clock = VenueClock(self.read, lambda: self.machine)

    def read(self) -> int:
        self.asked += 1
        if not self.is_reachable:
            raise TransportError("no answer")
        return round(self.venue * 1000)

    def pass_(self, seconds: float) -> None:
        self.machine += seconds
        self.venue += seconds
        self.monotonic += seconds

    def sleep(self, seconds: float) -> None:
        """The machine is suspended, or its virtual machine is paused and its clock then set."""
        self.machine += seconds
        self.venue += seconds

    def measured(self) -> float:
        return self.clock.now_ms() / 1000


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def test_the_venue_s_time_is_known_of_earlier_moments_too(clocks: Clocks) -> None:
    clocks.machine -= 90
    then, venue = clocks.monotonic, clocks.venue
    clocks.pass_(20)
    clocks.measured()
    assert clocks.clock.at(then) == pytest.approx(venue)


def test_it_is_known_how_inexact_the_venue_s_time_is(
    clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_answer() -> int:
        venue = clocks.read()
        clocks.pass_(0.3)
        return venue

    monkeypatch.setattr(clocks.clock, "_read", slow_answer)
    clocks.measured()
    assert clocks.clock.now() - clocks.venue == pytest.approx(-0.15)
    assert clocks.clock.inexact == pytest.approx(0.15)


def test_an_answer_that_is_slower_than_the_slow_one_before_it_does_not_count_as_an_offset(
    clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = iter([1.5, 8.0])

    def slow_answer() -> int:
        seconds = next(slow)
        clocks.pass_(seconds / 2)
        venue = clocks.read()
        clocks.pass_(seconds / 2)
        return venue

    monkeypatch.setattr(clocks.clock, "_read", slow_answer)
    clocks.clock.expect(0.0)
    clocks.measured()
    assert clocks.asked == 2
    assert clocks.clock.offset == pytest.approx(0.0)
    assert clocks.clock.set_back == 0.0
    assert clocks.measured() == pytest.approx(clocks.venue)


def test_only_the_venue_can_set_its_clock_back(clocks: Clocks) -> None:
    clocks.machine += 90
    clocks.measured()
    clocks.pass_(1)
    clocks.machine -= 5000
    clocks.measured()
    clocks.sleep(1000)
    clocks.measured()
    assert clocks.clock.set_back == 0
    clocks.venue -= 300
    clocks.clock.measure()
    assert clocks.clock.set_back == pytest.approx(300)


def test_a_clock_that_was_set_back_while_nobody_measured_it_is_seen_by_the_offset_before(
    clocks: Clocks,
) -> None:
    clocks.clock.expect(-90.0)
    clocks.venue -= 290
    clocks.measured()
    assert clocks.clock.set_back == pytest.approx(200)


@pytest.mark.parametrize(("now", "ahead"), [(-90.0, 0), (-90.5, 0), (-290.0, 0), (10.0, 100)])
def test_a_clock_that_is_ahead_of_what_was_expected_is_seen_by_the_first_offset(
    now: float, ahead: float, clocks: Clocks
) -> None:
    clocks.clock.expect(-90.0)
    clocks.venue += now
    clocks.measured()
    assert clocks.clock.was_ahead == pytest.approx(ahead)


@pytest.mark.parametrize("now", [-90.0, -90.5, 10.0])
def test_an_offset_that_is_the_same_or_greater_is_no_clock_that_was_set_back(
    now: float, clocks: Clocks
) -> None:
    clocks.clock.expect(-90.0)
    clocks.venue += now
    clocks.measured()
    assert clocks.clock.set_back == 0


def test_a_measurement_that_failed_is_due_when_the_venue_was_reached(clocks: Clocks) -> None:
    clocks.is_reachable = False
    clocks.machine -= 90
    clocks.measured()
    clocks.is_reachable = True
    assert clocks.clock.reachable()
    assert clocks.measured() == pytest.approx(clocks.venue)
    assert not clocks.clock.reachable()


def test_it_is_measured_once_and_then_every_ten_minutes(clocks: Clocks) -> None:
    clocks.machine -= 90
    assert clocks.clock.now() == clocks.machine
    for _ in range(10):
        assert clocks.measured() == clocks.venue
        clocks.pass_(1)
    assert clocks.asked == 1
    assert clocks.clock.offset == 90
    clocks.pass_(MEASURE_EVERY)
    clocks.measured()
    assert clocks.asked == 2


@pytest.mark.parametrize("step", [-86_400, -180, 180, 86_400])
def test_a_step_of_this_machines_clock_changes_nothing(clocks: Clocks, step: float) -> None:
    clocks.measured()
    clocks.machine += step
    assert clocks.clock.now() == clocks.venue
    assert clocks.measured() == clocks.venue
    assert clocks.asked == 2
    assert clocks.clock.offset == -step
    assert clocks.clock.jumped == 0


@pytest.mark.parametrize("step", [-86_400, -180, 180, 86_400])
def test_nor_does_one_while_the_venue_cant_be_asked(clocks: Clocks, step: float) -> None:
    clocks.measured()
    clocks.is_reachable = False
    clocks.machine += step
    assert clocks.measured() == clocks.venue
    assert clocks.measured() == clocks.venue
    assert clocks.asked == 2, "it is not asked again with each call"
    clocks.is_reachable = True
    clocks.pass_(RETRY_AFTER)
    clocks.measured()
    assert clocks.asked == 3


def test_after_a_sleep_it_is_measured_again(clocks: Clocks) -> None:
    clocks.measured()
    clocks.sleep(8 * 3600)
    assert clocks.clock.now() <= clocks.venue, "until then it is behind, never ahead"
    assert clocks.measured() == clocks.venue
    assert clocks.clock.jumped == 8 * 3600


def test_corrections_forwards_and_backwards_add_up(clocks: Clocks) -> None:
    clocks.machine += 5
    clocks.measured()
    for step in (-100, 300, 0.2):
        clocks.venue += step
        clocks.clock.measure()
        assert clocks.measured() == pytest.approx(clocks.venue, abs=0.001)
    assert clocks.clock.jumped == pytest.approx(5 + 100 + 300)


def test_what_is_known_of_the_clock_is_logged_once(
    clocks: Clocks, caplog: pytest.LogCaptureFixture
) -> None:
    clocks.machine += 90
    for _ in range(5):
        clocks.measured()
        clocks.pass_(MEASURE_EVERY)
    assert caplog.text.count("this machine's clock is 90.0 s ahead of the venue's") == 1


# --- over REST ---------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [0, 1_735_372_000, "true", -1, 10**18])
def test_a_time_that_can_not_be_right_is_refused(venue, api: API, answer: object) -> None:
    venue.now_ms = lambda: answer
    assert api.clock_offset() == 0
    assert api.venue_clock.now() == 1_735_372_000.0
    with pytest.raises(ServerError):
        api.venue_clock.measure()


@pytest.mark.parametrize("call", ["get_master_order_v2", "pause_master_order_v2"])
@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (401, "UNAUTHORIZED", "no"),
        (403, "FORBIDDEN", ""),
        (400, "REQUEST_EXPIRED", "the request has expired"),
    ],
)
def test_any_refusal_of_a_signed_call_may_mean_that_a_clock_was_set(
    venue, api: API, call: str, status: int, reason: str, message: str
) -> None:
    api.clock_offset()
    venue.now_ms = lambda: 1_735_372_900_000
    venue.answers = [venue.refusal(status, reason, message), venue.result({"success": True})]
    getattr(api, call)("m1")
    assert int(venue.requests[1].fields["timestamp"]) == pytest.approx(1_735_372_900_000, abs=5000)


def test_a_refusal_that_is_not_the_clocks_is_not_tried_again(venue, api: API) -> None:
    api.clock_offset()
    venue.answers = [venue.refusal(401, "UNAUTHORIZED", "no")]
    with pytest.raises(Exception, match="UNAUTHORIZED"):
        api.get_master_order_v2("m1")
    assert venue.answers == []
