"""What is filled of a child order, and what of it is in the sums of its master order.  No I/O.

Where most is filled counts, and each fill once.  So an event that comes twice, or late, changes
nothing, and any order of the same events ends alike.

Everything raises decimal.DecimalException for figures so far apart that their sum would have more
than 400 digits.
"""

from __future__ import annotations

from decimal import Decimal

from qehost.blotter.entries import ZERO, ChildEntry, ChildStone, MasterEntry
from qehost.events.fills import PRICE
from qehost.events.ids import normal
from qehost.events.wire.values import EXACT

__all__ = [
    "count",
    "from_stone",
    "take_cumulative",
    "take_figures",
    "take_interval",
    "take_push",
]

_QUALITY = 1 << 61
"""Of figures with one quantity those count whose notional is reported, before those where it was
worked out of fills, before those without."""
_CATEGORIES = {"FILLED": 1, "COMPLETED": 1, "REJECTED": 3}
_CANCELLED = 2  # and all else that has ended
_PUSHES = 256
"""Fills of V1 that are known by their seq; of older ones only their sum is."""
_UNTOLD = 16
"""Parts that no fill has told; of an order without its beginning there is one."""
_UNITS_APART = 0.01
"""By which part a notional may differ from quantity × average: fees may be in the one.  By more,
the quantity is in contracts, or the notional in another currency."""


def take_figures(
    entry: ChildEntry,
    filled: Decimal,
    notional: Decimal | None,
    average: Decimal | None,
    seq: int,
    *,
    is_reported: bool = True,
) -> bool:
    """Take a cumulative fill; whether more is filled by it, or it says more exactly what."""
    if not filled and not entry.filled:
        return False
    if notional is None and average is None:
        rank = seq
    else:
        rank = (2 * _QUALITY if is_reported else _QUALITY) + seq
    if filled < entry.filled or (filled == entry.filled and rank <= entry.figures_rank):
        return False
    entry.figures_rank = rank
    if (filled, notional, average) == (entry.filled, entry.notional, entry.average):
        return False
    entry.filled, entry.notional, entry.average = filled, notional, average
    return True


def take_cumulative(
    entry: ChildEntry, since: Decimal, until: Decimal, notional: Decimal | None, seq: int
) -> None:
    """Take from a fill up to where the order is filled, for the case that no state says so."""
    if until <= entry.filled:
        return
    before = entry.notional if entry.filled else ZERO
    worth = None
    if since == entry.filled and before is not None and notional is not None:
        worth = EXACT.add(before, notional)
    take_figures(entry, until, worth, None, seq, is_reported=False)


def take_interval(entry: ChildEntry, since: Decimal, until: Decimal) -> Decimal:
    """Take a fill of what lies between these; how much of it no fill has told before."""
    told = entry.told
    if since == told:
        entry.told = until
        return EXACT.subtract(until, since)
    gained, untold = ZERO, entry.untold
    if until > told:
        gained = EXACT.subtract(until, max(since, told))
        if since > told:
            untold = (*untold, (told, since))
        entry.told = until
    if since < told:
        left: list[tuple[Decimal, Decimal]] = []
        for begin, end in untold:
            low, high = max(begin, since), min(end, until)
            if low < high:
                gained = EXACT.add(gained, EXACT.subtract(high, low))
                left += [part for part in ((begin, low), (high, end)) if part[0] < part[1]]
            else:
                left.append((begin, end))
        untold = tuple(left)
    entry.untold = untold[-_UNTOLD:]
    return gained


def take_push(entry: ChildEntry, quantity: Decimal, worth: Decimal | None, seq: int) -> bool:
    """Take a fill that V1 pushed; False if it was taken before."""
    seqs = entry.pushed = [] if entry.pushed is None else entry.pushed
    if seq <= entry.pushed_until or seq in seqs:
        return False
    if worth is None or entry.pushed_worth is None:
        entry.pushed_worth = None
    else:
        entry.pushed_worth = EXACT.add(entry.pushed_worth, worth)
    entry.pushed_quantity = EXACT.add(entry.pushed_quantity, quantity)
    seqs.append(seq)
    if len(seqs) > _PUSHES:
        seqs.sort()
        entry.pushed_until = seqs[_PUSHES // 2]
        del seqs[: _PUSHES // 2 + 1]
    return True


def from_stone(stone: ChildStone) -> ChildEntry:
    """A child order of which only a tombstone was kept."""
    average = None
    if stone.counted_worth is not None and stone.counted_worth != stone.counted_notional:
        average = PRICE.divide(stone.counted_worth, stone.counted)
    return ChildEntry(
        stone.account,
        stone.id,
        stone.venue_id,
        stone.master_id,
        created=stone.created,
        number=normal(stone.order_id),
        order_id=stone.order_id,
        rank=stone.rank,
        status=stone.status,
        is_final=stone.is_final,
        seq=stone.seq,
        filled=stone.counted,
        notional=stone.counted_notional,
        average=average,
        figures_rank=2 * _QUALITY + stone.seq,
        told=stone.told,
        category=stone.category,
        counted=stone.counted,
        counted_notional=stone.counted_notional,
        counted_worth=stone.counted_worth,
    )


def count(entry: ChildEntry, master: MasterEntry | None) -> None:
    """Bring the sums of the master order up to what is known of this child order."""
    before, before_notional, before_worth = (
        entry.counted,
        entry.counted_notional,
        entry.counted_worth,
    )
    filled, notional, worth = _figures(entry)
    entry.counted, entry.counted_notional, entry.counted_worth = filled, notional, worth
    if master is None:
        return
    _count_state(entry, master)
    if filled is before and notional is before_notional and worth is before_worth:
        return
    add, subtract = EXACT.add, EXACT.subtract
    master.filled = add(master.filled, subtract(filled, before) if before else filled)
    if notional is not None:
        gained = notional if before_notional is None else subtract(notional, before_notional)
        master.notional = add(master.notional, gained)
    elif before_notional is not None:
        master.notional = subtract(master.notional, before_notional)
    if worth is not notional or before_worth is not before_notional:
        surplus = subtract(_surplus(notional, worth), _surplus(before_notional, before_worth))
        master.surplus = add(master.surplus, surplus)
    if (notional is None and filled) or (before_notional is None and before):
        if before and before_notional is None:
            master.unpriced -= 1
            master.unpriced_filled = subtract(master.unpriced_filled, before)
        if filled and notional is None:
            master.unpriced += 1
            master.unpriced_filled = add(master.unpriced_filled, filled)


def _surplus(notional: Decimal | None, worth: Decimal | None) -> Decimal:
    return ZERO if notional is None or worth is None else EXACT.subtract(worth, notional)


def _count_state(entry: ChildEntry, master: MasterEntry) -> None:
    category = _CATEGORIES.get(entry.status.upper(), _CANCELLED) if entry.is_final else 0
    if category == entry.category or entry.rank < 0:
        return
    if not master.counts:
        master.counts, master.open_children = [0, 0, 0, 0], {}
    if entry.category >= 0:
        master.counts[entry.category] -= 1
    master.counts[category] += 1
    entry.category = category
    if category:
        master.open_children.pop(entry.id, None)
    else:
        master.open_children[entry.id] = None


def _figures(entry: ChildEntry) -> tuple[Decimal, Decimal | None, Decimal | None]:
    """The filled quantity, its notional as the venue counts it, and quantity × price."""
    filled, notional, average = entry.filled, entry.notional, entry.average
    if entry.pushed is not None and entry.pushed_quantity >= filled:
        # The fills are more exact than an average.
        pushed, worth = entry.pushed_quantity, entry.pushed_worth
        if pushed > filled or (worth is not None and notional is None):
            return pushed, worth, worth
    if not filled or average is None:
        return filled, notional, notional
    if notional is not None:
        size = float(notional)
        if abs(size - float(filled) * float(average)) <= size * _UNITS_APART:
            return filled, notional, notional
    worth = EXACT.multiply(filled, average)
    return filled, worth if notional is None else notional, worth
