"""Which events make each rule hold, and which never do."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from qehost.errors import PluginError
from qehost.testing import Events, PluginHost

from qehost_guard import Guard
from qehost_guard.rules import Finding, Watch
from qehost_guard.settings import Rule

NOW = time.time_ns() // 1_000_000


class Market:
    """A watch with one rule, and events that come one by one at `now`."""

    def __init__(self, **rule: Any) -> None:
        self.watch = Watch([Rule(action="pause", **rule)], max_age=60)
        self.events = Events()
        self.now = NOW
        self.number = 0
        self.master(status="PROCESSING")

    def master(self, **fields: Any) -> list[Finding]:
        given = {"master_order_id": "m-1", "symbol": "BTCUSDT", "side": "buy", **fields}
        return self.take(self.events.master_order(**given, received_at=self.now * 1_000_000))

    def reject(self, **fields: Any) -> list[Finding]:
        given = {**self._new_child(), "status": "REJECTED", **fields}
        return self.take(self.events.order(**given))

    def fill(self, price: str, quantity: str = "1", **fields: Any) -> list[Finding]:
        """A filled child order, and the fill that is derived of it."""
        given = {
            **self._new_child(),
            "side": "buy",
            "status": "FILLED",
            "price": price,
            "quantity": quantity,
            "filled_quantity": quantity,
            "average_price": price,
            "filled_notional": str(Decimal(price) * Decimal(quantity)),
            **fields,
        }
        update = self.events.order(**given)
        return [*self.take(update), *self.take(self.events.fill_of(update))]

    def _new_child(self) -> dict[str, Any]:
        self.number += 1
        return {
            "id": f"{self.number}",
            "order_id": f"o-{self.number}",
            "master_order_id": "m-1",
            "symbol": "BTCUSDT",
            "received_at": self.now * 1_000_000,
        }

    def take(self, event: Any) -> list[Finding]:
        return self.watch.take(event, self.now)

    def tick(self, seconds: float, step: float = 1.0) -> list[Finding]:
        found: list[Finding] = []
        for _ in range(round(seconds / step)):
            self.now += round(step * 1000)
            found = self.watch.tick(self.now, ["main"])
        return found


def test_rejects_within_a_window() -> None:
    market = Market(rejects=3, within="10s")

    assert not market.reject()
    market.now += 11_000
    assert not market.reject()
    assert not market.reject()
    (found,) = market.reject()

    assert found.figures["rejects"] == "3"
    assert found.seq


def test_one_rejected_order_that_is_told_again_counts_once() -> None:
    market = Market(rejects=2, within="10s")

    assert not market.reject(id="1", order_id="o-1")
    assert not market.reject(id="1", order_id="o-1")


@pytest.mark.parametrize(
    "no_news",
    [
        {"origin": "catch_up"},
        {"origin": "baseline"},
        {"redelivered": True},
        {"received_at": (NOW - 61_000) * 1_000_000},
        {"received_at": (NOW + 61_000) * 1_000_000},  # before the clock was set back
    ],
)
def test_what_is_no_news_is_no_reason_to_act(no_news: dict[str, Any]) -> None:
    market = Market(rejects=1, within="300s")

    assert not market.reject(**no_news)
    assert market.reject()


def test_a_fill_that_is_derived_of_what_was_caught_up_is_no_news() -> None:
    market = Market(notional=1)

    assert not market.fill("100", origin="catch_up")
    assert market.fill("100")


def test_a_price_beyond_the_first_one_is_against_the_order() -> None:
    market = Market(first_price_bps=Decimal(50))

    assert not market.fill("100")
    assert not market.fill("90")
    assert not market.fill("100.50")
    (found, *_) = market.fill("100.51")

    assert found.figures["first_price"] == "100"
    assert found.figures["bps"] == "51.00"


def test_a_sell_is_hurt_by_a_lower_price() -> None:
    market = Market(first_price_bps=Decimal(50))
    market.master(master_order_id="m-2", side="sell", status="PROCESSING")
    sold = {"master_order_id": "m-2", "side": "sell"}

    assert not market.fill("100", **sold)
    assert not market.fill("110", **sold)
    assert market.fill("99", **sold)


def test_the_worst_price() -> None:
    market = Market(worst_price_bps=Decimal(0))
    market.master(status="PROCESSING", worst_price="101")

    assert not market.fill("101")
    assert market.fill("101.01")


def test_an_order_without_a_worst_price_is_left_out() -> None:
    market = Market(worst_price_bps=Decimal(0))
    market.master(status="PROCESSING", worst_price="-1")

    assert not market.fill("1000000")


def test_slippage_of_the_average_price() -> None:
    market = Market(slippage_bps=Decimal(50))

    assert not market.fill("100")
    assert not market.fill("101")  # the average is 100.5
    assert market.fill("102")


def test_the_notional_of_a_symbol_stops_all_its_orders() -> None:
    market = Market(notional=Decimal(250))
    market.master(master_order_id="m-2", status="PROCESSING")
    market.master(master_order_id="m-3", status="PROCESSING", symbol="ETHUSDT")

    assert not market.fill("100")
    assert not market.fill("100", master_order_id="m-2")
    found = market.fill("100")

    assert {each.master_order_id for each in found} == {"m-1", "m-2"}
    assert found[0].figures["notional"] == "300"


def test_silence_counts_only_while_the_stream_is_up() -> None:
    market = Market(silent="5s")

    assert not market.tick(20)
    market.take(market.events.connected(received_at=market.now * 1_000_000))
    assert not market.tick(4)
    assert market.tick(2)


def test_a_process_that_stood_still_does_not_take_that_for_silence() -> None:
    market = Market(silent="5s")
    market.take(market.events.connected(received_at=market.now * 1_000_000))

    assert not market.tick(3)
    assert not market.tick(300, step=300)
    assert market.tick(6)


def test_a_stream_that_is_down() -> None:
    market = Market(down="5s")
    market.take(market.events.connected(received_at=market.now * 1_000_000))
    assert not market.tick(20)

    market.take(market.events.disconnected(received_at=market.now * 1_000_000))

    assert not market.tick(4)
    assert market.tick(2)


def test_a_clock_that_is_set_back_hides_no_outage_and_no_silence() -> None:
    market, silent = Market(down="5s"), Market(silent="5s")
    market.take(market.events.connected(received_at=market.now * 1_000_000))
    market.take(market.events.disconnected(received_at=market.now * 1_000_000))
    silent.take(silent.events.connected(received_at=silent.now * 1_000_000))
    for each in (market, silent):
        assert not each.tick(3)
        each.now -= 3_600_000

        assert not each.tick(4)
        assert each.tick(4)


def test_a_clock_that_is_set_ahead_makes_no_outage_and_no_silence() -> None:
    market, silent = Market(down="5s"), Market(silent="5s")
    market.take(market.events.connected(received_at=market.now * 1_000_000))
    market.take(market.events.disconnected(received_at=market.now * 1_000_000))
    silent.take(silent.events.connected(received_at=silent.now * 1_000_000))
    for each in (market, silent):
        assert not each.tick(3)
        each.now += 3_600_000

        assert not each.tick(4)
        assert each.tick(4)


def test_rejects_of_before_the_clock_was_set_back_are_not_within_a_time() -> None:
    market = Market(rejects=2, within="10s")
    assert not market.reject()

    market.now -= 3_600_000

    assert not market.reject()
    assert market.reject()


def test_a_fill_whose_time_is_of_a_day_to_come_does_not_hide_todays() -> None:
    market = Market(notional=Decimal(250))
    tomorrow = str(NOW + 2 * 86_400_000)

    assert not market.fill("100", updated_at=tomorrow)
    assert not market.fill("100")
    assert market.fill("100")


def test_accounts_and_symbols() -> None:
    assert not Market(rejects=1, within="9s", symbols=("ETHUSDT",)).reject()
    assert not Market(rejects=1, within="9s", accounts=("other",)).reject()
    assert Market(rejects=1, within="9s", symbols=("btcusdt",), accounts=("main",)).reject()


def test_a_paused_or_finished_order_is_left_alone() -> None:
    market = Market(rejects=1, within="9s")

    market.master(status="PAUSED")
    assert not market.reject()
    market.master(status="PROCESSING")
    assert market.reject()
    market.master(status="CANCELLED")
    assert not market.reject()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({}, "a rule has one condition"),
        ({"rejects": 3}, "belong together"),
        ({"rejects": 3, "within": "60s", "notional": 1}, "found rejects and notional"),
        ({"silent": "soon"}, "silent"),
        ({"silent": "0s"}, "more than nothing"),
        ({"slippage_bps": "NaN"}, "finite"),
        ({"down": "5s", "action": "resume"}, "action"),
        ({"down": "5s", "symbol": "BTCUSDT"}, "symbol"),
        ({"down": "5s", "symbols": [""]}, "symbols"),
        ({"down": "5s", "name": "two\nlines"}, "name"),
        ({"rejects": 1001, "within": "60s"}, "1000"),  # more than are kept would never hold
    ],
)
def test_a_rule_that_can_not_be_right_is_refused_with_its_place(
    rule: dict[str, object], words: str
) -> None:
    with pytest.raises(PluginError, match=words) as caught:
        PluginHost(Guard, {"rules": [rule]})
    assert "rules" in str(caught.value)


@pytest.mark.parametrize("name", ["max_age", "settle"])
def test_no_time_at_all_is_refused(name: str) -> None:
    with pytest.raises(PluginError, match=f"{name} must be more than nothing"):
        PluginHost(Guard, {name: "0s"})


def test_a_rule_for_an_account_that_does_not_exist_is_a_problem_while_the_others_work() -> None:
    rules = [{"down": "5s", "accounts": ["nope"]}, {"rejects": 1, "within": "60s"}]
    with PluginHost(Guard, {"rules": rules}) as host:
        assert host.problems == {"accounts": "there is no account nope: main"}


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(PluginError, match="down-warn"):
        PluginHost(Guard, {"rules": [{"down": "5s"}, {"down": "9s"}]})
