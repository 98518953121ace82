"""What became of a call, by the order as the venue shows it.  No I/O, no clock."""

from __future__ import annotations

from typing import NamedTuple

from qehost import FINAL_STATUSES, MasterOrderDetail

from qehost_guard.intents import How, Intent, State

__all__ = ["Verdict", "judge"]


class Verdict(NamedTuple):
    """An outcome; None as `state` while there is none."""

    state: State | None
    how: How = ""
    text: str = ""


def judge(intent: Intent, order: MasterOrderDetail, *, was_paused: bool) -> Verdict:
    """The outcome of a call that was not answered by a clear yes.

    `was_paused`: the stream has told the order as PAUSED since the first call.  An intent whose
    `how` is `refused` has the venue's words as its text.
    """
    words = f": {intent.text}" if intent.how == "refused" else ""
    text = f"the order is {order.status}{words}"
    if intent.action == "cancel":
        wanted = order.status == "CANCELLED"
        # A person's cancel may have come first; theirs has another reason.
        is_ours = intent.mark in order.reject_reason or not order.reject_reason
    else:
        wanted = order.status == "PAUSED"
        is_ours = True  # the venue does not say who paused
    if wanted:
        if intent.unclear and is_ours:
            return Verdict("done", "read back", text)
        return Verdict("moot", "read back", f"{text}, and not by this action")
    if order.status in FINAL_STATUSES:
        return Verdict("moot", "read back", text)
    if intent.action == "pause" and intent.unclear and was_paused:
        return Verdict("done", "pushed", f"it was PAUSED, and {text} since")
    if order.status == "CANCEL":
        return Verdict(None)  # it is being carried out
    if intent.how == "refused":
        return Verdict("refused", "answered", text)
    return Verdict(None)
