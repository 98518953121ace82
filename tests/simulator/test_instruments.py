"""What is traded: exact figures, and prices that stay near where they began."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.simulator.instruments import INSTRUMENTS, Instrument, Prices, instrument_of
from qehost.simulator.refusal import RestRefusal

instruments = st.sampled_from(INSTRUMENTS)


@given(instruments, st.integers(0, 10**12), st.integers(0, 10**9))
def test_a_notional_is_quantity_times_price_to_the_last_digit(
    instrument: Instrument, ticks: int, lots: int
) -> None:
    product = instrument.price(ticks) * instrument.quantity(lots)
    assert instrument.notional(lots * ticks) == product


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_an_instrument_is_found_by_symbol_and_category(instrument: Instrument) -> None:
    assert instrument_of(instrument.symbol, instrument.category.upper()) is instrument


@pytest.mark.parametrize(
    "symbol", ["", "BTC", "BTC USDT", "btcusdt", "USDT", "BTCXYZ", "BTCUSDT_X"]
)
def test_what_is_no_symbol_or_market_is_refused(symbol: str) -> None:
    with pytest.raises(RestRefusal, match="no symbol"):
        instrument_of(symbol, "SPOT")
    with pytest.raises(RestRefusal, match="SPOT or PERP"):
        instrument_of("BTCUSDT", symbol)


def test_another_symbol_is_a_new_instrument_with_the_price_of_its_base() -> None:
    bitcoin = instrument_of("BTCUSD", "PERP", "C")
    assert (bitcoin.base, bitcoin.quote, bitcoin.category) == ("BTC", "USD", "perp_cm")
    assert bitcoin.price(bitcoin.opening) == INSTRUMENTS[0].price(INSTRUMENTS[0].opening)
    assert instrument_of("DOGEUSDT", "SPOT") == instrument_of("DOGEUSDT", "SPOT")
    assert 0 < instrument_of("DOGEUSDT", "SPOT").opening < 50_000


@given(instruments, st.integers(0, 2**32))
def test_prices_walk_in_small_steps_and_stay_positive(instrument: Instrument, seed: int) -> None:
    prices = Prices(Random(seed))
    before = instrument.opening
    for _ in range(200):
        now = prices.move(instrument)
        assert now > 0
        # Two basis points at random, and what leads back.
        assert abs(now - before) <= instrument.opening // 5_000 + 1 + instrument.opening // 500
        before = now


def test_a_day_ends_near_where_it_began() -> None:
    prices = Prices(Random(1))
    for instrument in INSTRUMENTS:
        last = [prices.move(instrument) for _ in range(20_000)][-1]
        assert abs(last / instrument.opening - 1) < 0.2


def test_the_prices_follow_from_the_rng() -> None:
    one, two = (
        [prices.move(INSTRUMENTS[0]) for _ in range(50)]
        for prices in (Prices(Random(3)), Prices(Random(3)))
    )
    assert one == two
