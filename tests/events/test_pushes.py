"""What the stream brings is always told; what an order has left is told as stale."""

from __future__ import annotations

from typing import Any

import pytest
from venue_account import Account, at, child, epoch_ms, master

from qehost.events.first_sight import Known
from qehost.events.readings import Reading

WITHOUT_A_TIME = ""


def v1_order(status: str, filled: float = 0.0, second: float = 0, **fields: Any) -> dict[str, Any]:
    return {
        "type": "order",
        "master_order_id": "m-1",
        "order_id": "x-1",
        "status": status,
        "cum_filled_qty": filled,
        "timestamp": epoch_ms(second),
        "created_time": epoch_ms(0),
        **fields,
    }


def v1_fill(quantity: float, second: float = 0) -> dict[str, Any]:
    return {
        "type": "fill",
        "master_order_id": "m-1",
        "order_id": "x-1",
        "filled_qty": quantity,
        "fill_price": 10,
        "fill_time": epoch_ms(second),
        "timestamp": epoch_ms(second),
    }


# --- nothing is held back ------------------------------------------------------------------------


@pytest.mark.parametrize("resumed", [at(1), at(1, 0), at(1.4), WITHOUT_A_TIME])
def test_a_pause_that_ends_within_its_second_ends_as_running(resumed: str) -> None:
    account = Account()
    assert account.read(master("PROCESSING", 0, at(1))) == ["catch_up master PROCESSING"]
    told = account.push(master("PAUSED", 0, at(1)), master("PROCESSING", 0, resumed))
    assert told == ["master PAUSED", "master PROCESSING"]
    # REST, which may be behind, does not take it back.
    assert account.read(master("PROCESSING", 0, at(1))) == []


@pytest.mark.parametrize("time", [at(1), WITHOUT_A_TIME])
@pytest.mark.parametrize("field", ["totalQuantity", "worstPrice", "executionDurationSeconds"])
def test_an_amendment_without_another_time_is_told(field: str, time: str) -> None:
    account = Account()
    account.read(master("PROCESSING", 0, time))
    assert account.push(master("PROCESSING", 0, time, **{field: "77"})) == ["master PROCESSING"]


@pytest.mark.parametrize("time", [at(1), WITHOUT_A_TIME])
@pytest.mark.parametrize("field", ["quantity", "price"])
def test_an_amended_child_order_without_another_time_is_told(field: str, time: str) -> None:
    account = Account()
    account.read(child("PLACED", 0, time))
    assert account.push(child("PLACED", 0, time, **{field: "77"})) == ["PLACED 0"]


def test_what_rest_told_is_told_again_with_a_mark_if_it_is_the_same_in_all_fields() -> None:
    account = Account()
    account.read(child("PLACED", 40, at(1)), master("PROCESSING", 40, at(1)))
    told = account.push(child("PLACED", 40, at(1)), master("PROCESSING", "40.0", at(1)))
    assert told == ["redelivered PLACED 40", "redelivered master PROCESSING"]
    # Once: whatever comes then is the stream's own.
    assert account.push(child("PLACED", 40, at(1))) == ["PLACED 40"]


def test_the_same_state_in_another_message_is_told_each_time() -> None:
    account = Account()
    for _ in range(3):
        assert account.push(master("PROCESSING", 0, at(1))) == ["master PROCESSING"]


# --- what has ended stays ended ------------------------------------------------------------------


@pytest.mark.parametrize("time", [at(0.5), at(1), at(2), WITHOUT_A_TIME])
@pytest.mark.parametrize("status", ["FILLED", "CANCELLED", "REJECTED", "EXPIRED"])
def test_a_state_behind_the_final_one_is_stale_whatever_the_clock_says(
    status: str, time: str
) -> None:
    account = Account()
    account.push(child(status, 60, at(1)))
    assert account.push(child("PLACED", 40, time)) == ["stale PLACED 40"]
    assert account.push(child("PLACED", 60, time)) == ["stale PLACED 60"]
    assert account.filled == 60


@pytest.mark.parametrize("status", ["COMPLETED", "COMPLETED_WITHTAIL", "CANCELLED", "filled"])
def test_a_finished_master_order_does_not_open_again(status: str) -> None:
    account = Account()
    account.push(master(status, 60, at(1)))
    assert account.push(master("PROCESSING", 60, at(1))) == ["stale master PROCESSING"]
    assert account.read(master("PROCESSING", 60, at(5))) == []


def test_a_state_in_which_less_is_filled_is_stale_and_no_fill_is_booked_twice() -> None:
    account = Account()
    account.push(child("PLACED", 60, at(1)))
    assert account.push(child("PLACED", 40, at(1))) == ["stale PLACED 40"]
    assert account.push(child("PLACED", 65, at(1))) == ["PLACED 65", "fill 5"]


def test_an_end_with_less_filled_is_an_end() -> None:
    account = Account()
    account.push(child("PLACED", 60, at(1)))
    assert account.push(child("CANCELLED", 40, at(2))) == ["CANCELLED 40"]
    assert account.push(child("PLACED", 60, at(2))) == ["stale PLACED 60"]


def test_a_fill_behind_the_end_is_a_fill() -> None:
    account = Account()
    account.push(child("CANCELLED", 40, at(1)))
    assert account.push(child("CANCELLED", 60, at(1))) == ["CANCELLED 60", "fill 20"]
    assert account.push(child("PLACED", 65, at(1))) == ["stale PLACED 65", "fill 5"]


def test_a_master_order_whose_figure_was_corrected_later_is_not_stale() -> None:
    account = Account()
    account.push(master("PROCESSING", 60, at(1)))
    assert account.push(master("PROCESSING", 40, at(1))) == ["stale master PROCESSING"]
    assert account.push(master("PAUSED", 40, at(2))) == ["master PAUSED"]


@pytest.mark.parametrize("final", [v1_order("FILLED", 40, 1), v1_order("CANCELLED", 40, 1)])
def test_v1_s_orders_have_ends_as_well(final: dict[str, Any]) -> None:
    account = Account()
    account.push(final)
    assert account.push(v1_order("PLACED", 20, 1)) == ["stale PLACED 20"]


# --- fills -------------------------------------------------------------------------------------


def test_a_fill_is_the_growth_between_two_updates() -> None:
    account = Account()
    assert account.push(child("PLACED", 40)) == ["PLACED 40", "fill 40"]
    assert account.push(child("FILLED", 100)) == ["FILLED 100", "fill 60"]


@pytest.mark.parametrize("nothing", ["", "0", "0.00000000", "-1"])
def test_an_order_without_a_fill_gives_none(nothing: str) -> None:
    account = Account()
    assert len(account.push(child("PLACED", 0, filledQuantity=nothing))) == 1


def test_repeated_and_late_updates_give_no_fill() -> None:
    account = Account()
    account.push(child("PLACED", 30))
    for filled in ("30", "30.0", "3E+1", "10", "0", "", "-1"):
        assert not any(
            "fill" in told for told in account.push(child("P", 0, filledQuantity=filled))
        )
    assert account.push(child("PLACED", 40))[1] == "fill 10"


def test_v1_s_fills_are_told_by_themselves_and_its_orders_bring_none() -> None:
    account = Account()
    assert account.push(v1_order("PLACED", 40, 1), v1_fill(40, 1)) == ["PLACED 40", "fill 40"]


def test_a_late_push_of_a_fill_that_was_derived_is_told_and_marked() -> None:
    account = Account()
    account.read(child("PLACED", 40, at(2)))
    assert account.push(v1_fill(40, 1.5)) == ["redelivered fill 40"]
    assert account.push(v1_fill(20, 3)) == ["fill 20"]
    assert account.read(child("PLACED", 60, at(3))) == ["catch_up PLACED 60"]
    assert account.filled == 60


def test_a_late_push_of_a_fill_is_marked_though_rest_s_time_is_earlier() -> None:
    account = Account()
    account.read(child("FILLED", 40, at(1.9)))
    assert account.push(v1_fill(40, 2)) == ["redelivered fill 40"]


def test_a_late_push_of_a_fill_is_marked_though_rest_s_time_is_less_exact() -> None:
    account = Account()
    account.read(child("PLACED", 40, at(2, 0)))
    assert account.push(v1_fill(40, 2.9)) == ["redelivered fill 40"]
    assert account.push(v1_order("PLACED", 60, 2.95), v1_fill(20, 2.95))[-1] == "fill 20"


@pytest.mark.parametrize("second", [1, 2, 60, 0])
@pytest.mark.parametrize("before", [[], [v1_order("PLACED", 0, 1)], [v1_order("PLACED", 20, 1)]])
def test_a_late_push_of_a_fill_is_marked_though_rest_has_no_time(
    before: list[dict[str, Any]], second: float
) -> None:
    account = Account()
    account.push(*before)
    assert account.read(child("PLACED", 40, ""))[-1] == "fill 40"
    assert account.push(v1_order("PLACED", 40, second))[-1].endswith("PLACED 40")
    assert account.push(v1_fill(40, second)) == ["redelivered fill 40"]
    assert account.push(v1_order("PLACED", 60, 70), v1_fill(20, 70))[-1] == "fill 20"
    assert account.filled == 60


def test_a_late_push_of_a_fill_is_marked_though_another_one_was_pushed_before() -> None:
    account = Account()
    account.push(v1_order("PLACED", 40, 1), v1_fill(40, 1))
    assert account.read(child("PLACED", 60, ""))[-1] == "fill 20"
    assert account.push(v1_fill(20, 2)) == ["redelivered fill 20"]


def test_a_v1_order_s_end_comes_before_its_last_fill() -> None:
    account = Account()
    account.read(child("PLACED", 40, at(1)))
    assert account.push(v1_order("FILLED", 60, 3), v1_fill(20, 3)) == ["FILLED 60", "fill 20"]


def test_two_v1_fills_of_one_time_are_two_though_the_first_was_derived() -> None:
    account = Account()
    account.push(v1_order("PLACED", 30, 2))
    assert account.read(child("PLACED", 30, at(2)))[-1] == "fill 30"
    assert account.push(v1_fill(30, 2)) == ["redelivered fill 30"]
    account.push(v1_order("PLACED", 40, 2))
    assert account.push(v1_fill(10, 2)) == ["fill 10"]
    assert account.filled == 40


# --- orders that were there before ----------------------------------------------------------------


def without_credentials() -> Account:
    """The stream opened 10 s after `EPOCH`, and REST can't be read."""
    account = Account()
    account.pipeline.listens(epoch_ms(10) * 10**6, Known.NONE)
    return account


def test_without_credentials_an_order_made_after_the_opening_tells_all_its_fills() -> None:
    account = without_credentials()
    told = account.push(child("PLACED", 60, at(12), orderCreatedTime=at(10.5)))
    assert told == ["PLACED 60", "fill 60"]


@pytest.mark.parametrize("created", [at(9), ""])
def test_without_credentials_an_older_order_tells_its_state_at_first_sight_and_one_gap(
    created: str,
) -> None:
    account = without_credentials()
    older = {"orderCreatedTime": created}
    assert account.push(child("PLACED", 60, at(12), **older)) == ["PLACED 60", "gap"]
    assert "x-1" in str(account.events[-1].message.text)
    assert account.push(child("PLACED", 65, at(12), **older)) == ["PLACED 65", "fill 5"]
    # The gap is told once for the connection, and goes to the log for each further order.
    other = child("PLACED", 7, at(12), id="c-2", orderId="x-2", **older)
    assert account.push(other) == ["PLACED 7"]
    assert len(account.pipeline.notices.warnings) == 1
    assert account.pipeline.notices.counts.gaps == 1


def test_an_older_order_without_a_fill_is_no_gap() -> None:
    account = without_credentials()
    assert account.push(child("PLACED", 0, at(12))) == ["PLACED 0"]
    assert account.push(child("PLACED", 10, at(13))) == ["PLACED 10", "fill 10"]


def test_a_v1_push_of_a_fill_that_the_baseline_has_is_marked() -> None:
    account = Account()
    account.read(child("PLACED", 40, at(5)), is_baseline=True)
    account.pipeline.listens(epoch_ms(10) * 10**6, Known.RUNNING)
    assert account.push(v1_fill(40, 4)) == ["redelivered fill 40"]
    assert account.push(v1_fill(20, 11)) == ["fill 20"]
    assert account.read(child("PLACED", 60, at(11))) == ["catch_up PLACED 60"]


@pytest.mark.parametrize("known", [Known.NONE, Known.RUNNING])
def test_a_v1_push_of_what_was_filled_before_the_account_was_listened_to_is_marked(
    known: Known,
) -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(10) * 10**6, known)
    old = v1_order("FILLED", 1, 4), v1_fill(1, 4)
    assert account.push(*old) == ["FILLED 1", "redelivered fill 1"]
    # After a restart as well, and by a clock that was set back.
    later = Account()
    later.pipeline.adopt(account.pipeline.known_orders())
    later.pipeline.listens(epoch_ms(20) * 10**6, Known.ALL)
    other = {"order_id": "x-2"}
    assert later.push({**v1_fill(1, 4), **other}) == ["redelivered fill 1"]
    assert later.push({**v1_fill(1, 12), **other}) == ["fill 1"]


def test_a_slow_baseline_that_the_stream_has_overtaken_is_not_where_v1_s_fills_begin() -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(10) * 10**6, Known.NONE)
    asked = account.ask()
    account.push(v1_order("PLACED", 95, 14), v1_fill(23, 14))
    assert account.read(child("PLACED", 72, at(3)), asked=asked, is_baseline=True) == []
    assert account.read(child("PLACED", 95, at(14))) == ["gap"]
    account.push(v1_order("PLACED", 99, 15), v1_fill(4, 15))
    assert account.read(child("PLACED", 99, at(15))) == []


# --- what REST told of an order without a time ----------------------------------------------------


def untimed(status: str, filled: object = 0, **fields: Any) -> dict[str, Any]:
    return child(status, filled, "", createdAt=at(0), **fields)


def asked_at(account: Account, second: float) -> Reading:
    return account.ask(0).measured(epoch_ms(0) * 10**6, epoch_ms(second) * 10**6)


def test_a_late_push_with_a_former_id_does_not_open_an_order_whose_end_has_no_time() -> None:
    account = Account()
    ended = untimed("CANCELLED", 6, orderId="x-2")
    assert account.read(ended, asked=asked_at(account, 40)) == ["catch_up CANCELLED 6", "fill 6"]
    assert account.push(child("PLACED", 6, at(12))) == ["stale PLACED 6"]
    assert account.read(ended) == []


def test_an_order_that_was_cancelled_to_be_amended_goes_on_though_its_end_has_no_time() -> None:
    account = Account()
    account.read(untimed("CANCELLED", 6), asked=asked_at(account, 40))
    # It can't be told from a late push of before that with another clock.
    assert account.push(child("PLACED", 6, at(41), orderId="x-2")) == ["redelivered PLACED 6"]
    assert account.push(child("PLACED", 9, at(42), orderId="x-2")) == ["PLACED 9", "fill 3"]


def test_an_end_that_was_no_news_is_told_when_a_push_shows_that_the_order_is_new() -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(0) * 10**6, Known.RUNNING)
    assert account.read(master("CANCELLED", 0, "", createdAt=""), since=20) == []
    late = account.push(master("PAUSED", 0, at(21), createdAt=at(20)))
    assert late == ["stale master PAUSED", "catch_up master CANCELLED"]
    assert account.push(master("PAUSED", 0, at(21), createdAt=at(20))) == ["stale master PAUSED"]


def test_the_push_of_an_end_that_was_no_news_bears_no_mark() -> None:
    account = Account()
    assert account.read(master("CANCELLED", 0, "", createdAt=""), since=20) == []
    assert account.push(master("CANCELLED", 0, at(22), createdAt=at(20))) == ["master CANCELLED"]
    assert account.push(master("PAUSED", 0, at(21), createdAt=at(20))) == ["stale master PAUSED"]


# --- after a time of which not all is remembered --------------------------------------------------


@pytest.mark.parametrize("is_first", [False, True])
def test_after_a_doubtful_time_a_v1_fill_of_that_time_is_marked_and_a_later_one_is_not(
    is_first: bool,
) -> None:
    account = Account()
    account.pipeline.doubt(epoch_ms(30) * 10**6)
    order, fill = v1_order("PLACED", 40, 20), v1_fill(40, 20)
    told = account.push(*((fill, order) if is_first else (order, fill)))
    assert sorted(told) == ["PLACED 40", "redelivered fill 40"]
    assert account.push(v1_order("PLACED", 60, 40), v1_fill(20, 40))[-1] == "fill 20"


def test_after_a_doubtful_time_a_push_that_is_late_leaves_what_follows_in_doubt() -> None:
    account = Account()
    account.pipeline.doubt(epoch_ms(30) * 10**6)
    late = child("PLACED", 17, at(20), orderCreatedTime=at(20))
    assert account.push(late) == ["PLACED 17", "redelivered fill 17"]
    told = account.read(child("PLACED", 152, at(28), orderCreatedTime=at(20)))
    assert told == ["catch_up redelivered PLACED 152", "redelivered fill 135"]


def test_after_a_doubtful_time_what_may_have_been_told_is_marked_once() -> None:
    account = Account()
    account.push(child("PLACED", 40, at(1)))
    account.pipeline.doubt(epoch_ms(30) * 10**6)
    assert account.push(child("PLACED", 60, at(31))) == ["PLACED 60", "redelivered fill 20"]
    assert account.push(child("PLACED", 65, at(32))) == ["PLACED 65", "fill 5"]
    # An order that is not known may be one of that time, by its creation.
    old = child("PLACED", 10, at(33), id="c-2", orderId="x-2", orderCreatedTime=at(29))
    assert account.push(old) == ["PLACED 10", "redelivered fill 10"]
    new = child("PLACED", 10, at(37), id="c-3", orderId="x-3", orderCreatedTime=at(36))
    assert account.push(new) == ["PLACED 10", "fill 10"]
    # One with nothing filled says so of its own time, and may be late.
    ids = {"id": "c-4", "orderId": "x-4", "orderCreatedTime": at(27)}
    assert account.push(child("PLACED", 0, at(28), **ids)) == ["PLACED 0"]
    assert account.push(child("FILLED", 7, at(29), **ids)) == ["FILLED 7", "redelivered fill 7"]
    ids = {"id": "c-5", "orderId": "x-5", "orderCreatedTime": at(27)}
    assert account.push(child("PLACED", 0, at(40), **ids)) == ["PLACED 0"]
    assert account.push(child("FILLED", 7, at(41), **ids)) == ["FILLED 7", "fill 7"]
    assert account.pipeline.doubtful_until == epoch_ms(30) * 10**6
