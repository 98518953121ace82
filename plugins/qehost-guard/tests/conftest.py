"""A master order of the local venue that is at work."""

from __future__ import annotations

import pytest
from desk import Desk
from qehost.testing import Venue


@pytest.fixture
def desk(venue: Venue) -> Desk:
    return Desk(venue)


@pytest.fixture(autouse=True)
def a_machine_that_stands_still_makes_no_intent_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the guard would ask for the order first, and meet what the test has for its call."""
    monkeypatch.setattr("qehost_guard.acting.FRESH", 3600.0)
