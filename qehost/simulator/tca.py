"""What finished master orders cost, as the venue's transaction cost analysis says it.

The columns are the venue's; the market around an order is made up of its id, so that the same order
has the same figures each time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zlib import crc32

from qehost.messages import MasterOrderDetail
from qehost.simulator.fields import whole
from qehost.simulator.history import History
from qehost.simulator.orders import FINISHED, rfc3339

__all__ = ["analysis"]


def analysis(history: History, params: dict[str, str], bindings: str) -> list[dict[str, Any]]:
    """A row for each finished master order with a fill, newest first.

    `bindings` are ids of exchange accounts with commas between; `startTime` and `endTime` (epoch
    ms) choose by creation.
    """
    since = whole(params, "startTime", 1)
    until = whole(params, "endTime", 10**15)
    wanted = set(filter(None, bindings.split(",")))

    def fits(detail: MasterOrderDetail) -> bool:
        named = {"symbol": detail.symbol, "category": detail.category, "strategy": detail.algorithm}
        return (
            detail.status in FINISHED
            and bool(detail.cum_filled_qty)
            and (not wanted or detail.api_key_id in wanted)
            and all(params.get(name, value) == value for name, value in named.items())
            and since <= _epoch_ms(detail.created_at) <= until
        )

    return [_row(each, history) for each in history.master_orders({}, None, None) if fits(each)]


def _row(detail: MasterOrderDetail, history: History) -> dict[str, Any]:
    filled = float(detail.cum_filled_qty or 0)
    notional = float(detail.cum_filled_notional or 0)
    total = float(detail.total_quantity or 0)
    average = float(detail.avg_filled_price or 0)
    maker = float(detail.maker_rate or 0)
    children = history.order_fills({"master_order_id": detail.master_order_id}, None, None)

    def made_up(column: str, most: float) -> float:
        share = crc32(f"{detail.master_order_id} {column}".encode()) / 2**32
        return round((2 * share - 1) * most, 8)

    slippage = made_up("arrival", 0.0008)
    arrival = average / (1 + slippage)
    start = detail.start_time_ms or 0
    return {
        "MasterOrderID": detail.master_order_id,
        "StartTime": detail.created_at,
        "EndTime": rfc3339(start + 1000 * (detail.execution_duration_seconds or 0)),
        "FinishedTime": rfc3339(detail.finished_ms or 0),
        "Strategy": detail.algorithm,
        "Symbol": detail.symbol,
        "Category": detail.category,
        "Side": detail.side,
        "Date": detail.created_at[:10],
        "MasterOrderQty": total,
        "MasterOrderNotional": float(detail.order_notional or total * arrival),
        "ArrivalPrice": arrival,
        "ExcutedRate": filled / total if total else 0.0,
        "FillQty": filled,
        "TakeFillNotional": notional * (1 - maker),
        "MakeFillNotional": notional * maker,
        "FillNotional": notional,
        "MakerRate": maker,
        "ChildOrderCnt": len(children),
        "AverageFillPrice": average,
        "Slippage": average - arrival,
        "Slippage_pct": slippage,
        "TWAP_Slippage_pct": made_up("twap", 0.0004),
        "VWAP_Slippage_pct": made_up("vwap", 0.0004),
        "Spread": abs(made_up("spread", 0.0002)),
        "Slippage_pct_Fartouch": slippage - abs(made_up("spread", 0.0001)),
        "TWAP_Slippage_pct_Fartouch": made_up("twap far", 0.0004),
        "VWAP_Slippage_pct_Fartouch": made_up("vwap far", 0.0004),
        "IntervalReturn": made_up("return", 0.002),
        "ParticipationRate": abs(made_up("participation", 0.1)),
        "FeeSaving_pct": maker * 0.0003,
    }


def _epoch_ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
