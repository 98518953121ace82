"""Events and dead letters as text, for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import dropwhile, islice
from typing import Any

from rich.console import Console
from rich.text import Text

from qehost.cli.columns import Column, lay_out_table, print_lines, stdout_console
from qehost.cli.units import format_local_time
from qehost.events.plural import format_times
from qehost.messages import (
    AnyEvent,
    FillMessage,
    MasterOrderMessage,
    OrderMessage,
)
from qehost.processes.escape import visible
from qehost.secret import redact
from qehost.storage.dead_letters import DeadLetter
from qehost.storage.export.columns import text_of

__all__ = [
    "print_events",
    "print_letter",
    "print_letters",
    "print_line",
    "what_was_raised",
]

STYLES = {
    "fill": "green",
    "order": "cyan",
    "master_order": "blue",
    "error": "bold red",
    "disconnected": "yellow",
    "connected": "yellow",
}
TRACEBACK = "Traceback (most recent call last):"
GROUP = f"  + Exception Group {TRACEBACK}"
STATES = {"dead": "red", "retry": "yellow", "delivered": "green"}

PAGE = 1_000
"""Events that are laid out together; the columns of the next ones are as wide, or wider."""
EVENTS = (
    Column("Local time"),
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
    Column("Local time"),
    Column("Plugin", usual=12),
    Column("Account", usual=12),
    Column("Seq", right=True),
    Column("Hook"),
    Column("State"),
    Column("Times", right=True),
    Column("Cause"),
)


def print_events(events: Iterable[AnyEvent], *, with_account: bool) -> bool:
    """One line for each event, or several on a terminal that is too narrow for its ids.

    `with_account`: a `seq` alone would not say which event it is.  They are printed as they come, a
    page at a time.  Returns whether there were any.
    """
    columns = [column for column in EVENTS if with_account or column.heading != "Account"]
    console = stdout_console()
    widths: list[int] = []
    remaining = iter(events)
    while page := list(islice(remaining, PAGE)):
        rows = [_event_cells(event, with_account) for event in page]
        layout = lay_out_table(columns, rows, console.width, at_least=widths)
        print_lines(console, layout.lines[layout.headings :] if widths else layout.lines)
        widths = layout.widths
    return bool(widths)


def _event_cells(event: AnyEvent, with_account: bool) -> list[str | Text]:
    message: Any = event.message
    return [
        format_local_time(event.received_at),
        *([_cell(event.account)] if with_account else []),
        str(event.seq),
        _cell(event.kind, STYLES.get(event.kind, "")),
        _cell(getattr(message, "symbol", "")),
        _cell(_summary(event)),
        _cell(getattr(message, "master_order_id", "")),
        _cell(getattr(message, "order_id", "")),
    ]


def print_line(console: Console, event: AnyEvent, *, with_account: bool) -> None:
    """One event, in columns of fixed width, for events that come one by one."""
    message: Any = event.message
    ids = [getattr(message, name, "") for name in ("master_order_id", "order_id")]
    console.print(
        Text.assemble(
            (f"{format_local_time(event.received_at)[11:]}  ", "dim"),
            f"{visible(event.account):<10}  " if with_account else "",
            f"{event.seq:>8}  ",
            (f"{event.kind:<12}  ", STYLES.get(event.kind, "")),
            f"{visible(getattr(message, 'symbol', '')):<12}  ",
            f"{visible(_summary(event)):<44}  ",
            (visible(" ".join(filter(None, ids))), "dim"),
        )
    )


def print_letters(letters: Sequence[DeadLetter]) -> None:
    """A line for each letter; on a narrow terminal its cause is below it."""
    console = stdout_console()
    rows: list[list[str | Text]] = [
        [
            str(letter.id),
            format_local_time(letter.at)[:19],
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
    print_lines(console, lay_out_table(LETTERS, rows, console.width).lines)


def print_letter(letter: DeadLetter, event: AnyEvent) -> None:
    """A letter with its traceback and the text of the venue."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        _cell(f"Dead letter {letter.id}: plugin {letter.plugin}, {letter.hook}, ", "bold"),
        _cell(f"account {letter.account}, event {letter.seq}", "bold"),
        sep="",
    )
    times = format_times(letter.count) + (", last" if letter.count > 1 else "")
    console.print(
        f"{letter.cause} {times} at {format_local_time(letter.at)} in process {letter.process}; "
        f"state: {letter.state}"
    )
    console.print(_cell(redact(letter.detail.rstrip()), keep="\n\t"))
    console.print(
        _cell(f"{event.kind} received at {format_local_time(event.received_at)}: {_summary(event)}")
    )
    if event.journal_id:
        console.print(f"journal id {event.journal_id}")
    if event.raw:
        console.print(_cell(event.raw))


def _cell(text: str, style: str = "", keep: str = "") -> Text:
    """A text of the venue or a plugin, which is neither markup of rich nor terminal sequences."""
    return Text(visible(text, keep), style)


def _summary(event: AnyEvent) -> str:
    message = event.message
    match message:
        case MasterOrderMessage():
            text = f"{message.side} {message.qty:g} {message.strategy} {message.status}"
        case OrderMessage():
            filled = f"{message.cum_filled_qty or message.fill_qty:g}/{message.quantity:g}"
            text = f"{message.side} {filled} @ {message.price:.12g} {message.status}"
        case FillMessage():
            text = f"{message.side} {message.filled_qty:.12g} @ {message.fill_price:.12g}"
        case _:
            text = text_of(event).replace("\n", " ")
    return text if event.origin == "stream" else f"{text} ({event.origin.replace('_', ' ')})"


def _cause(letter: DeadLetter) -> str:
    return f"{letter.cause}: {what_was_raised(redact(letter.detail))}"


def what_was_raised(traceback: str) -> str:
    """Type, message and notes in one line: what stands behind the frames of a traceback.

    Of several the last one counts, of a group of exceptions what it says itself.
    """
    lines = traceback.strip("\n").split("\n")
    starts = [n for n, line in enumerate(lines) if line in (TRACEBACK, GROUP)]
    if not starts:
        return lines[-1].strip()
    start = starts[-1] + 1
    found = lines[start:]
    if lines[start - 1] == GROUP:
        # Each line stands behind a bar; after these come its members.
        end = next((n for n, line in enumerate(found) if line.startswith("  +-")), None)
        found = [line.removeprefix("  | ") for line in found[:end]]
    said = dropwhile(lambda line: line.startswith(" "), found)
    return "; ".join(line.strip() for line in said if line.strip()) or lines[-1].strip()
