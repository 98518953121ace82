"""The venue's own analysis of master orders (transaction cost analysis), over REST.

Its figures need market data, which the stream does not have.  They are shown as they were sent:
their signs are not documented, so none of them is mixed with ours.  Only its arrival price is used,
as a reference for the average price, with our sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from qehost import Context
from qehost.errors import Error

from qehost_stats.figures import OrderFigures, with_analysis

__all__ = ["NOT_ASKED", "analysed", "without_analysis"]

NOT_ASKED = "the venue was not asked (--no-venue)"
_MARGIN = 3_600_000
"""ms: what `startTime` chooses by is not documented; a creation lies before a start."""
_PATIENCE = 60_000
"""ms, the most that the venue takes: a question about the past is good for longer than an order."""


def analysed(
    context: Context, account: str, orders: Sequence[OrderFigures]
) -> tuple[list[OrderFigures], str]:
    """The orders with the venue's rows, and why there are none, if so.

    One call an account.  Where it fails, each order says why it has no row.
    """
    if not orders:
        return [], ""
    try:
        reply = context.api(account).get_tca_analysis_v2(
            startTime=max(1, min(order.start_ms for order in orders) - _MARGIN),
            endTime=max(order.end_ms for order in orders) + _MARGIN,
            recvWindow=_PATIENCE,
        )
    except Error as error:
        why = f"the venue's analysis could not be had: {error}"
        return without_analysis(orders, why), f"{account}: {why}"
    rows = _by_id(reply)
    none = "the venue's analysis has no row of this order"
    return [
        with_analysis(
            order,
            rows.get(order.master_order_id.casefold()),
            f"{none}: it runs" if "running" in order.marks else none,
        )
        for order in orders
    ], ""


def without_analysis(orders: Iterable[OrderFigures], why: str) -> list[OrderFigures]:
    """None was asked for."""
    return [with_analysis(order, None, why) for order in orders]


def _by_id(reply: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(reply, list):
        return {}
    return {
        ident.casefold(): row
        for row in reply
        if isinstance(row, dict) and isinstance(ident := row.get("MasterOrderID"), str)
    }
