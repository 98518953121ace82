"""`qehost tail`: events as they come, read from the journal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, cast

import click
import msgspec
from rich.console import Console

from qehost.cli.event_search import EventSearch, accounts_of, event_filters
from qehost.cli.help import Command
from qehost.cli.journal_table import print_line
from qehost.cli.json_output import EscapingFile
from qehost.cli.options import state_folder_options
from qehost.events.codec import decode_events
from qehost.messages import AnyEvent
from qehost.storage.export.json_lines import write_jsonl
from qehost.storage.journal.layout import Batch, span
from qehost.storage.journal.reader import JournalReader
from qehost.storage.journal.search import Wanted
from qehost.storage.state_folder import StateFolder

__all__ = ["command"]

POLL = 0.1
"""Seconds between two reads of the journal."""


@click.command(
    cls=Command,
    examples={
        "qehost tail --kind fill --kind error": "only these kinds",
        "qehost tail --json | jq .message": "for programs",
    },
)
@state_folder_options
@event_filters
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=10, show_default=True, help="Earlier events."
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line, as of `export`.")
def command(folder: StateFolder, wanted: Wanted, account: str, lines: int, as_json: bool) -> None:
    """Show events as they come, until Ctrl-C.

    It reads the journal, which costs a running qehost nothing; if none is running, it waits for
    one.
    """
    console = Console(highlight=False, soft_wrap=True)
    several = len(accounts_of(folder, account)) > 1
    out = cast(BinaryIO, EscapingFile(sys.stdout.buffer))
    try:
        for event in _events(folder, account, wanted, lines):
            if as_json:
                write_jsonl([event], out)
                sys.stdout.buffer.flush()
            else:
                print_line(console, event, with_account=several)
    except KeyboardInterrupt:
        return


def _events(folder: StateFolder, account: str, wanted: Wanted, lines: int) -> Iterator[AnyEvent]:
    followed: dict[str, _JournalTail] = {}
    for name in accounts_of(folder, account):
        followed[name] = _JournalTail(JournalReader(folder.journal(name)))
    earlier = EventSearch(folder, account, wanted, newest_first=True)
    # What is added in the meantime is shown below.
    known = (event for event in earlier if event.seq <= followed[event.account].seq)
    newest = list(islice(known, lines))
    earlier.close()
    yield from reversed(newest)
    while True:
        for name in accounts_of(folder, account):
            if name not in followed:  # the first event of an account
                followed[name] = _JournalTail(JournalReader(folder.journal(name)), 0)
            yield from filter(wanted.fits, followed[name].new_events())
        time.sleep(POLL)


class _JournalTail:
    """One journal, and the last event of it that was shown."""

    def __init__(self, journal: JournalReader, seq: int | None = None) -> None:
        self._journal = journal
        self.seq = journal.last_seq() if seq is None else seq

    def new_events(self) -> Iterator[AnyEvent]:
        for part in self._journal.read(self.seq):
            if part.last_seq <= self.seq:
                continue
            shown, self.seq = self.seq, part.last_seq
            problem: object = None
            if isinstance(part, Batch):
                try:
                    events = decode_events(part.events, part.journal_id)
                    yield from [e for e in events if e.seq > shown]
                except msgspec.DecodeError as error:
                    problem = error
            else:
                problem = part.error
            if problem:
                click.echo(f"{span(shown + 1, part.last_seq)} can't be read: {problem}", err=True)
