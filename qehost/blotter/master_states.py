"""How events change what is known of one master order.  No I/O.

As for child orders, everything is a maximum: see `child_folding`.
"""

from __future__ import annotations

from decimal import Decimal
from sys import intern

from qehost.blotter.entries import FINAL_RANK, MasterEntry
from qehost.events.times import epoch_ms
from qehost.messages import MasterOrderDetail

__all__ = ["created_ms", "take_figures", "take_fill", "take_state"]

_QUALITY = 1 << 62


def created_ms(text: str) -> int:
    """When an order was made, epoch ms; 0: that is not there, or can't be read."""
    try:
        return epoch_ms(text)
    except ValueError:
        return 0


def take_state(
    entry: MasterEntry, detail: MasterOrderDetail, rank: int, updated: int, at: int
) -> bool:
    """Whether this is the order's last state from now on.  `updated` is the venue's time, `at` when
    it was received, both epoch ms.

    What a state does not say is as it was: V1 says less than REST.
    """
    is_first = not entry.status
    if is_first:
        entry.started = 0
    if rank <= entry.rank:
        _fill_in(entry, detail)
        return False
    if not entry.quote:
        _fill_in(entry, detail)
    entry.rank = rank
    entry.status = intern(detail.status) or entry.status or "UNKNOWN"
    entry.is_final = bool(rank & FINAL_RANK)
    entry.reason = detail.reject_reason
    if detail.total_quantity:
        entry.target, entry.target_in_quote = detail.total_quantity.copy_abs(), False
    elif detail.order_notional:
        entry.target, entry.target_in_quote = detail.order_notional.copy_abs(), True
    if detail.maker_rate is not None:
        entry.maker_rate = detail.maker_rate
    if detail.commission:
        entry.fees = detail.commission
    if detail.worst_price is not None:
        entry.worst_price = detail.worst_price if detail.worst_price > 0 else None
    entry.duration = float(detail.execution_duration_seconds or 0) or entry.duration
    entry.started = detail.start_time_ms or entry.started or entry.created or updated or at
    entry.updated = updated
    entry.ended = (detail.finished_ms or entry.ended or updated or at) if entry.is_final else 0
    return True


def _fill_in(entry: MasterEntry, detail: MasterOrderDetail) -> None:
    """Take from an earlier state what the later ones did not say."""
    entry.client_order_id = entry.client_order_id or detail.client_order_id
    entry.symbol = entry.symbol or intern(detail.symbol)
    entry.side = entry.side or intern(detail.side)
    entry.algorithm = entry.algorithm or intern(detail.algorithm)
    entry.category = entry.category or intern(detail.category or detail.market_type)
    entry.base = entry.base or intern(detail.base_currency)
    entry.quote = entry.quote or intern(detail.quote_currency)
    entry.created = entry.created or created_ms(detail.created_at)
    entry.duration = entry.duration or float(detail.execution_duration_seconds or 0)
    if entry.target is None and detail.total_quantity:
        entry.target = detail.total_quantity.copy_abs()
    if entry.maker_rate is None:
        entry.maker_rate = detail.maker_rate
    entry.fees = entry.fees or detail.commission


def take_figures(entry: MasterEntry, detail: MasterOrderDetail, seq: int) -> bool:
    """Take what the venue reports as filled; whether that is more, or says more exactly what."""
    filled = detail.cum_filled_qty
    if filled is None:
        filled = detail.completed_quantity
    notional = _size(detail.cum_filled_notional)
    if filled is None:
        if notional is None:
            return False
        if entry.reported is not None or notional <= (entry.reported_notional or -1):
            return False
        entry.reported_notional = notional
        entry.reported_average = _size(detail.avg_filled_price) or None
        return True
    filled = filled.copy_abs()
    rank = seq if notional is None else _QUALITY + seq
    known = entry.reported
    if known is not None and (filled < known or (filled == known and rank <= entry.figures_rank)):
        return False
    entry.figures_rank = rank
    average = _size(detail.avg_filled_price) or None
    if (filled, notional, average) == (known, entry.reported_notional, entry.reported_average):
        return False
    entry.reported, entry.reported_notional, entry.reported_average = filled, notional, average
    return True


def _size(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.copy_abs()


def take_fill(entry: MasterEntry, seq: int, at: int, price: Decimal | None) -> None:
    """One more fill, executed at `at` (epoch ms)."""
    entry.fills += 1
    if not entry.first_fill_seq or seq < entry.first_fill_seq:
        entry.first_fill_seq, entry.first_fill, entry.first_price = seq, at, price
