import io
from decimal import Decimal

from qehost.errors import ConnectError, GapError
from rich.console import Console as Terminal

from qehost_console.board import Board
from qehost_console.latency import Latency
from qehost_console.summary import FinishedRun, summary
from qehost_console.totals import RunTotals

START = 1_764_036_000_000  # epoch ms


def printed(run, width=100):
    terminal = Terminal(file=io.StringIO(), width=width)
    for part in summary(run):
        terminal.print(part)
    return terminal.file.getvalue()


def run(**facts):
    return FinishedRun(
        **{
            "seconds": 10.0,
            "reason": "stopped by SIGTERM",
            "quotes": {},
            "totals": RunTotals(),
            "latency": Latency(),
            **facts,
        }
    )


def traded(tell, *fills):
    board, totals = Board(), RunTotals()
    board.take(tell.order()[2])
    for facts in fills:
        message, _, event = tell.fill(**facts)
        totals.event(event)
        totals.fill(board.fill(event), message.category)
    return run(quotes=board.snapshot().quotes, totals=totals)


def test_volumes_are_exact_to_the_last_digit(tell):
    text = printed(
        traded(
            tell,
            {"quantity": "12345678901234567890.000000000000000001", "price": "1"},
            {"quantity": "0.000000000000000009", "price": "1", "side": "sell"},
        ),
        width=200,
    )
    assert "12,345,678,901,234,567,890.000000000000000001" in text
    assert "0.000000000000000009" in text
    assert "12,345,678,901,234,567,890.00000000000000001" in text


def test_no_digit_is_cut_off_on_a_narrow_terminal(tell):
    text = printed(traded(tell, {"quantity": "12345678.123456789012345678", "price": "1"}), 40)
    assert "…" not in text
    assert text.count("8") == 2 * "12345678.123456789012345678".count("8")


def test_buying_and_selling_are_told_apart_and_the_currency_is_named(tell):
    text = printed(
        traded(
            tell,
            {"quantity": "3", "price": "10"},
            {"quantity": "1", "price": "10", "side": "sell"},
        )
    )
    row = next(line for line in text.splitlines() if line.startswith("BTCUSDT"))
    assert row.split() == ["BTCUSDT", "perp", "2", "3", "1", "40", "USDT"]


def test_totals_are_kept_apart_by_currency(tell):
    result = traded(
        tell,
        {"quantity": "1", "price": "10"},
        {"quantity": "1", "price": "7", "symbol": "ETHBTC"},
        {"quantity": "1", "price": "5", "symbol": "NEW"},
    )
    result.quotes["ETHBTC"] = "BTC"
    rows = [line.split() for line in printed(result).splitlines() if line.startswith("all")]
    assert rows == [
        ["all", "10", "USDT"],
        ["all", "7", "BTC"],
        ["all", "5", "in", "unnamed", "currencies"],
    ]


def test_hundreds_of_symbols_end_with_the_largest(tell):
    fills = [{"quantity": "1", "price": str(n), "symbol": f"S{n}"} for n in range(1, 101)]
    text = printed(traded(tell, *fills))
    assert "S100" in text
    assert "S50 " not in text
    assert "and 80 more symbols" in text
    assert "5050" in text


def test_messages_are_counted_by_kind_and_origin(tell):
    totals = RunTotals()
    for event in (
        tell.master()[2],
        tell.order()[2],
        tell.order(origin="catch_up")[2],
        tell.fill()[2],
        tell.connected(),
        tell.order(redelivered=True)[2],
    ):
        totals.event(event)
    text = printed(run(totals=totals))
    assert "messages         3  0.3/s  1 delivered again" in text
    assert "child orders   3  1 caught up over REST" in text
    assert "fills          1  derived from child orders" in text


def test_latency_is_told_in_percentiles():
    latency = Latency()
    for sample in range(1, 1001):
        latency.add(sample * 1000, 0)
    text = printed(run(latency=latency))
    assert "max 1.00 ms" in text
    assert "p50 0.5" in text
    assert "p99 " in text
    assert "no message to measure" in printed(run())


def test_reconnects_and_errors_stand_out(tell):
    totals = RunTotals()
    totals.connected(tell.connected())
    totals.disconnected(tell.disconnected())
    totals.connected(tell.connected(at=START + 12_400))
    for error in (ConnectError("refused"), ConnectError("refused"), GapError("the last one")):
        totals.error(error)
    text = printed(run(totals=totals))
    assert "2 opened, 1 of them reconnects  12.4 s without a stream" in text
    assert "3  ConnectError 2  GapError 1" in text
    assert "last: the last one" in text


def test_a_quantity_that_was_not_sent_adds_nothing(tell):
    result = traded(tell, {"quantity": None})
    assert result.totals.volumes == {}
    assert result.totals.fills == 1
    assert Decimal(0) == sum(v.notional for v in result.totals.volumes.values())
