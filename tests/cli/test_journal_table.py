"""The list of events, a line for each."""

from __future__ import annotations

import io
import json
import time
import traceback

from journalled import ORDER, run, write
from msgspec.structs import replace
from rich.console import Console

from qehost.cli.journal_table import print_line, what_was_raised
from qehost.events.codec import encode_events
from qehost.messages import (
    AnyEvent,
    ErrorEvent,
    OrderEvent,
    Problem,
    StatusEvent,
)
from qehost.storage.dead_letters import DeadLetters
from qehost.storage.state_folder import StateFolder


def test_the_list_shows_time_seq_kind_and_ids_newest_last(folder: StateFolder) -> None:
    header, *lines = run(folder, "list").stdout.splitlines()
    assert header.split() == [
        "Local",
        "time",
        "Seq",
        "Kind",
        "Symbol",
        "What",
        "Master",
        "order",
        "Order",
    ]
    assert len(lines) == 14
    words = lines[11].split()
    assert words[2:5] == ["12", "fill", "BTCUSDT"]
    assert words[-2:] == ["MO-1", "O-1"]
    assert "BUY 0.5 @ 100.5 (derived)" in lines[11]
    assert "BUY 0.5/2 @ 100.5 PLACED" in lines[10]
    # What the venue sends is text, not markup.
    assert "ready [bold]now[/bold]" in lines[8]


HOSTILE = "x\x1b]0;title\x07\x1b[2J\n\x9b31m\u202e"


def test_nothing_that_the_venue_sends_steers_the_terminal(folder: StateFolder) -> None:
    head = ("main", "id", time.time_ns(), "stream", False, "raw \x1b[2J")
    order = replace(
        ORDER, master_order_id=HOSTILE, order_id=HOSTILE, symbol=HOSTILE, status=HOSTILE
    )
    hostile: list[AnyEvent] = [
        StatusEvent(15, *head, HOSTILE),
        OrderEvent(16, *head, order),
        ErrorEvent(17, *head, Problem("venue", HOSTILE)),
    ]
    write(folder, "main", hostile)
    with DeadLetters(folder.dead_letters_file) as letters:
        letters.add(
            account="main",
            plugin="sink",
            process="main",
            seq=16,
            hook="on_order",
            cause="raised",
            detail=f"Traceback:\n  File\nValueError: {HOSTILE}",
            event=encode_events([hostile[1]]),
        )
    for arguments in ("list",), ("dead-letters",), ("dead-letters", "1"):
        lines = run(folder, *arguments).stdout.split("\n")
        assert all(line.isprintable() for line in lines), arguments
        assert any(r"\x9b31m" in line for line in lines)
    assert len(run(folder, "list", "-n", "3").stdout.splitlines()) == 4
    tailed = io.StringIO()
    for event in hostile:
        print_line(Console(file=tailed, soft_wrap=True), event, with_account=True)
    assert len(lines := tailed.getvalue().splitlines()) == 3
    assert all(line.isprintable() for line in lines)
    # What other programs read is as it came.
    assert (
        json.loads(run(folder, "list", "--json", "-n", "1").stdout)[0]["message"]["text"] == HOSTILE
    )


def raised(error: Exception) -> str:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001
        return "".join(traceback.format_exception(caught))


def test_a_cause_has_type_message_and_notes() -> None:
    error = ValueError("no such table\n  [SQL: INSERT]")
    error.add_note("row 7")
    assert what_was_raised(raised(error)) == "ValueError: no such table; [SQL: INSERT]; row 7"


def test_the_cause_of_what_was_raised_from_another_is_the_last_one() -> None:
    error = OSError("the database is down")
    error.__cause__ = TimeoutError("no answer")
    assert what_was_raised(raised(error)) == "OSError: the database is down"


def test_the_cause_of_a_group_is_what_it_says_itself() -> None:
    error = ExceptionGroup("two rows", [ValueError("one"), ValueError("two")])
    error.add_note("of table fills")
    expected = "ExceptionGroup: two rows (2 sub-exceptions); of table fills"
    assert what_was_raised(raised(error)) == expected


def test_without_a_traceback_the_last_line_is_the_cause() -> None:
    assert what_was_raised("signal SIGSEGV\n") == "signal SIGSEGV"
    assert what_was_raised("") == ""
