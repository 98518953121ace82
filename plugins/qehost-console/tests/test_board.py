import pytest

from qehost_console.board import Board

START = 1_764_036_000_000  # epoch ms


def test_a_master_order_moves_from_running_to_ended(tell):
    board = Board()
    board.take(tell.master(status="NEW")[2])
    assert [master.id for master in board.snapshot().running] == ["mo_1"]
    board.take(tell.master(status="COMPLETED", finished=START + 30_000)[2])
    shown = board.snapshot()
    assert not shown.running
    assert [master.elapsed(now=0) for master in shown.ended] == [30]
    assert shown.ended_total == 1


def test_a_late_state_does_not_open_a_finished_order_again(tell):
    board = Board()
    board.take(tell.master(status="COMPLETED")[2])
    master = board.master_order(tell.master(status="PROCESSING", stale=True)[2])
    assert master.status == "COMPLETED"
    assert not board.snapshot().running


def test_what_was_open_before_the_stream_is_there_at_once(tell):
    board = Board()
    for number in range(12):
        board.take(tell.master(id=f"mo_{number}", filled="5", origin="baseline")[2])
    shown = board.snapshot()
    assert [(master.done, master.fills) for master in shown.running] == [(5, 0)] * 12
    assert not shown.fills


def test_more_than_is_kept_is_counted(tell):
    board = Board()
    for number in range(300):
        board.take(tell.master(id=f"e{number}", status="COMPLETED")[2])
        board.take(tell.fill(master=f"e{number}")[2])
    shown = board.snapshot()
    assert (len(shown.ended), shown.ended_total, len(shown.fills)) == (200, 300, 200)


def test_an_order_that_is_no_longer_kept_still_has_its_line(tell):
    board = Board()
    first = tell.master(id="e0", status="COMPLETED")[2]
    board.take(first)
    for number in range(1, 300):
        board.take(tell.master(id=f"e{number}", status="COMPLETED")[2])
    assert board.master_order(first).status == "COMPLETED"
    assert board.snapshot().ended_total == 300


def test_a_fill_that_comes_again_is_none(tell):
    board, event = Board(), tell.fill()[2]
    assert board.fill(event).quantity == board.snapshot().fills[0].quantity
    assert board.fill(event) is None
    assert len(board.snapshot().fills) == 1


def test_a_stream_is_waited_for_until_it_opens(tell):
    board = Board()
    board.expect(["main", "hedge"])
    board.take(tell.connected(account="hedge"))
    states = {name: stream.state for name, stream in board.snapshot().streams.items()}
    assert states == {"main": "waiting", "hedge": "up"}


def test_a_child_order_may_name_the_currency_of_its_symbol(tell):
    board = Board()
    assert board.quote("BTCUSDT") == ""
    board.take(tell.order()[2])
    assert board.quote("BTCUSDT") == board.snapshot().quotes["BTCUSDT"] == "USDT"


@pytest.mark.parametrize("field", ["id", "status", "symbol", "reason"])
def test_no_text_of_the_venue_carries_a_control_character(tell, field):
    board = Board()
    master = board.master_order(tell.master(**{field: "x\x1b[2Jy"})[2])
    assert getattr(master, field) == "x\\x1b[2Jy"
    (shown,) = board.snapshot().running
    assert getattr(shown, field) == "x\\x1b[2Jy"
    fill = board.fill(tell.fill(symbol="x\x1b[2Jy", side="B\x1bUY")[2])
    assert (fill.symbol, fill.side) == ("x\\x1b[2Jy", "b\\x1buy")
