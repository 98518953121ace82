import time

import pytest
from qehost.errors import ConnectError, DecodeError, GapError

from qehost_console import figures, lines
from qehost_console.board import Board
from qehost_console.lines import plain

NOW = 1_764_036_000_000_000_000  # epoch ns


@pytest.fixture(autouse=True)
def greenwich(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    figures._local.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    figures._local.cache_clear()


def test_a_master_order_line_tells_progress_with_every_digit(tell):
    event = tell.master(quantity="10.00", filled="3.50", average="61234.50")[2]
    assert plain(lines.master_line(Board().master_order(event), event)) == (
        "02:00:00.000  main      BTCUSDT   buy   master  PROCESSING  "
        "3.50 of 10.00 BTC (35%) at 61234.50  TWAP  1:00  mo_1"
    )


def test_a_rejected_master_order_tells_why(tell):
    event = tell.master(status="REJECTED", reason="Insufficient balance")[2]
    line = plain(lines.master_line(Board().master_order(event), event))
    assert "REJECTED" in line
    assert "Insufficient balance" in line


def test_a_child_order_line_tells_what_was_asked_and_what_was_filled(tell):
    assert plain(lines.order_line(*tell.order(filled="0.50"))) == (
        "02:00:00.000  main      BTCUSDT   buy   order   PLACED      "
        "1.50 BTC at 61234.50, filled 0.50 at 61230.10  LIMIT  o_1 of mo_1"
    )


def test_a_fill_line_tells_quantity_price_and_what_it_comes_to(tell):
    fill = tell.fill(quantity="0.10000000", price="61234.50")
    assert plain(lines.fill_line(*fill, "USDT")) == (
        "02:00:00.000  main      BTCUSDT   buy   fill                "
        "0.10000000 at 61234.50 = 6123.4500000000 USDT  o_1 of mo_1"
    )


def test_what_was_caught_up_or_comes_again_says_so(tell):
    line = plain(lines.order_line(*tell.order(origin="catch_up", redelivered=True)))
    assert line.endswith("[caught up over REST, delivered again]")


def test_a_state_from_before_the_stream_and_a_late_one_say_so(tell):
    line = plain(lines.order_line(*tell.order(origin="baseline")))
    assert line.endswith("[as it was before the stream opened]")
    assert plain(lines.order_line(*tell.order(stale=True))).endswith("[late]")


def test_a_connection_line_names_the_window_that_was_not_heard(tell):
    event = tell.connected(
        attempt=3, down_since=1_764_036_000_000_000_000, up_at=1_764_036_003_500_000_000
    )
    line = plain(lines.connected_line(event))
    assert "CONNECTED" in line
    assert "nothing was heard for 3.5 s (02:00:00.000 to 02:00:03.500)" in line
    assert "attempt 3" in line


def test_trouble_is_loud_without_colours_too(tell):
    event = tell.disconnected()
    assert "DISCONNECTED  reset by the peer (code 1006)" in plain(
        lines.disconnected_line("reset by the peer", event)
    )
    for error, word in ((ConnectError("refused"), "ERROR"), (GapError("lost"), "GAP")):
        line = plain(lines.error_line(error, tell.error(error), NOW))
        assert f"{word}  {type(error).__name__}: {error}" in line


def test_an_error_outside_of_an_event_has_the_time_it_was_heard_of():
    line = plain(lines.error_line(ConnectError("refused"), None, NOW + 10**9))
    assert line.startswith("02:00:01.000")


def test_what_could_not_be_read_is_shown_but_cannot_steer_the_terminal(tell):
    error = DecodeError("price: not a number", '{"price":"\x1b[2J"}' + "x" * 10_000, "$.price")
    line = plain(lines.error_line(error, tell.error(error), NOW))
    assert "\x1b" not in line
    assert '{"price":"\\x1b[2J"}' in line
    assert len(line) < 1000


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\x1b]0;title\x07", "a\u2028b"])
def test_one_message_is_one_line(tell, text):
    status = plain(lines.status_line(text, tell.status(text)))
    unknown = plain(lines.unknown_line(tell.unknown(text)))
    order = plain(lines.order_line(*tell.order(id=text, status=text, reason=text)))
    for line in (status, unknown, order):
        assert len(line.splitlines()) == 1
        assert line.isprintable()


def test_the_day_line_names_date_and_zone():
    assert plain(lines.day_line(1_764_036_000_000_000_000)) == "2025-11-25 UTC+0000"
