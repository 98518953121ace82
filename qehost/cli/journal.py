"""`qehost journal`: what stands in the journal, with a running qehost or without one."""

from __future__ import annotations

import functools
import heapq
import sys
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from qehost.cli.dead_letters import dead_letters
from qehost.cli.journal_table import pretty_json, print_events
from qehost.cli.moment import AGE, MOMENT, SIZE
from qehost.cli.output_file import STDOUT, output_file
from qehost.cli.state_folder import where
from qehost.errors import JournalError
from qehost.host.cursors import cursors_of
from qehost.journal.export import FORMATS, write_csv, write_jsonl, write_parquet
from qehost.journal.layout import Damage, span
from qehost.journal.pruning import Pruned, journal_bytes, prune
from qehost.journal.reader import FOREVER, JournalReader
from qehost.journal.search import KINDS, Wanted, find
from qehost.messages import AnyEvent
from qehost.state import StateFolder

__all__ = ["Found", "accounts_of", "command", "filters"]

INCOMPLETE = 1
WRITERS = {"jsonl": write_jsonl, "csv": write_csv, "parquet": write_parquet}


@click.group()
def command() -> None:
    """See, export and prune what was received, and what plugins could not take."""


command.add_command(dead_letters)


def filters(function: Callable[..., None]) -> Callable[..., None]:
    """The options that say which events; the command gets `Wanted` and the account."""

    @click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Repeatable.")
    @click.option("--symbol", default="", help="As the venue writes it.")
    @click.option(
        "--order-id", default="", help="Of the master order, the child order, or the client's own."
    )
    @click.option("--since", type=MOMENT, default=None, help="15m (ago), 09:30, 2026-11-25T09:30.")
    @click.option("--until", type=MOMENT, default=None, help="As --since.")
    @click.option("--account", default="", help="One account; all, if left out.")
    @functools.wraps(function)
    def wrapped(
        *args: Any,
        kinds: tuple[Any, ...],
        symbol: str,
        order_id: str,
        since: int | None,
        until: int | None,
        **options: Any,
    ) -> None:
        wanted = Wanted(frozenset(kinds), symbol, order_id, since or 0, until or FOREVER)
        function(*args, wanted=wanted, **options)

    return wrapped


@command.command("list")
@where
@filters
@click.option(
    "-n", "--limit", type=click.IntRange(0), default=50, show_default=True, help="0: all of them."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array, an object for each event.")
def list_(folder: StateFolder, wanted: Wanted, account: str, limit: int, as_json: bool) -> None:
    """The newest events, oldest first: time, seq, kind, ids."""
    found = Found(folder, account, wanted, newest_first=True)
    events = list(islice(found, limit or None))[::-1]
    if as_json:
        click.echo(pretty_json([event.as_dict() for event in events]))
    elif events:
        print_events(events)
    else:
        click.echo(_nothing(folder, account, wanted), err=True)
    found.tell_damage()


@command.command()
@where
@filters
@click.option(
    "-o",
    "--output",
    "output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default=STDOUT,
    help="Where to write; standard output, if left out. A file is there whole or not at all.",
)
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="jsonl, or what the file is named."
)
def export(
    folder: StateFolder, wanted: Wanted, account: str, output: Path, format_: str | None
) -> None:
    """Write events to a file, oldest first.

    JSON lines hold everything, and `qehost replay` reads them. Parquet needs
    `pip install 'qehost[parquet]'`.

    Ends with 0, and with 1 if some events could not be read; the others are written all the same.
    """
    suffix = output.suffix[1:]
    found = Found(folder, account, wanted, newest_first=False)
    with output_file(output) as file:
        count = WRITERS[format_ or (suffix if suffix in FORMATS else "jsonl")](found, file)
    click.echo(f"{count:,} events", err=True)
    if found.tell_damage():
        click.echo("qehost: not everything could be exported", err=True)
        sys.exit(INCOMPLETE)


@command.command("prune")
@where
@click.option("--keep", type=AGE, help="Delete what is older: 7d.")
@click.option("--keep-size", type=SIZE, help="Delete the oldest beyond this size: 20G.")
@click.option("--account", default="", help="One account; all, if left out.")
@click.option("--undelivered", is_flag=True, help="Also what was not delivered to all plugins yet.")
def prune_(
    folder: StateFolder,
    keep: float | None,
    keep_size: int | None,
    account: str,
    undelivered: bool,
) -> None:
    """Delete old events, a file at a time; the newest file stays.

    A running qehost prunes by itself, as its setting journal.keep says. Age alone deletes nothing
    that was not delivered yet; size does.
    """
    if keep is None and keep_size is None:
        raise click.UsageError("Say what to keep: --keep 7d, or --keep-size 20G.")
    for name in accounts_of(folder, account):
        cursors = cursors_of(folder, name)
        report = prune(
            folder.journal(name),
            not_past_seq=FOREVER if undelivered else min(cursors.values(), default=0),
            keep_seconds=keep,
            keep_bytes=keep_size,
        )
        click.echo(f"{name}: {_pruned(report)}; {_bytes(journal_bytes(folder.journal(name)))} left")
        if report.undelivered:
            click.echo(
                f"{name}: {report.undelivered:,} of them had not been delivered to all plugins",
                err=True,
            )
        if report.held_back:
            slowest = min(cursors, key=lambda process: cursors[process], default="")
            reason = (
                f"host process {slowest} has come to event {cursors[slowest]:,} only"
                if slowest
                else "no host process has delivered anything of it"
            )
            click.echo(
                f"{name}: older events were kept, since {reason} (--undelivered deletes them)",
                err=True,
            )


class Found:
    """The events of one account or all, by time, and what could not be read on the way."""

    def __init__(
        self, folder: StateFolder, account: str, wanted: Wanted, newest_first: bool
    ) -> None:
        self._sources = [
            self._events(JournalReader(folder.journal(name)), name, wanted, newest_first)
            for name in accounts_of(folder, account)
        ]
        self._newest_first = newest_first
        self._damage: list[str] = []

    def __iter__(self) -> Iterator[AnyEvent]:
        if len(self._sources) == 1:
            return self._sources[0]
        return heapq.merge(
            *self._sources, key=lambda event: event.received_at, reverse=self._newest_first
        )

    def close(self) -> None:
        """Nothing more is wanted."""
        for source in self._sources:
            source.close()

    def tell_damage(self) -> bool:
        """Whether there was any."""
        for text in self._damage:
            click.echo(text, err=True)
        return bool(self._damage)

    def _events(
        self, reader: JournalReader, account: str, wanted: Wanted, newest_first: bool
    ) -> Generator[AnyEvent, None, None]:
        with reader:
            for event in find(reader, wanted, newest_first=newest_first):
                if isinstance(event, Damage):
                    self._damage.append(
                        f"{account}: {span(event.first_seq, event.last_seq)} can't be read: "
                        f"{event.error}"
                    )
                else:
                    yield event


def accounts_of(folder: StateFolder, account: str) -> list[str]:
    """Raises JournalError where there is no journal, UsageError for an account not in it."""
    names = folder.accounts()
    if not names:
        raise JournalError(
            str(folder.path),
            "there is none. `qehost run` begins one; look into another folder with --state-dir",
        )
    if account and account not in names:
        raise click.UsageError(f"There is no account {account!r} here, but: {', '.join(names)}.")
    return [account] if account else names


def _nothing(folder: StateFolder, account: str, wanted: Wanted) -> str:
    if wanted != Wanted():
        return "No event fits."
    return f"No event has been received yet ({', '.join(accounts_of(folder, account))})."


def _pruned(report: Pruned) -> str:
    if not report.files:
        return "nothing to delete"
    return f"events up to {report.last_seq:,} deleted ({_bytes(report.bytes)})"


def _bytes(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
