"""A journal with four events."""

from __future__ import annotations

import time
from pathlib import Path

from qehost.events.codec import encode_events
from qehost.messages import AnyEvent, OrderEvent, OrderMessage, StatusEvent
from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder


def order(seq: int, symbol: str) -> OrderEvent:
    values = ["order", "mo-1", f"o-{seq}", symbol, "spot", "buy", 1.5, 2.0, "PLACED", 0, 0.0, 0.0]
    message = OrderMessage(*values, 0.0, 2.0, 0, 0, 0, "LIMIT", "", 0)  # type: ignore[arg-type]
    return OrderEvent(seq, "main", "", time.time_ns(), "derived", False, "", message)


def status(seq: int) -> StatusEvent:
    return StatusEvent(seq, "main", "", time.time_ns(), "derived", False, "", f"status {seq}")


def append(journal: Journal, *events: AnyEvent) -> None:
    first, last = events[0], events[-1]
    journal.append(encode_events(events), first.seq, last.seq, first.received_at, last.received_at)


def four_events(path: Path) -> StateFolder:
    """A state folder with a status, two orders and a status."""
    folder = StateFolder(path)
    with Journal(folder.journal("main")) as journal:
        append(journal, status(1), order(2, "BTCUSDT"))
        append(journal, order(3, "ETHUSDT"), status(4))
    return folder
