"""`qehost journal`: what is in the journal, whether or not qehost is running."""

from __future__ import annotations

import sys

import click

from qehost.cli.dead_letters import dead_letters
from qehost.cli.event_search import EventSearch, accounts_of, event_filters
from qehost.cli.export import command as export
from qehost.cli.help import Group
from qehost.cli.journal_table import print_events
from qehost.cli.json_output import pretty_json_array
from qehost.cli.options import state_folder_options
from qehost.cli.search_progress import SearchProgress
from qehost.cli.units import DURATION, SIZE, format_size
from qehost.storage.cursor_file import furthest_behind
from qehost.storage.export.json_lines import event_as_dict
from qehost.storage.journal.pruning import Pruned, journal_bytes, prune
from qehost.storage.journal.query import FOREVER
from qehost.storage.journal.search import Wanted
from qehost.storage.state_folder import StateFolder

__all__ = ["command"]


@click.group(cls=Group)
def command() -> None:
    """List, export and prune what was received; list the dead letters of plugins."""


command.add_command(dead_letters)


@command.command(
    "list",
    examples={
        "qehost journal list --kind fill --since 09:30": "the fills since then",
        "qehost journal list --order-id 2008012345678901248": "the life of one order",
    },
)
@state_folder_options
@event_filters
@click.option(
    "-n", "--limit", type=click.IntRange(0), default=50, show_default=True, help="0: all of them."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array, an object for each event.")
def list_(folder: StateFolder, wanted: Wanted, account: str, limit: int, as_json: bool) -> None:
    """The newest events, oldest first: time, seq, kind, ids."""
    progress = SearchProgress(prints_events=sys.stdout.isatty())
    search = EventSearch(folder, account, wanted, newest_first=True, progress=progress)
    events = search.newest(limit)
    if as_json:
        for part in pretty_json_array(map(event_as_dict, events)):
            click.echo(part, nl=False)
    elif not print_events(events, with_account=len(folder.accounts()) > 1):
        click.echo(_none_found(folder, account, wanted), err=True)
    search.report_damage()


command.add_command(export)


@command.command(
    "prune",
    examples={
        "qehost journal prune --keep 7d": "what is older goes",
    },
)
@state_folder_options
@click.option("--keep", type=DURATION, help="Delete what is older: 7d.")
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
        behind = furthest_behind(folder, name)
        slowest = min(behind, key=lambda process: behind[process][1], default="")
        plugin, cursor = behind.get(slowest, ("", 0))
        report = prune(
            folder.journal(name),
            not_past_seq=FOREVER if undelivered else cursor,
            keep_seconds=keep,
            keep_bytes=keep_size,
        )
        click.echo(
            f"{name}: {_pruned(report)}; {format_size(journal_bytes(folder.journal(name)))} left"
        )
        if report.undelivered:
            click.echo(
                f"{name}: {report.undelivered:,} of them had not been delivered to all plugins",
                err=True,
            )
        if report.held_back:
            of = f"plugin {plugin} of " if plugin else ""
            reason = (
                f"{of}host process {slowest} has come to event {cursor:,} only"
                if slowest
                else "no host process has delivered anything of it"
            )
            click.echo(
                f"{name}: older events were kept, since {reason} (--undelivered deletes them)",
                err=True,
            )


def _none_found(folder: StateFolder, account: str, wanted: Wanted) -> str:
    if wanted != Wanted():
        return "No event fits."
    accounts = ", ".join(accounts_of(folder, account))
    return f"No event has been received yet in {folder.path} ({accounts})."


def _pruned(report: Pruned) -> str:
    if not report.files:
        return "nothing to delete"
    return f"events up to {report.last_seq:,} deleted ({format_size(report.bytes)})"
