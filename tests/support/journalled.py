"""Journals with orders, fills and statuses, and commands that read them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from decimal import Decimal

from click.testing import CliRunner, Result

from qehost.cli.journal import command
from qehost.events.codec import encode_events
from qehost.messages import (
    AnyEvent,
    Connected,
    ConnectedEvent,
    ErrorEvent,
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderEvent,
    OrderMessage,
    Problem,
    StatusEvent,
    UnknownEvent,
)
from qehost.storage.journal import Journal
from qehost.storage.journal.layout import segments
from qehost.storage.state_folder import StateFolder

MASTER = MasterOrderMessage(
    "master_order", "MO-1", "C-1", "TWAP", "BTCUSDT", "BUY", 2.0, 60.0, "SPOT", "", False,
    "PROCESSING", 1.0, 1, 1000, "", 1000,
)  # fmt: skip
ORDER = OrderMessage(
    "order", "MO-1", "O-1", "BTCUSDT", "SPOT", "BUY", 100.5, 2.0, "PLACED", 1, 0.5, 100.5, 0.5,
    1.5, 1, 1, 0, "LIMIT", "", 1000,
)  # fmt: skip
FILL = FillMessage(
    "fill", "MO-1", "O-1", "BTCUSDT", "SPOT", "BUY", 100.5, 0.5, 1000, 1000
)  # fmt: skip
EXACT = FillDetail(
    "MO-1", "O-1", "BTCUSDT", "SPOT", "BUY", Decimal("100.50"), Decimal("0.5"), Decimal("50.250")
)


def pushed(message: MasterOrderMessage | OrderMessage, id_: str) -> str:
    """The text of which the message would have been made, as V1 has it."""
    outer = {"type": "data", "messageId": id_, "userId": "u-1"}
    return json.dumps({**outer, "data": json.dumps(message.as_dict())})


def events(account: str, first_seq: int, at: int) -> list[AnyEvent]:
    """One event of each kind, a second apart."""
    made: list[Callable[..., AnyEvent]] = [
        lambda *head: ConnectedEvent(*head, "stream", False, "", Connected("wss://venue")),
        lambda *head: StatusEvent(*head, "stream", False, "raw", "ready [bold]now[/bold]"),
        lambda *head: MasterOrderEvent(*head, "stream", False, pushed(MASTER, head[2]), MASTER),
        lambda *head: OrderEvent(*head, "stream", False, pushed(ORDER, head[2]), ORDER),
        lambda *head: FillEvent(*head, "derived", False, "raw", FILL, EXACT),
        lambda *head: ErrorEvent(*head, "stream", False, "raw", Problem("venue", "no funds")),
        lambda *head: UnknownEvent(*head, "stream", False, "raw", None),
    ]
    return [
        make(first_seq + place, account, f"id-{first_seq + place}", at + place * 10**9)
        for place, make in enumerate(made)
    ]


def write(folder: StateFolder, account: str, batch: list[AnyEvent]) -> None:
    with Journal(folder.journal(account)) as journal:
        first, last = batch[0], batch[-1]
        data = encode_events(batch)
        journal.append(data, first.seq, last.seq, first.received_at, last.received_at)
    os.utime(segments(folder.journal(account))[-1], ns=(last.received_at, last.received_at))


def run(folder: StateFolder, *args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(command, [args[0], "--state-dir", str(folder.path), *args[1:]])
    assert result.exit_code == code, result.output
    return result


def listed(folder: StateFolder, *args: str) -> list[int]:
    """The numbers of the events that `list` shows."""
    return [event["seq"] for event in json.loads(run(folder, "list", "--json", *args).stdout)]
