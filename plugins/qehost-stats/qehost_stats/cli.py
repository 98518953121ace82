"""`qehost stats`: the report, and what its figures mean."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import click
import qehost
from qehost.errors import Error

from qehost_stats import definitions
from qehost_stats.page import as_html
from qehost_stats.report import Report, as_json, make
from qehost_stats.tables import as_csv

__all__ = ["command"]

FORMATS = ("html", "json", "csv")
STDOUT = Path("-")
DAY = 86_400 * 10**9


@click.group()
def command() -> None:
    """Execution quality of master orders, from the journal."""


@command.command("definitions")
def print_definitions() -> None:
    """What each figure is: formula, unit, sign and source."""
    click.echo(definitions.as_markdown(), nl=False)


@command.command()
@click.option(
    "--since", type=qehost.TIME, default=None, help="1d (ago), 09:30, 2026-11-25.  [default: 1d]"
)
@click.option("--until", type=qehost.TIME, default=None, help="As --since.  [default: now]")
@click.option("--account", default="", help="One account; all, if left out.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default=Path("execution-quality.html"),
    show_default=True,
    help="Where to write; - is standard output.",
)
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="html, or what the file is named."
)
@click.option(
    "--table",
    type=click.Choice(("orders", "days")),
    default="orders",
    show_default=True,
    help="Of CSV: a row for each master order, or for each day, account and symbol.",
)
@click.option(
    "--venue/--no-venue",
    "ask_venue",
    default=True,
    help="Ask the venue for its own analysis, which has market data, or not.  [default: ask]",
)
@qehost.plugin_command("stats")
def report(
    context: qehost.Context,
    since: int | None,
    until: int | None,
    account: str,
    output: Path,
    format_: str | None,
    table: str,
    ask_venue: bool,
) -> None:
    """Write a report of the master orders of a time.

    An order belongs to it if something of it was received in that time, or if it was open then.
    """
    if account and account not in context.accounts:
        raise Error(f"there is no account {account}: {', '.join(context.accounts)}")
    end = time.time_ns() if until is None else until
    begin = end - DAY if since is None else since
    if begin >= end:
        raise click.UsageError("--since is not before --until.")
    suffix = output.suffix[1:].lower()
    format_ = format_ or (suffix if suffix in FORMATS else "html")
    accounts = (account,) if account else context.accounts
    made = make(context, accounts, begin, end, ask_venue=ask_venue)
    _write(output, _encoded(made, format_, table))
    for note in made.notes:
        click.echo(note, err=True)
    if output != STDOUT:
        click.echo(f"{len(made.orders)} master orders, {made.events} events: {output}", err=True)


def _encoded(made: Report, format_: str, table: str) -> bytes:
    if format_ == "json":
        return as_json(made)
    if format_ == "csv":
        return as_csv(made, table)
    return as_html(made).encode()


def _write(output: Path, data: bytes) -> None:
    """A file is there whole, or as it was before.  Raises Error."""
    if output == STDOUT:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        if output.exists() and not output.is_file():  # a device or a pipe
            output.write_bytes(data)
            return
        target = Path(os.path.realpath(output))
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as file:
            aside = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                aside.replace(target)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise Error(f"{output} can't be written: {error.strerror or error}") from None
