"""A venue without a market, for tests that send numbered messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qehost.simulator import Venue


@pytest.fixture
def venue() -> Iterator[Venue]:
    with Venue() as venue:
        yield venue
