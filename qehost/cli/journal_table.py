"""How events and dead letters look on a terminal, and in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from qehost.cli.columns import ENDLESS, Column, laid_out, output, print_lines
from qehost.host.dead_letters import DeadLetter
from qehost.journal.export import text_of
from qehost.messages import (
    AnyEvent,
    FillMessage,
    MasterOrderMessage,
    OrderMessage,
)
from qehost.printable import visible

__all__ = [
    "local_time",
    "pretty_json",
    "print_events",
    "print_letter",
    "print_letters",
    "print_line",
]

STYLES = {
    "fill": "green",
    "order": "cyan",
    "master_order": "blue",
    "error": "bold red",
    "disconnected": "yellow",
    "connected": "yellow",
}
STATES = {"dead": "red", "retry": "yellow", "delivered": "green"}

EVENTS = (
    Column("Time"),
    Column("Account"),
    Column("Seq", right=True),
    Column("Kind"),
    Column("Symbol"),
    Column("What"),
    Column("Master order"),
    Column("Order"),
)
LETTERS = (
    Column("Id", right=True),
    Column("Time"),
    Column("Plugin", usual=12),
    Column("Account", usual=12),
    Column("Seq", right=True),
    Column("Hook"),
    Column("State"),
    Column("Times", right=True),
    Column("Cause"),
)


def print_events(events: Sequence[AnyEvent]) -> None:
    """One line for each event, as of `tail`: one that is longer than the terminal goes over its
    edge, since an id in pieces can't be copied.  The account is shown where there is more than one.
    """
    several = len({event.account for event in events}) > 1
    rows = []
    for event in events:
        message: Any = event.message
        cells: list[str | Text] = [
            local_time(event.received_at),
            *([_cell(event.account)] if several else []),
            str(event.seq),
            _cell(event.kind, STYLES.get(event.kind, "")),
            _cell(getattr(message, "symbol", "")),
            _cell(_what(event)),
            _cell(getattr(message, "master_order_id", "")),
            _cell(getattr(message, "order_id", "")),
        ]
        rows.append(cells)
    columns = [column for column in EVENTS if several or column.heading != "Account"]
    print_lines(output(), laid_out(columns, rows, ENDLESS).lines)


def print_line(console: Console, event: AnyEvent, *, with_account: bool) -> None:
    """One event, in columns of fixed width: for events that come one by one."""
    message: Any = event.message
    ids = [getattr(message, name, "") for name in ("master_order_id", "order_id")]
    console.print(
        Text.assemble(
            (f"{local_time(event.received_at)[11:]}  ", "dim"),
            f"{visible(event.account):<10}  " if with_account else "",
            f"{event.seq:>8}  ",
            (f"{event.kind:<12}  ", STYLES.get(event.kind, "")),
            f"{visible(getattr(message, 'symbol', '')):<12}  ",
            f"{visible(_what(event)):<44}  ",
            (visible(" ".join(filter(None, ids))), "dim"),
        )
    )


def print_letters(letters: Sequence[DeadLetter]) -> None:
    """A line for each letter, and in a terminal its cause beneath where there is no room."""
    console = output()
    rows: list[list[str | Text]] = [
        [
            str(letter.id),
            local_time(letter.at)[:19],
            _cell(letter.plugin),
            _cell(letter.account),
            str(letter.seq),
            letter.hook,
            Text(letter.state, STATES[letter.state]),
            str(letter.count),
            _cell(_cause(letter)),
        ]
        for letter in letters
    ]
    print_lines(console, laid_out(LETTERS, rows, console.width).lines)


def print_letter(letter: DeadLetter, event: AnyEvent) -> None:
    """A letter whole: with the traceback, and the text of the venue."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        _cell(f"Dead letter {letter.id}: plugin {letter.plugin}, {letter.hook}, ", "bold"),
        _cell(f"account {letter.account}, event {letter.seq}", "bold"),
        sep="",
    )
    times = "once" if letter.count == 1 else f"{letter.count} times, last"
    console.print(
        f"{letter.cause} {times} at {local_time(letter.at)} in process {letter.process}; "
        f"state: {letter.state}"
    )
    console.print(_cell(letter.detail.rstrip(), keep="\n\t"))
    console.print(
        _cell(f"{event.kind} received at {local_time(event.received_at)}: {_what(event)}")
    )
    if event.raw:
        console.print(_cell(event.raw))


def _cell(text: str, style: str = "", keep: str = "") -> Text:
    """What the venue or a plugin says: neither rich's markup nor the terminal's own."""
    return Text(visible(text, keep), style)


def local_time(epoch_ns: int) -> str:
    """`2026-11-25 09:30:00.123`"""
    moment = datetime.fromtimestamp(epoch_ns // 10**9)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{epoch_ns // 10**6 % 1000:03d}"


def pretty_json(value: Any) -> bytes:
    """In UTF-8, as JSON has to be, whatever the terminal's encoding is."""
    return msgspec.json.format(msgspec.json.encode(value))


def _what(event: AnyEvent) -> str:
    message = event.message
    match message:
        case MasterOrderMessage():
            what = f"{message.side} {message.qty:g} {message.strategy} {message.status}"
        case OrderMessage():
            filled = f"{message.cum_filled_qty or message.fill_qty:g}/{message.quantity:g}"
            what = f"{message.side} {filled} @ {message.price:.12g} {message.status}"
        case FillMessage():
            what = f"{message.side} {message.filled_qty:.12g} @ {message.fill_price:.12g}"
        case _:
            what = text_of(event).replace("\n", " ")
    return what if event.origin == "stream" else f"{what} ({event.origin.replace('_', ' ')})"


def _cause(letter: DeadLetter) -> str:
    """The last line of a traceback says what was raised."""
    lines = letter.detail.strip().splitlines() or [""]
    return f"{letter.cause}: {lines[-1]}"
