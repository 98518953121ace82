"""What is traded at the simulated venue, and prices that walk at random."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import msgspec

__all__ = ["INSTRUMENTS", "Instrument", "Prices", "find"]


class Instrument(msgspec.Struct, frozen=True):
    """A symbol on one market.

    All sums are done in whole ticks and whole lots, so that every price, quantity and notional is
    exact; `tick` and `lot` turn them into decimals at the end.
    """

    symbol: str
    base: str
    quote: str
    category: str  # spot or perp
    tick: Decimal  # the smallest step of a price, in the quote currency
    lot: Decimal  # the smallest step of a quantity, in the base currency
    opening: int  # the price to begin with, in ticks
    usual: int  # the size of a usual master order, in lots

    def price(self, ticks: int) -> Decimal:
        return self.tick * ticks

    def quantity(self, lots: int) -> Decimal:
        return self.lot * lots

    def notional(self, lot_ticks: int) -> Decimal:
        """The value of Σ lots × ticks, in the quote currency."""
        return self.lot * self.tick * lot_ticks


def _instrument(
    base: str, category: str, tick: str, lot: str, opening: int, usual: int
) -> Instrument:
    return Instrument(
        f"{base}USDT", base, "USDT", category, Decimal(tick), Decimal(lot), opening, usual
    )


INSTRUMENTS = (
    _instrument("BTC", "perp", "0.10", "0.001", 971_240, 2_400),
    _instrument("ETH", "spot", "0.01", "0.0001", 341_872, 150_000),
    _instrument("SOL", "perp", "0.0100", "0.01", 18_431, 80_000),
    _instrument("BTC", "spot", "0.01", "0.00001", 9_718_655, 90_000),
    _instrument("ETH", "perp", "0.01", "0.001", 341_790, 40_000),
    _instrument("XRP", "spot", "0.0001", "0.10000000", 22_817, 400_000),
)


def find(symbol: str, category: str) -> Instrument | None:
    """The instrument of that symbol and category (`spot` or `perp`)."""
    for instrument in INSTRUMENTS:
        if instrument.symbol == symbol and instrument.category == category:
            return instrument
    return None


class Prices:
    """The last price of each instrument, in ticks."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._ticks = {instrument: instrument.opening for instrument in INSTRUMENTS}

    def move(self, instrument: Instrument) -> int:
        """The next price.

        A step is up to two basis points, a little more likely towards the opening price, so that a
        day of simulation still looks like the market it began with.
        """
        step = max(1, instrument.opening // 5_000)
        ticks = self._ticks[instrument]
        drift = (instrument.opening - ticks) // 500
        ticks = max(1, ticks + drift + self._dice.randint(-step, step))
        self._ticks[instrument] = ticks
        return ticks
