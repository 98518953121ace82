"""What a call that was not answered by a clear yes has come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qehost.messages import MasterOrderDetail
from qehost.testing import detail, master_order

from qehost_guard.intents import Intent, Intents
from qehost_guard.judging import judge
from qehost_guard.rules import Finding
from qehost_guard.settings import Action, Rule


def after(folder: Path, action: Action, *, unclear: bool, words: str = "") -> Intent:
    """An intent after a call that got no answer, or a refusal in these words."""
    intents = Intents(folder / "guard.db")
    try:
        made = intents.add(
            Finding(Rule(down="5s", action=action), "main", "m-1", "BTCUSDT", "down", {}),
            "intent",
            armed=True,
        )
        assert made is not None
        called = intents.step(made, "calling")
        return intents.step(called, "unknown", words, "refused" if words else "", unclear=unclear)
    finally:
        intents.close()


def seen(**fields: Any) -> MasterOrderDetail:
    found = detail(master_order(**fields))
    assert isinstance(found, MasterOrderDetail)
    return found


@pytest.mark.parametrize(
    ("unclear", "status", "was_paused", "outcome"),
    [
        (True, "PAUSED", False, ("done", "read back")),
        (False, "PAUSED", False, ("moot", "read back")),
        (True, "COMPLETED", False, ("moot", "read back")),
        (True, "PROCESSING", False, (None, "")),
        # It was carried out, and a person has resumed since: never again.
        (True, "PROCESSING", True, ("done", "pushed")),
    ],
)
def test_a_pause(
    tmp_path: Path, unclear: bool, status: str, was_paused: bool, outcome: tuple[str, str]
) -> None:
    intent = after(tmp_path, "pause", unclear=unclear)

    verdict = judge(intent, seen(status=status), was_paused=was_paused)

    assert (verdict.state, verdict.how) == outcome


def test_a_refusal_of_an_order_at_work_is_final(tmp_path: Path) -> None:
    intent = after(tmp_path, "pause", unclear=False, words="not today")

    verdict = judge(intent, seen(status="PROCESSING"), was_paused=False)

    assert (verdict.state, verdict.how) == ("refused", "answered")
    assert "not today" in verdict.text


def test_a_refusal_of_the_second_call_of_a_pause_that_was_carried_out(tmp_path: Path) -> None:
    intent = after(tmp_path, "pause", unclear=True, words="is paused already")

    verdict = judge(intent, seen(status="PAUSED"), was_paused=False)

    assert (verdict.state, verdict.how) == ("done", "read back")


def test_a_cancel_is_known_by_its_mark(tmp_path: Path) -> None:
    intent = after(tmp_path, "cancel", unclear=True)

    ours = judge(intent, seen(status="CANCELLED", reject_reason=intent.mark), was_paused=False)
    theirs = judge(intent, seen(status="CANCELLED", reject_reason="desk"), was_paused=False)
    untold = judge(intent, seen(status="CANCELLED", reject_reason=""), was_paused=False)
    going_on = judge(intent, seen(status="CANCEL"), was_paused=False)

    assert (ours.state, theirs.state, untold.state) == ("done", "moot", "done")
    assert going_on.state is None
