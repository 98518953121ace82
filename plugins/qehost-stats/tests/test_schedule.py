"""An even schedule, and how far an order was from it."""

from decimal import Decimal

from qehost_stats.schedule import Plan, deviation, pauses, progress
from qehost_stats.traces import Stroke, Terms

D = Decimal


def test_the_plan_stands_still_while_the_order_is_paused():
    plan = Plan(1000, 1000, ((1200, 1700),))
    shares = [plan.share(at) for at in (0, 1000, 1200, 1500, 1700, 2000, 2500, 9000)]
    assert shares == [0, 0, D("0.2"), D("0.2"), D("0.2"), D("0.5"), 1, 1]
    assert plan.end == 2500


def test_a_pause_from_before_the_start_does_not_put_it_off():
    assert Plan(1000, 1000, ((500, 900),)).end == 2000
    assert Plan(1000, 1000, ((500, 1300),)).end == 2300


def test_pauses_are_read_off_the_statuses():
    statuses = [(1, "NEW"), (2, "PAUSED"), (5, "PROCESSING"), (7, "PAUSED")]
    assert pauses(statuses, 9) == ((2, 5), (7, 9))


def test_the_extremes_and_the_mean_are_exact():
    # Nothing until the middle, then all of it: 0.5 behind, then 0.5 ahead, each a triangle.
    steps = [(0, D(0)), (500, D(1))]
    found = deviation(Plan(0, 1000, ()), steps, 1000)
    assert found == (D("0.5"), D("0.5"), D("0.25"))


def test_a_line_that_crosses_zero_counts_on_both_sides():
    # 0.5 is filled at once: 0.5 ahead at the start, 0.5 behind at the end.
    found = deviation(Plan(0, 1000, ()), [(0, D("0.5"))], 1000)
    assert found == (D("0.5"), D("0.5"), D("0.25"))


def test_after_the_planned_end_what_is_missing_is_behind():
    found = deviation(Plan(0, 100, ()), [(0, D(1) / 2)], 1100)
    assert found.behind == D("0.5")
    assert abs(found.mean - (D(25) + 500) / 1100) < D("1e-18")


def test_the_share_is_of_what_was_ordered_then():
    fills = [Stroke(10, D(1), D(100), D(100)), Stroke(30, D(1), D(100), D(100))]
    terms = [Terms(0, D(4), False, 1.0), Terms(20, D(2), False, 1.0)]
    assert progress(fills, terms, 0, 40) == [
        (0, D(0)),
        (10, D("0.25")),
        (20, D("0.5")),
        (30, D(1)),
    ]


def test_an_order_by_value_is_measured_by_value():
    fills = [Stroke(10, D(1), D(100), D(100))]
    assert progress(fills, [Terms(0, D(400), True, 1.0)], 0, 40)[-1] == (10, D("0.25"))


def test_no_time_and_no_schedule_is_no_deviation():
    assert deviation(Plan(0, 0, ()), [(0, D(1))], 10) is None
    assert deviation(Plan(10, 100, ()), [(0, D(1))], 10) is None


def test_a_twap_has_a_deviation_and_its_tolerance_is_looked_at(life):
    order = life(
        algorithm="TWAP",
        side="buy",
        total_quantity="1",
        execution_duration_seconds=100,
        up_tolerance="0.6",
        low_tolerance="0.1",
    )
    order.master(0, "NEW")
    order.child(0, 1)
    order.child(20, 1, "0.5")
    order.fill(20, "0.5", "100", cum="0.5")
    order.child(40, 1, "1", status="FILLED")
    order.fill(40, "0.5", "100", cum="1")
    order.master(100, "COMPLETED", cum_filled_qty="1", avg_filled_price="100")
    made = order.figures()
    assert (made.ahead_max, made.behind_max) == (D("0.6"), D("0.2"))
    assert made.within_tolerance is False


def test_other_algorithms_have_no_deviation_but_a_reason(life):
    order = life(algorithm="VWAP", side="buy", total_quantity="1")
    order.master(0, "NEW")
    made = order.figures(now=50)
    assert (made.ahead_max, made.behind_max, made.deviation_mean) == (None, None, None)
    assert made.absent["ahead_max"] == "VWAP has no even schedule"
