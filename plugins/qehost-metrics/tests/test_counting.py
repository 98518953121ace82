"""What events add to the figures."""

import time

import pytest
from qehost.testing import Events, disconnected, fill, order, worked_master_order

from qehost_metrics.counting import SYMBOLS


def test_fills_add_up_by_symbol_side_and_currency(serving):
    events = worked_master_order(symbol="BTCUSDT", side="buy", qty="1.5", price="97000", children=3)
    serving.deliver(*events)
    page = serving.get()
    fills = sum(event.kind == "fill" for event in events)
    notional = sum(event.detail.notional for event in events if event.kind == "fill")
    origin = next(event.origin for event in events if event.kind == "fill")
    count = page.value(f'qehost_events_total{{account="main",kind="fill",origin="{origin}"}}')
    assert count == fills
    where = 'account="main",symbol="BTCUSDT",side="buy"'
    quantity = page.value(f'qehost_fill_quantity_total{{{where},asset="BTC"}}')
    assert quantity == pytest.approx(1.5)
    value = page.value(f'qehost_fill_notional_total{{{where},quote="USDT"}}')
    assert value == pytest.approx(float(notional))
    filled = page.value('qehost_orders_total{account="main",symbol="BTCUSDT",status="FILLED"}')
    assert filled == 3


def test_what_comes_again_or_was_so_before_is_not_counted(serving):
    serving.deliver(
        fill(symbol="BTCUSDT", redelivered=True),
        order(symbol="BTCUSDT", status="FILLED", origin="baseline"),
    )
    page = serving.get()
    assert "qehost_fill_quantity_total{" not in page.text
    assert "qehost_orders_total{" not in page.text
    assert page.value('qehost_events_total{account="main",kind="order",origin="baseline"}') == 1


def test_what_comes_again_is_known_to_what_follows(serving):
    make = Events()
    names = {"symbol": "BTCUSDT", "order_id": "o1", "id": "v1"}
    again = make.order(**names, status="PLACED", redelivered=True)
    serving.deliver(again, make.order(**names, status="PLACED"), make.fill(**names, side="buy"))
    page = serving.get()
    assert "qehost_orders_total{" not in page.text
    assert 'quote="USDT"' in page.text


def test_an_order_counts_once_for_a_status(serving):
    make = Events()
    for status in ("PLACED", "PLACED", "FILLED"):
        serving.deliver(make.order(id="v1", order_id="o1", symbol="BTCUSDT", status=status))
    page = serving.get()
    for status in ("PLACED", "FILLED"):
        labels = f'account="main",symbol="BTCUSDT",status="{status}"'
        assert page.value(f"qehost_orders_total{{{labels}}}") == 1


def test_contracts_are_no_money(serving):
    make = Events()
    names = {"symbol": "BTCUSD", "category": "perp_cm", "side": "sell", "order_id": "o1", "id": "v"}
    serving.deliver(make.order(**names), make.fill(**names, quantity="7", price="97000"))
    page = serving.get()
    labels = 'account="main",symbol="BTCUSD",side="sell",asset="contracts"'
    assert page.value(f"qehost_fill_quantity_total{{{labels}}}") == 7
    assert "qehost_fill_notional_total{" not in page.text


def test_symbols_beyond_the_limit_are_other_and_told(serving):
    make = Events()
    for number in range(SYMBOLS + 3):
        serving.deliver(make.order(id=f"v{number}", order_id=f"o{number}", symbol=f"S{number}"))
    page = serving.get()
    assert page.value('qehost_symbols_without_series{account="main"}') == 3
    assert 'symbol="other"' in page.text
    assert f'symbol="S{SYMBOLS}"' not in page.text


def test_currencies_beyond_the_limit_are_other(serving):
    make = Events()
    for number in range(SYMBOLS + 3):
        names = {"symbol": f"C{number}USDT", "order_id": f"o{number}", "id": f"v{number}"}
        serving.deliver(make.order(**names), make.fill(**names, side="buy"))
    page = serving.get()
    assert page.text.count("\nqehost_fill_quantity_total{") <= SYMBOLS + 1
    assert 'symbol="other",side="buy",asset="other"' in page.text


def test_a_disconnect_counts_from_zero(serving):
    assert serving.get().value('qehost_disconnects_total{account="main"}') == 0
    serving.deliver(disconnected())
    assert serving.get().value('qehost_disconnects_total{account="main"}') == 1


def test_delays_have_an_exemplar_that_names_the_event(serving):
    now = time.time()
    received_at = int((now - 0.2) * 1e9)
    serving.deliver(order(seq=12, timestamp=int((now - 3) * 1000), received_at=received_at))
    page = serving.openmetrics()
    assert page.value('qehost_event_delay_seconds_count{stage="venue"}') == 1
    assert page.value('qehost_event_delay_seconds_bucket{stage="venue",le="2.5"}') == 0
    assert page.value('qehost_event_delay_seconds_bucket{stage="venue",le="5.0"}') == 1
    assert '# {account="main",seq="12"}' in page.text
    assert "seq=" not in serving.get().text, "the older form has no exemplars"


def test_odd_texts_do_not_break_the_page(serving):
    serving.deliver(order(symbol='B"T\\C\n', status="x"))
    assert r'symbol="B\"T\\C\n"' in serving.get().text
