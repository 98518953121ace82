"""Waiting for what another thread or process does.

It is looked for again and again, and only a test that fails waits to the end: no machine may be so
slow, or have so much else to do, that the end comes first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["PATIENCE", "POLL", "wait_for"]

Result = TypeVar("Result")

PATIENCE = 60.0
"""Seconds."""
POLL = 0.01


def wait_for(
    condition: Callable[[], Result], what: object = "something", story: Callable[[], str] = str
) -> Result:
    """The first result that is true.  Fails after `PATIENCE`, with what `story` gives."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for {what}{story()}"
        time.sleep(POLL)
    return result
