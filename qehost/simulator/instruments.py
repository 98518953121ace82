"""The instruments of the simulated venue, and their prices, which are a random walk."""

from __future__ import annotations

import re
from decimal import Decimal
from random import Random
from zlib import crc32

import msgspec

from qehost.simulator.refusal import RestRefusal

__all__ = ["INSTRUMENTS", "Instrument", "Prices", "instrument_of"]

_SYMBOL = re.compile(
    r"(?P<base>[A-Z0-9]{1,20}?)[-_/]?(?P<quote>USDT|USDC|FDUSD|USD|EUR|BTC|ETH|BNB)(?P<cm>_CM)?"
)


class Instrument(msgspec.Struct, frozen=True):
    """A symbol on one market.

    All sums are done in whole ticks and whole lots, so that every price, quantity and notional is
    exact; `tick` and `lot` turn them into decimals at the end.
    """

    symbol: str
    base: str
    quote: str
    category: str  # spot, perp or perp_cm
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


def instrument_of(symbol: str, market_type: str, margin_type: str = "") -> Instrument:
    """One of the market's instruments; or for another well-formed symbol a new one, with small
    steps of quantity and price, at a price that depends on its base currency alone.

    It is `perp_cm` where it is margined in coins: `margin_type` is `C`, or the symbol ends with
    `_CM`.  Raises `RestRefusal`.
    """
    category = market_type.lower()
    if category not in ("spot", "perp"):
        raise RestRefusal(400, "INVALID_ARGUMENT", "marketType must be SPOT or PERP")
    for instrument in INSTRUMENTS:
        if instrument.symbol == symbol and instrument.category == category:
            return instrument
    found = _SYMBOL.fullmatch(symbol)
    if found is None:
        raise RestRefusal(400, "INVALID_ARGUMENT", f"{symbol!r} is no symbol, such as BTCUSDT")
    if category == "perp" and (margin_type == "C" or found["cm"]):
        category = "perp_cm"
    base, tick, lot = found["base"], Decimal("0.0001"), Decimal("0.00001")
    known = (each.price(each.opening) // tick for each in INSTRUMENTS if each.base == base)
    opening = int(next(known, 500 + crc32(base.encode()) % 20_000))
    return Instrument(symbol, base, found["quote"], category, tick, lot, opening, 100_000)


class Prices:
    """The last price of each instrument, in ticks."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._ticks = {instrument: instrument.opening for instrument in INSTRUMENTS}

    def last(self, instrument: Instrument) -> int:
        return self._ticks.get(instrument, instrument.opening)

    def move(self, instrument: Instrument) -> int:
        """The next price.

        A step is up to two basis points, a little more likely towards the opening price, so that
        after a day of simulation prices are still about those of its beginning.
        """
        step = max(1, instrument.opening // 5_000)
        ticks = self.last(instrument)
        drift = (instrument.opening - ticks) // 500
        ticks = max(1, ticks + drift + self._rng.randint(-step, step))
        self._ticks[instrument] = ticks
        return ticks
