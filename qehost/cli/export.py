"""`qehost journal export`: events as a file for people, spreadsheets and other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, TypeVar

import click

from qehost.cli.event_search import EventSearch, event_filters
from qehost.cli.help import Command
from qehost.cli.options import state_folder_options
from qehost.cli.output_file import STDOUT, is_stream, output_file
from qehost.cli.search_progress import SearchProgress
from qehost.cli.units import format_count
from qehost.storage.export.columns import Table
from qehost.storage.export.csv_table import write_csv
from qehost.storage.export.json_lines import write_json_rows, write_jsonl
from qehost.storage.export.parquet_table import ParquetTable
from qehost.storage.journal.search import Wanted
from qehost.storage.state_folder import StateFolder

__all__ = ["command"]

INCOMPLETE = 1
T = TypeVar("T", Table, ParquetTable)
FORMATS = ("jsonl", "csv", "parquet")


@click.command(
    "export",
    cls=Command,
    examples={
        "qehost journal export -o day.jsonl --since 1d": "all of a day, for `qehost replay --file`",
        "qehost journal export --kind fill -o fills.csv": "a table of the fills",
    },
)
@state_folder_options
@event_filters
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
@click.option(
    "--columns",
    metavar="NAME,NAME…",
    help="These columns, in this order; of JSON lines, flat objects. A wrong name shows all.",
)
@click.option("--raw/--no-raw", default=True, help="With the venue's text, or without.")
@click.option(
    "--utc/--local",
    default=None,
    help="Times as text: UTC, or the machine's zone, either way with the offset.  [default: utc]",
)
def command(
    folder: StateFolder,
    wanted: Wanted,
    account: str,
    output: Path,
    format_: str | None,
    columns: str | None,
    raw: bool,
    utc: bool | None,
) -> None:
    """Write events to a file, oldest first.

    JSON lines hold everything, and `qehost replay` reads them. CSV and Parquet have a row for each
    event: with one --kind all its fields, else what the kinds have in common. Decimals are exact in
    all of them. Parquet needs `pip install 'qehost[parquet]'`.

    Ends with 0, and with 1 if some events could not be read; the others are written all the same.
    """
    suffix = output.suffix[1:].lower()
    format_ = format_ or (suffix if suffix in FORMATS else "jsonl")
    if format_ == "parquet" and output == STDOUT and sys.stdout.isatty():
        raise click.UsageError("Parquet is no text: name a file with -o.")
    has_times_as_text = format_ == "csv" or (format_ == "jsonl" and columns is not None)
    if utc is False and not has_times_as_text:
        raise click.UsageError(
            "--local is for CSV and for --columns: times are numbers in JSON lines, and points in "
            "time in Parquet."
        )
    table = _table(Table, wanted, columns, raw)
    parquet = _table(ParquetTable, wanted, columns, raw) if format_ == "parquet" else None
    progress = SearchProgress(prints_events=output == STDOUT and sys.stdout.isatty())
    search = EventSearch(folder, account, wanted, newest_first=False, progress=progress)

    def write(file: BinaryIO) -> int:
        if parquet is not None:
            return parquet.write(search, file)
        if format_ == "csv":
            # What reads from a pipe is a program; to it the mark would be part of the first name.
            mark = not is_stream(output)
            return write_csv(search, file, table, local=utc is False, mark=mark)
        if columns is not None:
            return write_json_rows(search, file, table, local=utc is False)
        return write_jsonl(search, file, raw=raw)

    with output_file(output) as file:
        count = write(file)
    click.echo(format_count(count, "event"), err=True)
    if format_ != "jsonl" and columns is None and len(wanted.kinds) != 1:
        click.echo("in the columns that all kinds have; with one --kind it has its own", err=True)
    if search.report_damage():
        click.echo("qehost: not everything could be exported", err=True)
        sys.exit(INCOMPLETE)


def _table(make: type[T], wanted: Wanted, columns: str | None, raw: bool) -> T:
    chosen = [] if columns is None else [name.strip() for name in columns.split(",")]
    try:
        return make(wanted.kinds, list(filter(None, chosen)), raw=raw)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--columns") from None
