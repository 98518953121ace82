"""What can be traded, for everybody to read."""

from __future__ import annotations

from typing import Any, NamedTuple

from qehost.simulator.instruments import INSTRUMENTS
from qehost.simulator.signed_request import page

__all__ = ["EXCHANGES", "trading_pairs", "trading_pairs_v2"]

EXCHANGES = ("Binance", "OKX", "LTP", "Deribit", "Hyperliquid", "Bybit", "Bitget")

_COIN_MARGINED = {"Binance": ("BTCUSD", "ETHUSD"), "Bitget": ("BTCUSD_CM", "ETHUSD_CM")}
_LISTED = "2024-01-01T00:00:00Z"


class _Pair(NamedTuple):
    exchange: str
    symbol: str
    base: str
    quote: str
    market_type: str
    coin: bool


_PAIRS = [
    *(
        _Pair(exchange, each.symbol, each.base, each.quote, each.category.upper(), False)
        for exchange in EXCHANGES
        for each in INSTRUMENTS
    ),
    *(
        _Pair(exchange, symbol, symbol[:3], "USD", "PERP", True)
        for exchange, symbols in _COIN_MARGINED.items()
        for symbol in symbols
    ),
]


def trading_pairs(params: dict[str, str]) -> dict[str, Any]:
    """V1: page by page, with what the venue's records have."""
    return page(params, _chosen(params), _v1, clip=True)


def trading_pairs_v2(params: dict[str, str]) -> dict[str, Any]:
    """V2: all at once."""
    return {"items": [_v2(number, pair) for number, pair in _chosen(params)]}


def _chosen(params: dict[str, str]) -> list[tuple[int, _Pair]]:
    exchange = params.get("exchange", "").lower()
    market_type = params.get("marketType", "").upper()
    coin = params.get("isCoin", "").lower() in ("true", "1")
    return [
        (number, pair)
        for number, pair in enumerate(_PAIRS, 1)
        if exchange in ("", pair.exchange.lower())
        and market_type in ("", pair.market_type)
        and coin == pair.coin
    ]


def _v2(_: int, pair: _Pair) -> dict[str, Any]:
    result = {
        "exchange": pair.exchange,
        "symbol": pair.symbol,
        "baseAsset": pair.base,
        "quoteAsset": pair.quote,
        "status": "TRADING",
        "marketType": pair.market_type,
    }
    return {**result, "contractType": "PERPETUAL"} if pair.market_type == "PERP" else result


def _v1(numbered: tuple[int, _Pair]) -> dict[str, Any]:
    number, pair = numbered
    own = {"id": number, "createdAt": _LISTED, "updatedAt": _LISTED}
    return {**own, **_v2(number, pair), "deliveryDate": ""}
