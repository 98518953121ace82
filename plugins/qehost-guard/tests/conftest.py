"""A master order of the local venue that is at work."""

from __future__ import annotations

import pytest
from desk import Desk
from qehost.testing import Venue


@pytest.fixture
def desk(venue: Venue) -> Desk:
    return Desk(venue)
