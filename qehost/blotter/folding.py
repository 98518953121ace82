"""How an event of an order changes the book.  No I/O.

Each function returns what has changed.  `seq` is the event's number within its account, `at` when
it was received, epoch ms.
"""

from __future__ import annotations

from decimal import Decimal
from sys import intern

from qehost.blotter import child_figures, child_states, master_states
from qehost.blotter.book import Book, Folded
from qehost.blotter.entries import (
    FINAL_RANK,
    FRESH_RANK,
    ZERO,
    AccountEntry,
    ChildEntry,
    ChildStone,
    MasterEntry,
    MasterStone,
)
from qehost.blotter.inputs import fill_detail, master_order_detail, order_detail, size
from qehost.blotter.views import ChangeKind, Fill
from qehost.events.ids import normal
from qehost.events.states import FINAL
from qehost.events.wire.values import EXACT
from qehost.messages import FillDetail, FillEvent, MasterOrderEvent, OrderDetail, OrderEvent

__all__ = ["OTHER", "fold_fill", "fold_master_order", "fold_order"]

OTHER: Folded = "other", None, None, None, ""

_NEW = frozenset({"NEW", "WAITING"})
"""Statuses of a master order of which nothing was seen before because there was nothing."""
_ANOTHER = 1000
"""ms: two times of creation that are so far apart are those of two orders, however exact the
venue's times are."""
_DAY = 86_400_000
"""ms: a time of the venue that lies so far ahead of ours is taken for none."""
_NONE_FILLED = Decimal(-1)
"""How the venue writes that there is none."""


def fold_master_order(
    book: Book, event: MasterOrderEvent, account: AccountEntry, seq: int, at: int
) -> Folded:
    detail = master_order_detail(event)
    is_final = detail.status in FINAL
    rank = seq if event.stale else seq + FRESH_RANK
    if is_final:
        rank += FINAL_RANK
    created = master_states.created_ms(detail.created_at)
    if created > at + _DAY:
        created = 0
    known = book.masters.find(account.name, detail.master_order_id)
    kind: ChangeKind | None = None
    before, is_uncertain = "", False
    anew_seq = 0
    if isinstance(known, MasterEntry) and seq < known.anew_seq:
        return "repeat", known, None, None, known.status
    if known is not None and created and known.created:
        if created <= known.created - _ANOTHER:
            entry = known if isinstance(known, MasterEntry) else None
            return "stale", entry, None, None, known.status
        if created >= known.created + _ANOTHER:
            # The venue's ids have begun anew.
            book.masters.remove(known)
            anew_seq, known = seq, None
    if isinstance(known, MasterStone):
        if rank <= known.rank:
            return "repeat", None, None, None, known.status
        if is_final and known.is_final:
            known.rank, known.seq = rank, max(seq, known.seq)
            return "uncertain", None, None, None, known.status
        book.masters.remove(known)
        before, is_uncertain = known.status, True
        kind = "finished" if is_final else "reopened" if known.is_final else "updated"
    elif known is None and account.may_have_forgotten_master(seq, created):
        if is_final:
            return "uncertain", None, None, None, ""
        is_uncertain = True
    is_added = not isinstance(known, MasterEntry)
    if isinstance(known, MasterEntry):
        entry, before = known, known.status
    else:
        kind = kind or "new"
        entry = MasterEntry(account.name, detail.master_order_id, first_seq=seq)
        entry.is_uncertain, entry.anew_seq = is_uncertain, anew_seq
        book.masters.add(entry)
    was_final, was_seen = entry.is_final, bool(entry.status)
    is_news = master_states.take_state(entry, detail, rank, event.message.timestamp, at)
    grew = master_states.take_figures(entry, detail, seq)
    if not entry.is_whole:
        # A baseline without a figure, as of V1, does not say what was filled before.
        entry.is_whole = (
            (event.origin == "baseline" and entry.reported is not None)
            or detail.status.upper() in _NEW
            or 0 < account.began <= created
        )
    if kind is None:
        kind = _kind_of(entry, was_seen, was_final, is_news or grew, seq)
    if seq > entry.seq:
        entry.seq = seq
    if seq < entry.first_seq:
        entry.first_seq = seq
    if at > entry.heard:
        entry.heard = at
    if kind == "new" and entry.quote:
        book.quotes[entry.symbol] = entry.quote
    if entry.is_final is not was_final:
        book.masters.end(entry, entry.is_final)
    if is_added or entry.is_final is not was_final:
        book.masters.trim(book.accounts)
    return kind, entry, None, None, before


def fold_order(book: Book, event: OrderEvent, account: AccountEntry, seq: int, at: int) -> Folded:
    detail = order_detail(event)
    is_final = detail.status in FINAL
    rank = seq if event.stale else seq + FRESH_RANK
    if is_final:
        rank += FINAL_RANK
    filled = size(detail.filled_quantity) or ZERO
    if detail.filled_quantity == _NONE_FILLED and (detail.quantity or ZERO) >= 0:
        filled = ZERO
    venue_id, order_id = detail.id, detail.order_id
    known = book.children.find(account.name, detail.master_order_id, order_id, venue_id)
    book.last_raw, book.last_child = event.raw, known
    is_added = not isinstance(known, ChildEntry)
    if isinstance(known, ChildStone):
        if rank <= known.rank and filled <= known.counted:
            return book.of_stone(known, "repeat" if seq <= known.seq else "stale")
        known = book.unbury(known)
    anew_seq = 0
    if known is not None and (known.is_final or known.anew_seq):
        if seq < known.anew_seq:
            return book.of_entry(known, "repeat")
        if child_states.is_another_order(known, detail, filled):
            book.children.remove(known)
            anew_seq, known, is_added = seq, None, True
    if known is None:
        created = detail.order_created_time or 0
        if created > at + _DAY:
            created = 0
        if account.may_have_forgotten_child(seq, created):
            return book.uncertain(account, detail.master_order_id)
        if not normal(venue_id) and not normal(order_id):
            return book.uncertain(account, detail.master_order_id)
        entry = ChildEntry(account.name, venue_id or order_id, venue_id, detail.master_order_id)
        entry.symbol, entry.side = intern(detail.symbol), intern(detail.side)
        entry.quote = intern(detail.quote_currency)
        entry.created, entry.anew_seq = created, anew_seq
    else:
        entry = known
    before, was_final = entry.status, entry.is_final
    is_renamed = order_id != entry.order_id
    is_news = child_states.take_state(entry, detail, rank, event.message.timestamp)
    grew = child_figures.take_figures(
        entry, filled, size(detail.filled_notional), size(detail.average_price) or None, seq
    )
    if known is None:
        kind: ChangeKind = "new"
        book.children.add(entry)
        if event.origin == "baseline":
            entry.told = filled
        if entry.quote:
            book.quotes[entry.symbol] = entry.quote
    else:
        if is_renamed or venue_id != entry.venue_id or not entry.master_id:
            _learn(book, entry, detail)
        if entry.is_final is not was_final:
            book.children.end(entry, entry.is_final)
        kind = _kind_of(entry, bool(before), was_final, is_news or grew, seq)
    if seq > entry.seq:
        entry.seq = seq
    if at > entry.heard:
        entry.heard = at
    master = book.master_of(entry, account, seq, at)
    if is_news or grew:
        child_figures.count(entry, master)
    if is_added:
        book.trim_children()
    book.last_child = entry
    return kind, master, entry, None, before


def _kind_of(
    entry: MasterEntry | ChildEntry, was_seen: bool, was_final: bool, is_news: bool, seq: int
) -> ChangeKind:
    """What a state has changed in an entry; `was_seen`: not fills alone were known of it."""
    if not was_seen:
        return "new"
    if entry.is_final is not was_final:
        return "finished" if entry.is_final else "reopened"
    if is_news:
        return "updated"
    return "repeat" if seq <= entry.seq else "stale"


def _learn(book: Book, entry: ChildEntry, detail: OrderDetail) -> None:
    """More of its ids."""
    if detail.id and not normal(entry.venue_id):
        entry.venue_id = detail.id
        book.children.name(entry, detail.id)
    if detail.master_order_id and not entry.master_id:
        # It counts for its master order from now on.
        entry.master_id = detail.master_order_id
        entry.category, entry.counted = -1, ZERO
        entry.counted_notional = entry.counted_worth = None
        entry.symbol, entry.side = intern(detail.symbol), intern(detail.side)
    entry.created = entry.created or detail.order_created_time or 0
    entry.quote = entry.quote or intern(detail.quote_currency)
    book.children.name(entry, detail.order_id)
    book.children.forget_numbers(entry)


def fold_fill(book: Book, event: FillEvent, account: AccountEntry, seq: int, at: int) -> Folded:
    if event.origin == "baseline":
        return OTHER  # states, never fills
    detail = fill_detail(event)
    quantity, price = size(detail.quantity), size(detail.price)
    notional, cum = size(detail.notional), size(detail.cum_quantity)
    if notional is None and quantity is not None and price is not None:
        notional = EXACT.multiply(quantity, price)
    order_id = detail.order_id
    known = book.last_child
    if event.raw != book.last_raw or (known is not None and known.account != account.name):
        known = book.children.find(account.name, detail.master_order_id, order_id, detail.id)
    if isinstance(known, ChildStone):
        # Its figures have been counted by its last state.
        is_told = seq <= known.seq if cum is None else cum <= known.told
        if is_told:
            return book.of_stone(known, "repeat")
        known.seq, known.told = max(seq, known.seq), max(cum or ZERO, known.told)
        fill = _fill(event, detail, known.id, at, quantity, notional)
        book.fills.add(seq, fill)
        return book.of_stone(known, "filled", fill)
    if known is None and not normal(order_id):
        return _fill_without_order(book, event, detail, seq, at, quantity, notional)
    if known is None:
        # It comes after its order, which would be known if it had not been forgotten.
        if account.forgotten_child_seq:
            return book.uncertain(account, detail.master_order_id)
        entry = ChildEntry(account.name, order_id, "", detail.master_order_id)
        entry.symbol, entry.side = intern(detail.symbol), intern(detail.side)
        entry.order_id, entry.number = order_id, normal(order_id)
        book.children.add(entry)
    else:
        entry = known
        if seq < entry.anew_seq:
            return book.of_entry(entry, "repeat")
    is_new = True
    if not quantity:
        is_new = seq > entry.seq
    elif cum is None:
        is_new = child_figures.take_push(entry, quantity, notional, seq)
    else:
        since = max(ZERO, EXACT.subtract(cum, quantity))
        child_figures.take_cumulative(entry, since, cum, notional, seq)
        untold = child_figures.take_interval(entry, since, cum)
        is_new = untold > 0
        if is_new and untold < quantity:
            quantity = untold
            notional = None if price is None else EXACT.multiply(untold, price)
    if at > entry.heard:
        entry.heard = at
    master = book.master_of(entry, account, seq, at)
    child_figures.count(entry, master)
    if known is None:
        book.trim_children()
    if not is_new:
        return "repeat", master, entry, None, entry.status
    if seq > entry.seq:
        entry.seq = seq
    fill = _fill(event, detail, entry.id, at, quantity, notional)
    book.fills.add(seq, fill)
    if master is not None:
        master_states.take_fill(master, seq, fill.venue_at or at, price)
    return "filled", master, entry, fill, entry.status


def _fill_without_order(
    book: Book,
    event: FillEvent,
    detail: FillDetail,
    seq: int,
    at: int,
    quantity: Decimal | None,
    notional: Decimal | None,
) -> Folded:
    """A fill of which nobody can say to which child order it belongs: it is in no sum."""
    master = book.masters.find(event.account, detail.master_order_id)
    known = master if isinstance(master, MasterEntry) else None
    fill = _fill(event, detail, "", at, quantity, notional)
    if not book.fills.add(seq, fill):
        return "repeat", known, None, None, ""
    return "filled", known, None, fill, ""


def _fill(
    event: FillEvent,
    detail: FillDetail,
    child_id: str,
    at: int,
    quantity: Decimal | None,
    notional: Decimal | None,
) -> Fill:
    return Fill(
        at,
        event.account,
        event.seq,
        event.journal_id,
        detail.master_order_id,
        child_id,
        detail.order_id,
        detail.symbol,
        detail.side,
        quantity,
        size(detail.price),
        notional,
        size(detail.cum_quantity),
        detail.fill_time or 0,
        event.origin,
        event.redelivered,
    )
