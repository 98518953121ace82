"""The figures of one master order, by hand."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from qehost_stats.figures import with_analysis

D = Decimal


def bought(life, **terms):
    """2 at 101 and 1 at 104, of 4 ordered, first limit 100."""
    order = life(side="buy", total_quantity="4", execution_duration_seconds=100, **terms)
    order.master(0, "NEW")
    order.master(1, "PROCESSING")
    order.child(2, 1, price="100", quantity="2")
    order.child(5, 1, "2", "100", "FILLED", average="101", quantity="2")
    order.fill(5, "2", "101", 1)
    order.child(6, 2, price="104", quantity="2")
    order.child(9, 2, "1", "104", "CANCELLED", quantity="2")
    order.fill(8, "1", "104", 2)
    return order


def end(order, at=100, status="COMPLETED_WITHTAIL", **fields):
    given = {
        "cum_filled_qty": "3",
        "cum_filled_notional": "306",
        "avg_filled_price": "102",
        "finished_ms": 1_764_036_000_000 + at * 1000,
        **fields,
    }
    order.master(at, status, **given)
    return order


def test_a_buy_above_the_first_price_costs(life):
    made = end(bought(life)).figures()
    assert (made.first_price, made.first_price_source) == (D(100), "limit")
    assert made.first_price_delay_s == 2
    assert (made.filled, made.notional, made.average) == (3, 306, 102)
    assert made.first_price_cost == 6
    assert made.first_price_bps == 200


def test_a_sale_above_the_first_price_gains(life):
    order = life(side="sell", total_quantity="1")
    order.master(0, "NEW")
    order.child(2, price="100")
    order.child(3, 1, "1", "100", "FILLED", average="101")
    order.fill(3, "1", "101")
    made = order.figures()
    assert (made.first_price_cost, made.first_price_bps) == (-1, -100)


def test_fill_slippage_has_quantiles_by_nearest_rank(life):
    made = end(bought(life)).figures()
    assert (made.fill_bps_p50, made.fill_bps_p95) == (100, 400)


def test_without_a_limit_the_first_fill_is_the_first_price_and_says_so(life):
    order = life(side="buy", total_quantity="1")
    order.master(0, "NEW")
    order.child(2, price="0", order_type="MARKET", quantity="1", average="100")
    order.child(3, 1, "0.5", "0", average="100", order_type="MARKET", quantity="1")
    order.fill(3, "0.5", "100", cum="0.5")
    order.child(4, 1, "1", "0", "FILLED", average="101", order_type="MARKET", quantity="1")
    order.fill(4, "0.5", "102", cum="1")
    made = order.figures()
    assert (made.first_price, made.first_price_source, made.first_price_delay_s) == (100, "fill", 3)
    assert made.first_price_bps == 100


def test_the_limit_of_a_rejected_child_order_is_no_first_price(life):
    order = life(side="buy", total_quantity="1")
    order.master(0, "NEW")
    order.child(1, 1, price="50", status="REJECTED", reject_reason="too far")
    order.child(2, 2, price="100")
    made = order.figures(now=3)
    assert made.first_price == 100
    assert made.rejects == {"too far": 1}
    assert (made.children, made.children_rejected, made.reject_rate) == (2, 1, D("0.5"))


def test_room_to_the_worst_price_and_a_single_fill_that_broke_it(life):
    made = end(bought(life, worst_price="103")).figures()
    assert abs(made.room_bps - D(10000) / 103) < D("1e-15")
    assert made.worst_fill_price == 104
    assert made.worst_fill_room_bps < 0


def test_without_a_worst_price_there_is_no_room_but_a_reason(life):
    made = end(bought(life)).figures()
    assert made.room_bps is None
    assert "no worst price" in made.absent["room_bps"]


def test_child_orders_that_ended_make_the_fill_rate(life):
    made = end(bought(life)).figures()
    assert (made.child_quantity, made.child_filled, made.fill_rate) == (4, 3, D("0.75"))


def test_a_refused_cancellation_is_no_reject(life):
    order = bought(life)
    order.child(10, 3, price="104", status="CANCEL_REJECTED")
    made = order.figures(now=20)
    assert (made.cancels_rejected, made.children_rejected, made.children_open) == (1, 0, 1)


def test_completion_and_what_is_unfilled(life):
    made = end(bought(life)).figures()
    assert (made.completion, made.unfilled) == (D("0.75"), 1)


def test_an_order_by_value_is_completed_by_value(life):
    order = bought(life, order_notional="612")
    order.terms["total_quantity"] = "0"
    order.events = []
    order.master(0, "NEW")
    order.child(2, 1, price="102", quantity="3")
    order.child(5, 1, "3", "102", "FILLED", quantity="3")
    order.fill(5, "3", "102", 1)
    made = end(order, status="CANCELLED").figures()
    assert made.target_in_quote
    assert (made.completion, made.unfilled) == (D("0.5"), 306)


def test_a_target_position_has_no_completion_and_is_in_no_sum(life):
    made = end(bought(life, is_target_position=True)).figures()
    assert made.completion is None
    assert made.marks == ("target_position",)
    assert not made.is_summed


@pytest.mark.parametrize(
    "terms",
    [
        {"category": "perp_cm"},
        {"category": "perp", "margin_type": "C"},
        {"category": "perp", "exchange": "Deribit"},
    ],
)
def test_inverse_contracts_have_the_venues_average_and_no_notional(life, terms):
    order = bought(life, **terms)
    made = end(order, cum_filled_notional="0.0294", avg_filled_price="101.9").figures()
    assert made.marks[0] == "inverse"
    assert made.average == D("101.9")
    assert made.notional is None
    assert made.first_price_cost is None
    assert made.first_price_bps == 190
    assert not made.is_summed


def test_a_notional_in_other_units_is_marked(life):
    order = bought(life)
    made = end(order, cum_filled_notional="30600", avg_filled_price="102").figures()
    assert made.marks == ("units",)
    assert (made.average, made.notional) == (102, None)


def test_an_order_that_was_there_before_is_partial_and_has_no_first_price(life):
    order = life(side="buy", total_quantity="4", origin="baseline")
    order.master(0, "PROCESSING", cum_filled_qty="2", avg_filled_price="99")
    order.terms.pop("origin")
    order.child(5, 1, "1", "100", "FILLED", quantity="1")
    order.fill(5, "1", "100")
    made = order.figures(now=6)
    assert made.marks == ("partial", "running")
    assert made.first_price is None
    assert "beginning" in made.absent["first_price_bps"]


def test_fees_in_the_quote_currency_have_bps(life):
    made = end(bought(life), commission={"USDT": "0.306"}).figures()
    assert made.fees == {"USDT": D("0.306")}
    assert made.fee_bps == 10


def test_fees_in_another_currency_have_none_but_a_reason(life):
    made = end(bought(life), commission={"BNB": "0.1"}).figures()
    assert made.fee_bps is None
    assert "another currency" in made.absent["fee_bps"]


def test_the_maker_rate_is_the_venues_or_absent(life):
    assert end(bought(life), maker_rate="0.25").figures().maker_rate == D("0.25")
    made = end(bought(life)).figures()
    assert made.maker_rate is None
    assert made.absent["maker_rate"] == "the venue did not say"


def test_the_tail_is_what_was_filled_after_the_planned_end_with_its_pauses(life):
    order = life(side="buy", total_quantity="3", execution_duration_seconds=10)
    order.master(0, "NEW")
    order.master(0, "PROCESSING")
    order.master(2, "PAUSED")
    order.master(7, "PROCESSING")
    order.child(8, 1, "2", "100", "PLACED", quantity="3")
    order.fill(14, "2", "100", cum="2")
    order.child(16, 1, "3", "100", "FILLED", quantity="3")
    order.fill(16, "1", "100", cum="3")
    made = order.figures(now=17)
    assert made.paused_s == 5
    assert made.tail_quantity == 1


def test_changed_terms_are_kept_with_their_time(life):
    order = bought(life)
    order.master(50, "PROCESSING", total_quantity="3")
    made = end(order, total_quantity="3", status="COMPLETED").figures()
    assert made.target_changes == ((1_764_036_050_000, D(3), False),)
    assert made.completion == 1


def test_a_trigger_order_begins_when_it_is_worked(life):
    order = life(side="buy", total_quantity="1", trigger_price="90")
    order.master(0, "WAITING")
    order.master(30, "PROCESSING")
    order.child(31, 1, "1", "100", "FILLED")
    order.fill(31, "1", "100")
    assert order.figures().time_to_first_fill_s == 1


def test_a_fill_that_is_told_twice_counts_once(life):
    order = bought(life)
    order.fill(20, "2", "101", 1)
    made = end(order).figures()
    assert (made.fills, made.fills_quantity, made.fills_notional) == (2, 3, 306)


def test_the_venues_arrival_price_is_a_reference_with_our_sign_and_its_row_is_as_sent(life):
    row = {"ArrivalPrice": 100.5, "Slippage_pct": -0.0149}
    made = with_analysis(end(bought(life)).figures(), row, "")
    assert made.arrival_price == D("100.5")
    assert made.arrival_cost == D("4.5")
    assert abs(made.arrival_bps - D(45000) / D("301.5")) < D("1e-15")
    assert made.venue == row


def test_without_a_row_the_arrival_is_absent_with_the_reason(life):
    made = with_analysis(end(bought(life)).figures(), None, "the venue was not asked")
    assert (made.arrival_price, made.arrival_bps, made.venue) == (None, None, None)
    assert made.absent["arrival_bps"] == "the venue was not asked"


@pytest.mark.parametrize("price", [None, "nan", 0, -1, True, {}])
def test_a_row_without_an_arrival_price_says_so(life, price):
    made = with_analysis(end(bought(life)).figures(), {"ArrivalPrice": price}, "")
    assert made.arrival_price is None
    assert "no arrival price" in made.absent["arrival_bps"]


def test_an_order_without_a_fill_has_no_figure_that_is_zero_by_accident(life):
    order = life(side="buy", total_quantity="1")
    order.master(0, "NEW")
    made = end(order, 5, "CANCELLED", cum_filled_qty="0", cum_filled_notional="0").figures()
    absent = ("first_price", "first_price_bps", "average", "fill_rate", "maker_rate", "fee_bps")
    assert [getattr(made, name) for name in absent] == [None] * len(absent)
    assert {"first_price_bps", "fill_rate", "maker_rate", "fee_bps"} <= made.absent.keys()
    assert made.completion == 0


def test_marks_decide_what_is_summed(life):
    made = end(bought(life)).figures()
    assert made.is_summed
    assert replace(made, marks=("running",)).is_summed
    for mark in ("inverse", "units", "target_position", "partial"):
        assert not replace(made, marks=(mark,)).is_summed
