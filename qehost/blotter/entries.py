"""What a `Blotter` keeps of each order and account.  No I/O.

Entries are written into the dump, so fields are only added, at the end.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

import msgspec

from qehost.blotter.views import LinkState
from qehost.messages import Event

__all__ = [
    "FINAL_RANK",
    "FRESH_RANK",
    "ZERO",
    "AccountEntry",
    "ChildEntry",
    "ChildStone",
    "MasterEntry",
    "MasterStone",
    "Number",
]

ZERO = Decimal(0)
FRESH_RANK = 1 << 62
FINAL_RANK = 1 << 61
"""The rank of a state is its `seq`, plus the first of these if it is not stale, plus the second if
it ends the order: of two states the one with the higher rank is the later one."""

Number: TypeAlias = tuple[
    str, str, int, bool, int, str, bool, str, str, Decimal | None, Decimal | None, int
]
"""The state of a child order under one of its ids at the exchange: the fields of `ChildEntry` from
`number` to `updated`."""


_JOURNALS = 100
"""Journals whose numbers are known; each start of the connection begins one."""


class ChildEntry(msgspec.Struct, array_like=True, gc=False):
    account: str
    id: str  # by which it is shown, always the same: the first that was known
    venue_id: str
    master_id: str
    symbol: str = ""
    side: str = ""
    quote: str = ""
    created: int = 0
    # Its state, under its present id at the exchange.
    number: str = ""  # that id in its normal form
    order_id: str = ""
    first: int = -1  # the least seq of a state under this id that is not stale; -1: there is none
    goes_on: bool = False  # whether it was seen to be more than cancelled under this id
    rank: int = -1
    status: str = ""
    is_final: bool = False
    type: str = ""
    reason: str = ""
    price: Decimal | None = None
    quantity: Decimal | None = None
    updated: int = 0
    former: tuple[Number, ...] = ()  # its states under other ids
    heard: int = 0
    seq: int = 0  # the highest of all its events
    # What is filled, as it was reported where most was.
    filled: Decimal = ZERO
    notional: Decimal | None = None
    average: Decimal | None = None
    figures_rank: int = -1  # of equal quantities the higher one counts
    told: Decimal = ZERO  # up to where fills have told it
    untold: tuple[tuple[Decimal, Decimal], ...] = ()  # parts below that which they have not
    # The sums of V1's fills, which say how much but not up to where.
    pushed: list[int] | None = None  # their seqs
    pushed_until: int = 0  # the seqs up to this one are no longer in the list
    pushed_quantity: Decimal = ZERO
    pushed_worth: Decimal | None = ZERO
    # What of it is in the sums of its master order; and what it shows.
    category: int = -1  # place in MasterEntry.counts
    counted: Decimal = ZERO
    counted_notional: Decimal | None = None
    counted_worth: Decimal | None = None
    anew_seq: int = 0  # where it began, if an earlier order had its id


class ChildStone(msgspec.Struct, array_like=True, gc=False):
    """What is kept of a child order so that it is not counted twice."""

    account: str
    id: str
    venue_id: str
    master_id: str
    order_id: str
    created: int
    rank: int
    status: str
    is_final: bool
    seq: int
    told: Decimal
    category: int
    counted: Decimal
    counted_notional: Decimal | None
    counted_worth: Decimal | None


class MasterEntry(msgspec.Struct, array_like=True, gc=False):
    account: str
    id: str
    client_order_id: str = ""
    symbol: str = ""
    side: str = ""
    algorithm: str = ""
    category: str = ""
    base: str = ""
    quote: str = ""
    status: str = ""  # "": no state of it was seen
    rank: int = -1
    is_final: bool = False
    reason: str = ""
    target: Decimal | None = None
    target_in_quote: bool = False
    reported: Decimal | None = None
    reported_notional: Decimal | None = None
    reported_average: Decimal | None = None
    figures_rank: int = -1
    maker_rate: Decimal | None = None
    fees: dict[str, Decimal] = {}
    worst_price: Decimal | None = None
    created: int = 0
    started: int = 0
    ended: int = 0
    updated: int = 0
    heard: int = 0
    duration: float = 0.0
    seq: int = 0  # the highest of its own events
    first_seq: int = 0  # the least of those about it or its child orders
    anew_seq: int = 0  # where it began, if an earlier order had its id
    is_whole: bool = False  # whether it was seen from its beginning or a baseline on
    is_uncertain: bool = False  # whether the bound made a part of it be forgotten
    fills: int = 0
    first_fill_seq: int = 0
    first_fill: int = 0
    first_price: Decimal | None = None
    # Over all its child orders, also those that are no longer kept.
    counts: list[int] = []  # open, filled, cancelled, rejected; empty: there is none
    open_children: dict[str, None] = {}
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    surplus: Decimal = ZERO  # by how much quantity × price is more than the notional
    unpriced: int = 0  # child orders that are filled and whose notional is not known
    unpriced_filled: Decimal = ZERO  # what is filled of those


class MasterStone(msgspec.Struct, array_like=True, gc=False):
    """What is kept of a master order so that it does not come up again."""

    account: str
    id: str
    status: str
    rank: int
    is_final: bool
    created: int
    seq: int


class AccountEntry(msgspec.Struct, gc=False):
    """What is known of one account beside its orders."""

    name: str
    seq: int = 0  # the highest of the newest numbers
    # Where a journal's numbers begin anew, they are counted on from the highest so far.
    journal_id: str = ""
    base: int = 0  # what is added to the numbers of this journal
    bases: dict[str, int] = {}  # by journal
    top: int = 0  # the highest number, counted on
    top_at: int = 0  # when that event was received, epoch ns
    began: int = 0  # since when it is listened to, by the venue's clock as far as it is known
    gaps: list[int] = []  # the seqs of GapErrors, in order
    gaps_until: int = 0  # the seqs up to this one are no longer in the list
    link_seq: int = 0  # that of the newest event of the stream
    link_seqs: list[int] = []  # those of all, in order
    link_until: int = 0  # the seqs up to this one are no longer in the list
    state: LinkState = "waiting"
    since: int = 0
    opened: int = 0
    closed: int = 0
    unheard: int = 0
    last_reason: str = ""
    # The newest of what nothing is kept of any more.
    forgotten_child_seq: int = 0
    forgotten_child_created: int = 0
    forgotten_master_seq: int = 0
    forgotten_master_created: int = 0

    def number(self, event: Event) -> int:
        """The event's `seq`, counted on where a journal has given the same numbers again: it was
        deleted or set back."""
        journal_id = event.journal_id
        if journal_id != self.journal_id:
            base = self.bases.get(journal_id)
            if base is None:
                base = max(self.bases.values(), default=0)
                if event.seq + base <= self.top and event.received_at > self.top_at:
                    base = self.top
                self.bases[journal_id] = base
                if len(self.bases) > _JOURNALS:
                    del self.bases[next(iter(self.bases))]
            self.journal_id, self.base = journal_id, base
        number = event.seq + self.base
        if number > self.top:
            self.top, self.top_at, self.seq = number, event.received_at, event.seq
        return number

    def may_have_forgotten_master(self, seq: int, created: int) -> bool:
        """Whether a master order that is not known was known once; `created` is epoch ms."""
        if not self.forgotten_master_seq:
            return False
        if created:
            return created <= self.forgotten_master_created
        return seq <= self.forgotten_master_seq

    def may_have_forgotten_child(self, seq: int, created: int) -> bool:
        """The same of a child order."""
        if not self.forgotten_child_seq:
            return False
        if created:
            return created <= self.forgotten_child_created
        return seq <= self.forgotten_child_seq

    def has_gap(self, since: int, until: int) -> bool:
        """Whether there was a gap between these two events."""
        return since < self.gaps_until or any(since < gap < until for gap in self.gaps)
