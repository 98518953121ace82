"""What REST says is told where it is later than what is known, and never takes an order back."""

from __future__ import annotations

from typing import Any

import pytest
from venue_account import Account, at, child, epoch_ms, master

from qehost.events.first_sight import Known
from qehost.events.pipeline import Pipeline
from qehost.messages import Connected

WITHOUT_A_TIME = ""


def test_a_state_that_the_stream_brought_is_not_told_again() -> None:
    account = Account()
    account.push(child("PLACED", 40, at(1)), master("PROCESSING", 40, at(1)))
    same = child("PLACED", "40.00", at(1)), master("PROCESSING", "4E+1", at(1))
    assert account.read(*same) == []
    other = child("PLACED", 40, at(1), id="c-2", orderId="x-2")
    assert account.read(other) == ["catch_up PLACED 40", "fill 40"]


@pytest.mark.parametrize(
    "changed",
    [
        master("PROCESSING", 40, at(1), totalQuantity="77"),
        master("PROCESSING", 40, at(1), worstPrice="9"),
        master("PROCESSING", 40, WITHOUT_A_TIME, totalQuantity="77"),
    ],
)
def test_it_is_compared_by_all_fields(changed: dict[str, Any]) -> None:
    account = Account()
    account.push(master("PROCESSING", 40, at(1)))
    assert account.read(changed) == ["catch_up master PROCESSING"]
    assert account.read(changed) == []


# --- a final state wins --------------------------------------------------------------------------


@pytest.mark.parametrize("time", [at(1, 0), at(1.1), at(1.2), at(9), WITHOUT_A_TIME])
@pytest.mark.parametrize("status", ["CANCELLED", "EXPIRED", "REJECTED"])
def test_an_end_is_told_whatever_the_clock_says(status: str, time: str) -> None:
    account = Account()
    account.push(child("PLACED", 40, at(1.2)), master("PROCESSING", 40, at(1.2)))
    told = account.read(child(status, 40, time), master(status, 40, time))
    assert sorted(told) == [f"catch_up {status} 40", f"catch_up master {status}"]
    assert account.read(child(status, 40, time), master(status, 40, time)) == []


@pytest.mark.parametrize("time", [at(1, 0), at(1.234, 6), at(1.9), at(5), WITHOUT_A_TIME])
def test_an_end_is_not_told_twice_because_rest_is_finer_or_coarser(time: str) -> None:
    account = Account()
    account.push(child("FILLED", 100, at(1.234)), master("COMPLETED", 100, at(1.234)))
    assert account.read(child("FILLED", 100, time), master("COMPLETED", 100, time)) == []


@pytest.mark.parametrize("status", ["PROCESSING", "COMPLETED"])
def test_what_v1_does_not_tell_of_a_master_order_is_no_news(status: str) -> None:
    account = Account()
    v1 = {"type": "master_order", "master_order_id": "m-1", "status": status, "qty": 100}
    account.push({**v1, "timestamp": epoch_ms(1)})
    assert account.read(master(status, 40, at(1))) == []
    assert account.read(master(status, 60, at(5))) == []
    assert account.read(master(status, 60, at(5), totalQuantity="110")) == [
        f"catch_up master {status}"
    ]
    assert account.read(master(status, 60, at(5), totalQuantity="110")) == []


@pytest.mark.parametrize("time", [at(1, 0), at(1.2), at(5), WITHOUT_A_TIME])
def test_an_answer_does_not_follow_a_push_that_came_after_it_was_asked(time: str) -> None:
    account = Account()
    account.push(child("PLACED", 40, at(1, 0)), master("PROCESSING", 40, at(1, 0)))
    asked = account.ask()
    account.push(child("FILLED", 100, at(1, 0)), master("PAUSED", 40, at(1, 0)))
    stood = child("PLACED", 40, time), master("PROCESSING", 40, time)
    assert account.read(*stood, asked=asked) == []
    # What ends the order can't be older than a state that does not.
    assert account.read(master("CANCELLED", 40, time), asked=asked) == ["catch_up master CANCELLED"]


def test_more_that_is_filled_is_later_whatever_the_clock_says() -> None:
    account = Account()
    asked = account.ask()
    account.push(child("PLACED", 40, at(2)))
    told = account.read(child("PLACED", 60, at(1)), asked=asked)
    assert told == ["catch_up PLACED 60", "fill 20"]
    assert account.push(child("PLACED", 60, at(1.5))) == ["redelivered PLACED 60"]


def test_an_order_is_not_taken_back_in_time() -> None:
    account = Account()
    account.push(child("PLACED", 40, at(2)), master("PAUSED", 40, at(2)))
    older = child("PLACED", 30, at(1)), child("PLACED", 40, at(1)), master("NEW", 40, at(1))
    assert account.read(*older) == []
    assert account.read(master("PROCESSING", 40, at(3))) == ["catch_up master PROCESSING"]


# --- finished orders that a list has anyway -------------------------------------------------------


@pytest.mark.parametrize("fields", [{}, {"createdAt": at(-100)}])
def test_what_has_ended_and_has_no_time_is_no_news_by_itself(fields: dict[str, Any]) -> None:
    account = Account()
    ended = {"orderCreatedTime": "", **fields}
    assert account.read(child("FILLED", 100, WITHOUT_A_TIME, **ended), since=10) == []
    old = master("COMPLETED", 100, WITHOUT_A_TIME, createdAt=at(-100))
    assert account.read(old, since=10) == []


def test_what_was_made_and_ended_in_the_gap_is_told_though_it_has_no_time_of_change() -> None:
    account = Account()
    ended = child("FILLED", 100, WITHOUT_A_TIME, orderCreatedTime=at(11))
    assert account.read(ended, since=10) == ["catch_up FILLED 100", "fill 100"]
    done = master("COMPLETED", 100, WITHOUT_A_TIME, createdAt=at(11))
    assert account.read(done, since=10) == ["catch_up master COMPLETED"]


def test_the_end_of_an_order_that_is_known_is_told_though_it_has_no_time() -> None:
    account = Account()
    account.push(master("PROCESSING", 40, at(1)), child("PLACED", 40, at(1)))
    ended = master("COMPLETED", 40, WITHOUT_A_TIME), child("CANCELLED", 40, WITHOUT_A_TIME)
    assert sorted(account.read(*ended)) == ["catch_up CANCELLED 40", "catch_up master COMPLETED"]


# --- the baseline --------------------------------------------------------------------------------


def test_what_was_filled_before_the_stream_opened_is_no_fill() -> None:
    """60 filled, the stream opens, 65 pushed, REST says 70, 75 pushed: 15 were filled meanwhile."""
    account = Account()
    stood = account.read(child("PLACED", 60, at(1)), master("PROCESSING", 60), is_baseline=True)
    assert stood == ["baseline master PROCESSING", "baseline PLACED 60"]
    account.pipeline.listens(epoch_ms(2) * 10**6, Known.RUNNING)
    account.push(child("PLACED", 65, at(3)))
    asked = account.ask(since=2)
    account.read(child("PLACED", 70, at(4)), asked=asked)
    account.push(child("PLACED", 75, at(5)))
    assert account.filled == 15


@pytest.mark.parametrize("known", [Known.RUNNING, Known.NONE])
def test_what_was_made_after_the_listening_began_is_filled_from_nothing(known: Known) -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(10) * 10**6, known)
    made = child("FILLED", 100, at(10, 0), orderCreatedTime=at(10.5))
    assert account.read(made, since=10) == ["catch_up FILLED 100", "fill 100"]


def test_what_ended_before_the_listening_began_is_not_told() -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(10) * 10**6, Known.RUNNING)
    assert account.read(child("FILLED", 100, at(9)), since=10) == []
    assert account.read(master("COMPLETED", 100, at(9)), since=10) == []


def test_an_order_that_the_baseline_should_have_is_filled_with_a_mark() -> None:
    """The venue's clocks may differ, and a list may lack what was just made."""
    account = Account()
    account.pipeline.listens(epoch_ms(10) * 10**6, Known.RUNNING)
    told = account.read(child("PLACED", 40, at(11), orderCreatedTime=at(9)), since=10)
    assert told == ["catch_up PLACED 40", "redelivered fill 40"]


def test_an_order_that_is_not_known_and_far_older_is_a_baseline_with_a_gap() -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(1000) * 10**6, Known.ALL)
    assert account.read(child("PLACED", 40, at(1001)), since=1000) == ["baseline PLACED 40", "gap"]
    assert "x-1" in account.events[-1].message.text
    assert account.read(child("PLACED", 60, at(1002))) == ["catch_up PLACED 60", "fill 20"]


def test_an_order_that_was_made_in_the_gap_is_filled_from_nothing() -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(1000) * 10**6, Known.ALL)
    told = account.read(child("PLACED", 40, at(1002), orderCreatedTime=at(1001)), since=1000)
    assert told == ["catch_up PLACED 40", "fill 40"]


def test_what_was_lost_on_its_way_before_the_gap_is_told() -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(1000) * 10**6, Known.ALL)
    told = account.read(child("FILLED", 100, at(999), orderCreatedTime=at(998)), since=1000)
    assert told == ["catch_up FILLED 100", "fill 100"]


def test_a_second_baseline_tells_what_the_first_one_did_not() -> None:
    account = Account()
    account.read(child("PLACED", 60, at(1)), is_baseline=True)
    other = child("PLACED", 7, at(1), id="c-2", orderId="x-2")
    assert account.read(child("PLACED", 60, at(1)), other, is_baseline=True) == [
        "baseline PLACED 7"
    ]
    assert account.read(child("PLACED", 65, at(3)), is_baseline=True) == [
        "catch_up PLACED 65",
        "fill 5",
    ]


def test_what_was_made_after_the_opening_is_filled_though_a_slow_baseline_tells_it_first() -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(10) * 10**6, Known.NONE)
    told = account.read(child("PLACED", 40, at(12), orderCreatedTime=at(11)), is_baseline=True)
    assert told == ["catch_up PLACED 40", "fill 40"]


def test_what_a_slow_baseline_may_have_of_the_time_since_the_opening_is_a_gap() -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(10) * 10**6, Known.NONE)
    told = account.read(child("PLACED", 40, at(12), orderCreatedTime=at(9)), is_baseline=True)
    assert told == ["baseline PLACED 40", "gap"]
    older = child("PLACED", 40, at(9), id="c-2", orderId="x-2", orderCreatedTime=at(8))
    assert account.read(older, is_baseline=True) == ["baseline PLACED 40"]


def test_a_baseline_does_not_follow_a_push() -> None:
    account = Account()
    asked = account.ask(is_baseline=True)
    account.push(child("PLACED", 65, at(3)))
    assert account.read(child("PLACED", 60, at(1)), asked=asked) == []


# --- after a time of which not all is remembered --------------------------------------------------


def test_after_a_doubtful_time_what_rest_brings_is_marked_until_it_is_known() -> None:
    account = Account()
    account.push(child("PLACED", 40, at(1)), master("PROCESSING", 40, at(1)))
    account.pipeline.doubt(epoch_ms(30) * 10**6)
    assert account.read(child("PLACED", 40, at(1))) == []
    told = account.read(child("FILLED", 100, at(20)), master("COMPLETED", 100, at(20)))
    assert told == [
        "catch_up redelivered FILLED 100",
        "redelivered fill 60",
        "catch_up redelivered master COMPLETED",
    ]
    made = child("FILLED", 5, at(29), id="c-2", orderId="x-2", orderCreatedTime=at(28))
    assert account.read(made) == ["catch_up redelivered FILLED 5", "redelivered fill 5"]
    later = child("FILLED", 5, at(40), id="c-3", orderId="x-3", orderCreatedTime=at(39))
    assert account.read(later) == ["catch_up FILLED 5", "fill 5"]


@pytest.mark.parametrize("is_known", [False, True])
def test_a_doubt_of_fills_outlives_what_v1_pushes_of_the_order(is_known: bool) -> None:
    account = Account()
    order = {"type": "order", "master_order_id": "m-1", "order_id": "x-1"}
    fill = {"type": "fill", "master_order_id": "m-1", "order_id": "x-1", "fill_price": 10}
    times = {"created_time": epoch_ms(1), "timestamp": epoch_ms(2)}
    if is_known:
        account.push({**order, "status": "PLACED", **times})
    account.pipeline.doubt(epoch_ms(5) * 10**6)
    times["timestamp"] = epoch_ms(6)
    account.push({**order, "status": "FILLED", "cum_filled_qty": 60, "fill_qty": 60, **times})
    account.push({**fill, "filled_qty": 40, "fill_time": epoch_ms(6), "timestamp": epoch_ms(6)})
    told = account.read(child("FILLED", 60, at(6), orderCreatedTime=at(1)))
    assert told[-1] == "redelivered fill 20"


def test_a_doubt_of_fills_outlives_an_answer_of_rest_that_is_behind_v1() -> None:
    account = Account()
    order = {"type": "order", "master_order_id": "m-1", "order_id": "x-1"}
    fill = {"type": "fill", "master_order_id": "m-1", "order_id": "x-1", "fill_price": 10}
    account.pipeline.doubt(epoch_ms(5) * 10**6)
    times = {"created_time": epoch_ms(1), "timestamp": epoch_ms(6)}
    asked = account.ask()
    account.push({**order, "status": "PLACED", "cum_filled_qty": 50, "fill_qty": 10, **times})
    account.push({**fill, "filled_qty": 10, "fill_time": epoch_ms(6), "timestamp": epoch_ms(6)})
    made = {"orderCreatedTime": at(1)}
    assert account.read(child("PLACED", 40, at(4), **made), asked=asked) == ["redelivered fill 30"]
    assert account.read(child("PLACED", 50, at(6), **made)) == ["redelivered fill 10"]


@pytest.mark.parametrize("is_pushed", [True, False])
def test_a_state_is_news_whatever_its_time_where_rest_is_not_behind_what_is_known(
    is_pushed: bool,
) -> None:
    """The venue's clock may have been set back, or REST's times be others than the stream's."""
    account = Account()
    running = master("PROCESSING", 0, at(100)), child("PLACED", 0, at(100))
    paused = master("PAUSED", 0, at(5)), child("PAUSED", 0, at(5))
    settled = account.pipeline.next_text
    assert len(account.push(*running) if is_pushed else account.read(*running)) == 2
    asked = account.pipeline.reading(settled=settled)
    assert account.read(*paused, asked=asked) == []
    asked = account.pipeline.reading(settled=account.pipeline.next_text)
    assert account.read(*running, asked=asked) == []
    assert len(account.read(*paused, asked=asked)) == 2
    # The next process knows it, and takes what is older than that for news only where REST is not
    # behind it.
    restarted = Account()
    restarted.pipeline.restore(account.events)
    assert restarted.read(*paused) == []
    assert restarted.read(master("PROCESSING", 0, at(3)), child("PLACED", 0, at(3))) == []
    assert len(restarted.read(*running)) == 2


def test_what_ended_at_no_known_time_is_told_with_a_mark_where_memory_is_lost() -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(10) * 10**6, Known.ALL)
    account.pipeline.doubt(epoch_ms(30) * 10**6)
    ended = master("COMPLETED", 0, "", createdAt=at(20))
    assert account.read(ended, since=25) == ["catch_up redelivered master COMPLETED"]
    assert account.read(ended, since=25) == []
    later = master("COMPLETED", 0, "", masterOrderId="m-2", createdAt=at(40))
    assert account.read(later, since=50) == []


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_state_whose_text_is_lost_is_news_at_an_exactly_later_time_or_in_doubt(
    is_lost: bool,
) -> None:
    account = Account()
    account.push(master("NEW", 0, at(1.5)), child("PLACED", 0, at(1.5)))
    restarted = Account()
    restarted.pipeline.adopt(account.pipeline.known_orders())
    same = master("NEW", 0, at(1.5)), child("PLACED", 0, at(1.5))
    if is_lost:
        restarted.pipeline.doubt(epoch_ms(30) * 10**6)
        told = ["catch_up redelivered PLACED 0", "catch_up redelivered master NEW"]
        assert sorted(restarted.read(*same)) == told
    assert restarted.read(*same) == []
    changed = master("NEW", 0, at(1.7), totalQuantity="9"), child("PLACED", 0, at(1.7), price="9")
    assert sorted(restarted.read(*changed)) == ["catch_up PLACED 0", "catch_up master NEW"]


def test_a_doubt_outlives_another_restart() -> None:
    account = Account()
    account.push(child("PLACED", 40, at(1)))
    account.pipeline.doubt(epoch_ms(30) * 10**6)
    later = Account()
    later.pipeline.adopt(account.pipeline.known_orders())
    assert later.read(child("PLACED", 60, at(20)))[-1] == "redelivered fill 20"


def test_what_changed_while_the_program_was_stopped_is_seen_by_all_fields_without_a_time() -> None:
    account = Account()
    account.push(master("NEW"), child("PLACED", 0))
    restarted = Account()
    restarted.pipeline.restore(account.events)
    restarted.pipeline.adopt(account.pipeline.known_orders())
    assert restarted.read(master("NEW"), child("PLACED", 0)) == []
    told = restarted.read(master("NEW", totalQuantity="110"), child("PLACED", 0, quantity="110"))
    assert sorted(told) == ["catch_up PLACED 0", "catch_up master NEW"]


def test_what_ended_before_a_baseline_whose_gap_was_not_read_is_no_fill_after_a_restart() -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(8) * 10**6, Known.RUNNING)  # when the baseline was asked for
    opened = account.pipeline.connected(
        Connected("wss://venue", 1, 0, epoch_ms(10) * 10**6), epoch_ms(10) * 10**6
    )
    restarted = Account()
    restarted.pipeline.restore([opened])
    restarted.pipeline.adopt(account.pipeline.known_orders())
    restarted.pipeline.listens(epoch_ms(8) * 10**6, Known.ALL)
    assert restarted.read(child("FILLED", 60, at(5), orderCreatedTime=at(1)), since=8) == []
    since = child("FILLED", 60, at(9), id="c-2", orderId="x-2", orderCreatedTime=at(9))
    assert restarted.read(since, since=8) == ["catch_up FILLED 60", "fill 60"]


@pytest.mark.parametrize("known", [Known.ALL, Known.RUNNING])
def test_the_time_of_the_last_message_was_measured_with_an_error(known: Known) -> None:
    account = Account()
    account.pipeline.listens(epoch_ms(10) * 10**6, known)
    order = child("FILLED", 60, orderCreatedTime=at(9.9))
    told = account.read(order, since=10)
    assert told == (["catch_up FILLED 60", "fill 60"] if known is Known.ALL else [])


def test_whether_there_was_a_baseline_is_known_after_a_restart() -> None:
    account, restarted = Account(), Account()
    account.pipeline.listens(epoch_ms(10) * 10**6, Known.NONE)
    restarted.pipeline.adopt(account.pipeline.known_orders())
    assert restarted.pipeline.lacks_baseline
    account.pipeline.listens(epoch_ms(10) * 10**6, Known.RUNNING)
    restarted = Account()
    restarted.pipeline.adopt(account.pipeline.known_orders())
    assert not restarted.pipeline.lacks_baseline


def test_what_was_filled_before_the_first_start_is_no_fill_after_a_restart_either() -> None:
    opened = Connected("wss://venue", 1, 0, epoch_ms(10) * 10**6)
    restarted = Account()
    restarted.pipeline.restore([Pipeline("main").connected(opened, epoch_ms(10) * 10**6)])
    restarted.pipeline.listens(epoch_ms(20) * 10**6, Known.ALL)
    ended = child("FILLED", 60, at(5), orderCreatedTime=at(1))
    assert restarted.read(ended, since=20) == []
    older = child("PLACED", 60, at(30), id="c-2", orderId="x-2", orderCreatedTime=at(2))
    assert restarted.push(older) == ["PLACED 60", "gap"]
    newer = child("FILLED", 60, at(15), id="c-3", orderId="x-3", orderCreatedTime=at(11))
    assert restarted.read(newer, since=20) == ["catch_up FILLED 60", "fill 60"]
