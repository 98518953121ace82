from __future__ import annotations

from decimal import Decimal

from qehost.blotter.copies import child_state, link, master_state
from qehost.blotter.entries import AccountEntry, ChildEntry, MasterEntry
from qehost.blotter.views import Link

D = Decimal


def test_nothing_is_known_of_a_master_order_without_figures() -> None:
    made = master_state(MasterEntry("main", "mo-1"), AccountEntry("main"))
    assert (made.filled, made.notional, made.average, made.remaining) == (None,) * 4
    assert not made.is_open
    assert not made.complete


def test_what_is_filled_beyond_the_target_leaves_nothing() -> None:
    made = master_state(
        MasterEntry("main", "mo-1", target=D(2), reported=D(3)), AccountEntry("main")
    )
    assert (made.remaining, made.share) == (0, 1.5)


def test_the_average_is_that_of_the_figures_that_count() -> None:
    entry = MasterEntry("main", "mo-1", reported=D(3), reported_average=D(7), counts=[1, 0, 0, 0])
    assert master_state(entry, AccountEntry("main")).average == 7
    entry.filled, entry.notional = D(4), D(40)
    assert master_state(entry, AccountEntry("main")).average == 10


def test_a_child_order_shows_what_counts_of_it() -> None:
    entry = ChildEntry("main", "1", "1", "mo-1", status="PLACED", filled=D(1), average=D(5))
    entry.counted, entry.counted_notional, entry.counted_worth = D(2), D(12), D(12)
    made = child_state(entry)
    assert (made.filled, made.notional, made.average, made.is_open) == (2, 12, 6, True)


def test_a_link_is_as_the_account_has_it() -> None:
    account = AccountEntry("main", state="down", since=5, opened=2, closed=1, last_reason="reset")
    assert link(account) == Link("down", 5, 2, 1, 0, "reset")
