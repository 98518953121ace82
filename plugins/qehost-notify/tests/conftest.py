"""Receivers, and the plugin as it is set up for most tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from receivers import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.end()


@pytest.fixture
def other_receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.end()
