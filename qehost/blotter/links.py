"""How events change what is known of an account's stream.  No I/O."""

from __future__ import annotations

from bisect import bisect_left

from qehost.blotter.entries import AccountEntry
from qehost.messages import ConnectedEvent, DisconnectedEvent

__all__ = ["take_connected", "take_disconnected", "take_gap"]

_MS = 1_000_000
_KEPT = 100
"""Gaps, and events of the stream, that are known one by one."""


def take_connected(account: AccountEntry, event: ConnectedEvent, seq: int) -> None:
    """The stream was opened."""
    if not _take_link(account, seq):
        return
    facts = event.message
    if facts.up_at and (not account.opened or facts.up_at // _MS < account.began):
        account.began = facts.up_at // _MS
    if facts.down_since and facts.up_at > facts.down_since:
        account.unheard += (facts.up_at - facts.down_since) // _MS
    account.opened += 1
    if seq == account.link_seq:
        account.state, account.since = "up", event.received_at // _MS


def take_disconnected(account: AccountEntry, event: DisconnectedEvent, seq: int) -> None:
    """The stream has ended."""
    if not _take_link(account, seq):
        return
    account.closed += 1
    if seq == account.link_seq:
        if account.state != "down":
            account.state, account.since = "down", event.received_at // _MS
        account.last_reason = event.message.reason


def take_gap(account: AccountEntry, seq: int) -> None:
    """Messages may be missing before this event."""
    account.gaps_until = _take(account.gaps, account.gaps_until, seq)


def _take_link(account: AccountEntry, seq: int) -> bool:
    """Whether an event of the stream is not known yet."""
    known = len(account.link_seqs), account.link_until
    account.link_until = _take(account.link_seqs, account.link_until, seq)
    account.link_seq = max(seq, account.link_seq)
    return known != (len(account.link_seqs), account.link_until)


def _take(seqs: list[int], until: int, seq: int) -> int:
    """Put a number among those in order, if it is not there and not before them; up to where they
    are no longer kept."""
    at = bisect_left(seqs, seq)
    if seq > until and seqs[at : at + 1] != [seq]:
        seqs.insert(at, seq)
        if len(seqs) > _KEPT:
            return seqs.pop(0)
    return until
