"""`qehost tail`: events as they come, read from the journal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import islice

import click
import msgspec
from rich.console import Console

from qehost.cli.journal import Found, accounts_of, filters
from qehost.cli.journal_table import print_line
from qehost.cli.state_folder import where
from qehost.journal.export import write_jsonl
from qehost.journal.layout import Batch, span
from qehost.journal.reader import JournalReader
from qehost.journal.search import Wanted
from qehost.messages import AnyEvent
from qehost.records import decode_events
from qehost.state import StateFolder

__all__ = ["command"]

PACE = 0.1
"""Seconds between two looks into the journal."""


@click.command()
@where
@filters
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=10, show_default=True, help="Earlier events."
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line, as of `export`.")
def command(folder: StateFolder, wanted: Wanted, account: str, lines: int, as_json: bool) -> None:
    """Show events as they come, until Ctrl-C.

    It reads the journal, so it costs a running qehost nothing, and waits for one that is not
    running.
    """
    console = Console(highlight=False, soft_wrap=True)
    several = len(accounts_of(folder, account)) > 1
    try:
        for event in _events(folder, account, wanted, lines):
            if as_json:
                write_jsonl([event], sys.stdout.buffer)
                sys.stdout.buffer.flush()
            else:
                print_line(console, event, with_account=several)
    except KeyboardInterrupt:
        return


def _events(folder: StateFolder, account: str, wanted: Wanted, lines: int) -> Iterator[AnyEvent]:
    followed: dict[str, _Followed] = {}
    for name in accounts_of(folder, account):
        followed[name] = _Followed(JournalReader(folder.journal(name)))
    earlier = Found(folder, account, wanted, newest_first=True)
    # What is added in the meantime comes below.
    known = (event for event in earlier if event.seq <= followed[event.account].seq)
    newest = list(islice(known, lines))
    earlier.close()
    yield from reversed(newest)
    while True:
        for name in accounts_of(folder, account):
            if name not in followed:  # an account's first event ever
                followed[name] = _Followed(JournalReader(folder.journal(name)), 0)
            yield from filter(wanted.fits, followed[name].more())
        time.sleep(PACE)


class _Followed:
    """One journal, and how far it was shown."""

    def __init__(self, journal: JournalReader, seq: int | None = None) -> None:
        self._journal = journal
        self.seq = journal.last_seq() if seq is None else seq

    def more(self) -> Iterator[AnyEvent]:
        for part in self._journal.read(self.seq):
            if part.last_seq <= self.seq:
                continue
            shown, self.seq = self.seq, part.last_seq
            problem: object = None
            if isinstance(part, Batch):
                try:
                    yield from [e for e in decode_events(part.events) if e.seq > shown]
                except msgspec.DecodeError as error:
                    problem = error
            else:
                problem = part.error
            if problem:
                click.echo(f"{span(shown + 1, part.last_seq)} can't be read: {problem}", err=True)
