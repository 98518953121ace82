import io
import re

import pytest
from rich.console import Console as Terminal
from rich.console import Group

from qehost_console.board import Board
from qehost_console.layout import plan
from qehost_console.masters import visible_masters
from qehost_console.table import StatusBar, panel

NOW = 1_764_036_030_000  # epoch ms


def bar(**facts):
    return StatusBar(
        **{
            "now": NOW * 1_000_000,
            "seconds": 83.0,
            "rate": 12.34,
            "median": 420_000,
            "fills": 3,
            "errors": 0,
            **facts,
        }
    )


def drawn(board, size, masters=16, fills=8, **facts):
    """The rows of the board on a screen of that size."""
    state = board.snapshot()
    room = plan(
        size,
        min(masters, len(state.running) + len(state.ended)),
        min(fills, len(state.fills)),
    )
    terminal = Terminal(file=io.StringIO(), width=size[0])
    rows = terminal.render_lines(Group(*panel(state, bar(**facts), room)))
    return ["".join(segment.text for segment in row).rstrip() for row in rows]


@pytest.fixture
def busy(tell):
    """Twelve running masters, twelve ended ones, forty fills, three accounts."""
    board = Board()
    for account in ("main", "hedge", "a-long-account-name"):
        board.take(tell.connected(account, at=NOW - 1_000))
    for number in range(12):
        account = ("main", "hedge", "a-long-account-name")[number % 3]
        board.take(
            tell.master(
                id=f"mo_17355700000000{number:02}",
                quantity="123456789.123456789",
                filled="23456789.12345678",
                average="61234.123456789123",
                symbol="1000000PEPEUSDT",
                account=account,
                started=NOW - 1000 * number,
                at=NOW + number,
            )[2]
        )
        board.take(
            tell.master(id=f"e{number}", status="COMPLETED_WITHTAIL", finished=NOW - number)[2]
        )
    for number in range(40):
        board.take(tell.fill(quantity=f"0.{number}0000000000001", master=f"e{number}")[2])
    return board


@pytest.mark.parametrize(
    "size", [(80, 24), (100, 30), (160, 45), (240, 70), (60, 20), (40, 12), (80, 12), (80, 9)]
)
def test_the_picture_fits_the_screen_and_leaves_room_for_the_log(busy, size):
    columns, rows = size
    state = drawn(busy, size)
    assert len(state) <= rows - 2
    assert max(map(len, state)) <= columns


def test_at_eighty_by_twenty_four_everything_that_matters_is_there(tell):
    board = Board()
    board.take(tell.connected("main", at=NOW - 1_000))
    board.take(tell.master(quantity="10.00", filled="3.50", average="61234.50")[2])
    board.take(tell.fill(quantity="0.10", price="61234.50")[2])
    text = "\n".join(drawn(board, (80, 24)))
    for fact in (
        "1 running, 0 ended",
        "TWAP",
        "BTCUSDT",
        "buy",
        "10.00",
        "35%",
        "61,234.50",
        "processing",
        "0:30",
        "0.10",
        "6123.4500",
        "USDT",
        "● main",
        "12 msg/s",
        "p50 0.42 ms",
        "errors 0",
    ):
        assert fact in text, text


@pytest.mark.parametrize("columns", [60, 72, 80, 96, 100, 112, 120, 160, 200])
def test_no_number_and_no_state_loses_its_end(busy, tell, columns):
    busy.take(tell.fill(quantity="0.00000000000001", origin="catch_up", account="main")[2])
    rows = drawn(busy, (columns, 60))
    assert [row for row in rows if re.search(r"\S…(\s|$)", row)] == []
    assert any("caught up" in row for row in rows)
    assert any(" 18% " in row and "processing" in row for row in rows)


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 200])
def test_accounts_and_symbols_of_one_family_are_told_apart(tell, columns):
    board = Board()
    for number, base in ((1, "PEPE"), (2, "BONK")):
        account, symbol = f"desk-hong-kong-derivatives-0000{number}", f"{base}1000USDT"
        board.take(tell.connected(account, at=NOW))
        board.take(tell.master(id=f"mo_{number}", account=account, symbol=symbol)[2])
        board.take(tell.fill(account=account, symbol=symbol)[2])
    rows = [row.split() for row in drawn(board, (columns, 24)) if "USDT" in row]
    masters, fills = rows[:2], rows[2:]
    assert len({row[0] for row in masters}) == 2
    assert len({row[1] for row in fills}) == 2
    for row in (masters[0], fills[1]):
        assert any(cell.startswith(("PEPE", "BONK")) and cell.endswith("USDT") for cell in row)


def test_several_accounts_are_told_apart_at_eighty_columns(busy):
    state = drawn(busy, (80, 24))
    assert state[1].startswith("account")
    assert any(row.startswith("hedge") for row in state)


def test_running_orders_come_first_and_ended_ones_below_the_latest_on_top(tell):
    board = Board()
    for name, finished in (("e1", NOW - 9), ("e2", NOW - 1)):
        board.take(tell.master(id=name, status="COMPLETED", finished=finished)[2])
    for name, started in (("r2", 20), ("r1", 10)):
        board.take(tell.master(id=name, started=started)[2])
    shown, left_out = visible_masters(board.snapshot(), 10)
    assert [master.id for master in shown] == ["r1", "r2", "e2", "e1"]
    assert left_out == 0


def test_of_too_many_running_orders_those_that_moved_last_are_shown_and_the_rest_counted(tell):
    board = Board()
    for number in range(10):
        board.take(tell.master(id=f"r{number}", started=number, at=NOW + number)[2])
    shown, left_out = visible_masters(board.snapshot(), 4)
    assert [master.id for master in shown] == ["r7", "r8", "r9"]
    assert left_out == 7
    assert "… and 7 more running" in drawn(board, (80, 24), masters=4)


def test_the_bar_shows_progress_and_a_tick_where_the_schedule_is(tell):
    board = Board()
    board.take(tell.master(quantity="10", filled="2.5", started=NOW - 30_000, duration=60)[2])
    (row,) = [row for row in drawn(board, (80, 24)) if "BTCUSDT" in row]
    bar = row[row.index("━") : row.index(" 25%")].rstrip()
    assert abs(bar.index("╷") / len(bar) - 0.5) < 0.1
    assert abs(bar.count("━") / len(bar) - 0.25) < 0.1


def test_an_order_overfilled_by_a_lot_keeps_its_bar_within_its_column(tell):
    board = Board()
    board.take(tell.master(quantity="1", filled="2.5")[2])
    rows = drawn(board, (80, 24))
    assert any("250%" in row for row in rows)
    assert max(map(len, rows)) <= 80


def test_a_connection_that_is_down_is_named_first_with_how_long(tell):
    board = Board()
    board.take(tell.connected("main", at=NOW))
    board.take(tell.connected("hedge", at=NOW))
    board.take(tell.disconnected(account="main", at=NOW - 7_000))
    assert drawn(board, (80, 24))[-1].startswith(" ✖ main down 0:07  ● hedge")


def test_twenty_accounts_do_not_push_the_figures_out(tell):
    board = Board()
    for number in range(20):
        board.take(tell.connected(f"account-{number:02}", at=NOW))
    bar = drawn(board, (80, 24))[-1]
    assert bar.startswith(" ● account-00")
    assert "+1" in bar
    assert bar.endswith("1:23")


def test_before_the_first_message_it_says_so():
    rows = drawn(Board(), (80, 24))
    assert "no master order yet" in rows
    assert rows[-1].startswith(" ○ connecting")
