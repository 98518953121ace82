"""The frozen copies that a `Blotter` returns of what it keeps.  No I/O."""

from __future__ import annotations

from decimal import Decimal

from qehost.blotter.entries import FINAL_RANK, ZERO, AccountEntry, ChildEntry, MasterEntry
from qehost.blotter.views import ChildCounts, ChildState, Link, MasterState
from qehost.events.fills import PRICE
from qehost.events.wire.values import EXACT

__all__ = ["child_state", "link", "master_state"]


def child_state(entry: ChildEntry) -> ChildState:
    average = entry.average if entry.counted == entry.filled else None
    if average is None and entry.counted and entry.counted_worth is not None:
        average = PRICE.divide(entry.counted_worth, entry.counted)
    return ChildState(
        entry.account,
        entry.id,
        entry.order_id,
        entry.master_id,
        entry.symbol,
        entry.side,
        entry.type,
        entry.quote,
        entry.status,
        entry.reason,
        bool(entry.status) and not entry.is_final,
        entry.price,
        entry.quantity,
        entry.counted,
        entry.counted_notional,
        average,
        entry.created,
        entry.updated,
        entry.heard,
    )


def master_state(entry: MasterEntry, account: AccountEntry) -> MasterState:
    filled, notional, average = _sums(entry)
    target = entry.target
    done = notional if entry.target_in_quote else filled
    if done is None and filled is None:
        done = ZERO  # nothing is known to be filled
    until = entry.rank & (FINAL_RANK - 1) if entry.is_final else FINAL_RANK
    remaining = share = None
    if target is not None and done is not None:
        remaining = max(ZERO, EXACT.subtract(target, done))
        share = float(PRICE.divide(done, target)) if target else None
    return MasterState(
        entry.account,
        entry.id,
        entry.client_order_id,
        entry.symbol,
        entry.side,
        entry.algorithm,
        entry.category,
        entry.base,
        entry.quote,
        entry.status,
        entry.reason,
        bool(entry.status) and not entry.is_final,
        target,
        entry.target_in_quote,
        filled,
        notional,
        average,
        entry.reported,
        remaining,
        share,
        entry.maker_rate,
        dict(entry.fees),
        entry.worst_price,
        entry.created,
        entry.started,
        entry.ended,
        entry.updated,
        entry.heard,
        entry.duration,
        entry.fills,
        entry.first_fill,
        entry.first_price,
        ChildCounts(*entry.counts),
        tuple(entry.open_children),
        bool(entry.status)
        and entry.is_whole
        and not entry.is_uncertain
        and not account.has_gap(entry.first_seq, until),
    )


def _sums(entry: MasterEntry) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """What is filled, its notional and its average price: by what the venue reports of the master
    order, or by its child orders, whichever has more."""
    by_children = entry.filled if entry.counts or entry.filled else None
    notional = None if by_children is None or entry.unpriced else entry.notional
    average = None
    if priced := EXACT.subtract(entry.filled, entry.unpriced_filled):
        average = PRICE.divide(EXACT.add(entry.notional, entry.surplus), priced)
    reported, worth = entry.reported, entry.reported_notional
    if reported is not None:
        is_reported = reported >= entry.filled
    else:
        is_reported = worth is not None and worth >= entry.notional
    if not is_reported:
        return by_children, notional, average
    if reported is None:
        reported = by_children
    if worth is None and reported == by_children:
        worth = notional
    if not (reported or worth):
        return reported, worth, None
    average = entry.reported_average or average
    if average is None and reported and worth is not None:
        average = PRICE.divide(worth, reported)
    return reported, worth, average


def link(account: AccountEntry) -> Link:
    return Link(
        account.state,
        account.since,
        account.opened,
        account.closed,
        account.unheard,
        account.last_reason,
    )
