from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qehost_console.state import Picture


def test_a_master_order_moves_from_running_to_ended(tell):
    picture = Picture()
    picture.master_order(*tell.master(status="NEW"))
    assert list(picture.running) == [("main", "mo_1")]
    picture.master_order(*tell.master(status="COMPLETED", finished=1_764_036_030_000))
    assert not picture.running
    assert picture.ended["main", "mo_1"].elapsed(now=0) == 30
    assert picture.ended_total == 1


def test_the_same_order_id_in_two_accounts_is_two_orders(tell):
    picture = Picture()
    picture.master_order(*tell.master(account="main"))
    picture.master_order(*tell.master(account="hedge"))
    assert len(picture.running) == 2


def test_an_ended_order_told_again_is_counted_once(tell):
    picture = Picture()
    for _ in range(3):
        picture.master_order(*tell.master(status="CANCELLED"))
    assert picture.ended_total == len(picture.ended) == 1


def test_progress_is_what_the_venue_reports_or_what_the_fills_sum_up_to_if_that_is_more(tell):
    picture = Picture()
    master = picture.master_order(*tell.master(quantity="10", filled="2", average="100"))
    assert (master.done, master.share, master.average) == (2, 0.2, 100)
    for _ in range(3):
        picture.fill(*tell.fill(quantity="1", price="110"))
    assert (master.done, master.share, master.average) == (3, 0.3, 110)
    picture.master_order(*tell.master(quantity="10", filled="5", average="104"))
    assert (master.done, master.average) == (5, 104)


def test_fills_that_come_before_their_master_order_count_for_it(tell):
    picture = Picture()
    picture.fill(*tell.fill(quantity="3", price="110"))
    assert not picture.running
    master = picture.master_order(*tell.master(quantity="10"))
    assert (master.done, master.average, master.started) == (3, 110, 1_764_036_000_000)
    assert not picture.unseen


def test_an_order_for_an_amount_of_money_progresses_in_money(tell):
    picture = Picture()
    master = picture.master_order(
        *tell.master(quantity=None, notional="5000", filled_notional="1250", average="100")
    )
    assert master.in_quote
    assert (master.done, master.share) == (1250, 0.25)


def test_an_order_without_a_quantity_has_no_share(tell):
    master = Picture().master_order(*tell.master(quantity=None))
    assert master.share is None
    assert master.done is None


def test_the_schedule_runs_from_the_start_to_the_planned_duration(tell):
    picture = Picture()
    master = picture.master_order(*tell.master(duration=60, started=1_000_000))
    assert master.schedule(1_015_000) == 0.25
    assert master.schedule(2_000_000) == 1.0
    master = picture.master_order(*tell.master(status="COMPLETED", duration=60))
    assert master.schedule(1_015_000) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it only makes events
@given(st.lists(st.decimals("1E-18", "1E+18", places=18), min_size=1, max_size=30))
def test_fills_add_up_without_losing_a_digit(tell, quantities):
    picture = Picture()
    master = picture.master_order(*tell.master())
    for quantity in quantities:
        picture.fill(*tell.fill(quantity=str(quantity), price="1.00000001"))
    assert Fraction(master.filled_quantity) == sum(map(Fraction, quantities))


def test_a_fill_without_a_notional_gets_the_exact_product(tell):
    fill = Picture().fill(*tell.fill(quantity="0.123456789012345678", price="61234.123456789"))
    exact = Fraction("0.123456789012345678") * Fraction("61234.123456789")
    assert Fraction(fill.notional) == exact


def test_memory_is_bounded(tell):
    picture = Picture()
    for number in range(3000):
        picture.master_order(*tell.master(id=f"r{number}"))
        picture.master_order(*tell.master(id=f"e{number}", status="COMPLETED"))
        picture.fill(*tell.fill())
    assert len(picture.running) == 2000
    assert len(picture.ended) == 200
    assert len(picture.fills) == 200
    for number in range(300):
        picture.fill(*tell.fill(master=f"u{number}"))
    assert len(picture.unseen) == 200
    assert ("main", "r2999") in picture.running
    assert picture.ended_total == 3000


def test_time_without_a_stream_counts_between_two_connections_of_the_run():
    picture = Picture()
    picture.expect(["main"])
    picture.connected("main", 10)
    picture.disconnected("main", 100)
    picture.disconnected("main", 140)
    assert picture.links["main"].since == 100
    picture.connected("main", 150)
    assert (picture.reconnects, picture.unheard) == (1, 50)


@pytest.mark.parametrize("field", ["id", "status", "symbol", "reason"])
def test_no_text_of_the_venue_carries_a_control_character(tell, field):
    master = Picture().master_order(*tell.master(**{field: "x\x1b[2Jy"}))
    assert getattr(master, field) == "x\\x1b[2Jy"
