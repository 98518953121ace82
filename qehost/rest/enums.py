"""The venue's enums, under the names of its client.  Texts do everywhere as well."""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "MASTER_ORDER_STATUSES_V2",
    "Algorithm",
    "Category",
    "Exchange",
    "MarginType",
    "MarketType",
    "MasterOrderStatus",
    "MasterOrderStatusV2",
    "OrderSide",
    "StrategyType",
    "TradingPairMarketType",
]


class MasterOrderStatus(StrEnum):
    """What a list of master orders is chosen by: those that still run, and those that don't."""

    NEW = "NEW"
    COMPLETED = "COMPLETED"


class MasterOrderStatusV2(StrEnum):
    """The states of a master order.  A list knows `NEW` and `COMPLETED` alone."""

    NEW = "NEW"
    WAITING = "WAITING"
    PROCESSING = "PROCESSING"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    COMPLETED = "COMPLETED"
    COMPLETED_WITHTAIL = "COMPLETED_WITHTAIL"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


MASTER_ORDER_STATUSES_V2 = frozenset(status.value for status in MasterOrderStatusV2)


class Algorithm(StrEnum):
    TWAP = "TWAP"
    VWAP = "VWAP"
    POV = "POV"


class StrategyType(StrEnum):
    """V1's."""

    TWAP_1 = "TWAP-1"
    TWAP_2 = "TWAP-2"
    POV = "POV"


class MarketType(StrEnum):
    SPOT = "SPOT"
    PERP = "PERP"


class TradingPairMarketType(StrEnum):
    SPOT = "SPOT"
    PERP = "PERP"
    FUTURES = "PERP"


class Category(StrEnum):
    SPOT = "spot"
    PERP = "perp"
    PERP_CM = "perp_cm"


class OrderSide(StrEnum):
    BUY = "buy"
    SELL = "sell"


class MarginType(StrEnum):
    """Margined in USD or in coins."""

    U = "U"
    C = "C"


class Exchange(StrEnum):
    BINANCE = "Binance"
    OKX = "OKX"
    LTP = "LTP"
    DERIBIT = "Deribit"
    HYPERLIQUID = "Hyperliquid"
    BYBIT = "Bybit"
    BITGET = "Bitget"
