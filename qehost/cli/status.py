"""`qehost status`: what runs, how far it has come, and what it is doing."""

from __future__ import annotations

import os
import sys

import click
import msgspec

from qehost.cli.help import Command
from qehost.cli.json_output import pretty_json
from qehost.cli.options import state_folder_options
from qehost.cli.status_check import check_line
from qehost.cli.status_findings import Finding, Limits, findings
from qehost.cli.status_screen import print_status, watch
from qehost.cli.units import FiniteRange
from qehost.errors import JournalError
from qehost.processes.escape import visible
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import STALE_AFTER, Status, read_status

__all__ = ["command"]

NOT_RUNNING = 1
USUAL = Limits()


@click.command(
    cls=Command,
    examples={
        "qehost status --watch": "anew each second",
        "qehost status --check --max-down 30": "a line and an exit code, for monitoring",
        "qehost status --json | jq .trouble": "what is wrong, for programs",
    },
)
@state_folder_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--watch", "watched", is_flag=True, help="Show it anew each second, until Ctrl-C.")
@click.option(
    "--check", "checked", is_flag=True, help="One line and exit code 0, 1 or 2, for monitoring."
)
@click.option(
    "--max-down",
    type=FiniteRange(min=0),
    default=USUAL.down,
    show_default=True,
    metavar="SECONDS",
    help="Without a connection, or without a host process.",
)
@click.option(
    "--max-behind",
    type=click.IntRange(0),
    default=USUAL.behind,
    show_default=True,
    metavar="EVENTS",
    help="Received and not delivered.",
)
@click.option(
    "--max-lag",
    type=FiniteRange(min=0),
    default=USUAL.lag,
    show_default=True,
    metavar="SECONDS",
    help="How long the oldest of them has waited.",
)
@click.option(
    "--max-dead-letters",
    type=click.IntRange(0),
    default=USUAL.dead_letters,
    show_default=True,
    metavar="LETTERS",
    help="Of one plugin.",
)
@click.option(
    "--max-gap-age",
    type=FiniteRange(min=0),
    default=USUAL.gap_age,
    show_default=True,
    metavar="SECONDS",
    help="How long a gap is a warning.",
)
def command(
    folder: StateFolder,
    as_json: bool,
    watched: bool,
    checked: bool,
    max_down: float,
    max_behind: int,
    max_lag: float,
    max_dead_letters: int,
    max_gap_age: float,
) -> None:
    """Show what runs: connections, host processes, plugins, the journal.

    It reads a file that a running qehost replaces once a second and needs no answer of any process,
    so it works while everything is stuck. Times in the JSON are seconds.

    Ends with 0 if qehost runs, and 1 if it does not, or if the file is older than five seconds.
    With --check it ends with 0 if all is well, with 1 for what somebody should look at, and with 2
    if qehost does not run or a limit is passed.
    """
    if sum((as_json, watched, checked)) > 1:
        raise click.UsageError("--json, --watch and --check do not go together.")
    limits = Limits(max_down, max_behind, max_lag, max_dead_letters, max_gap_age)
    if watched:
        watch(lambda: _read(folder), limits)
        return
    if checked:
        _check(folder, limits)
    status, problem = _read(folder)
    if as_json:
        found = [] if status is None else findings(status, limits)
        fields = {} if status is None else msgspec.to_builtins(status)
        age = None if status is None else status.age()
        shown = {
            "running": not problem,
            "trouble": problem or "; ".join(each.text for each in found),
            "findings": [each._asdict() for each in found],
            "age": age,
            **fields,
        }
        click.echo(pretty_json(shown))
    elif status is None:
        click.echo(visible(problem), err=True)
    else:
        print_status(status, problem, limits)
    sys.exit(NOT_RUNNING if problem else 0)


def _read(folder: StateFolder) -> tuple[Status | None, str]:
    """The status, and why it is not that of a running qehost; `""` if it is."""
    status = read_status(folder.status_file)
    return status, _problem_of(folder, status)


def _problem_of(folder: StateFolder, status: Status | None) -> str:
    if status is None:
        return f"nothing has run in {folder.path} yet; look elsewhere with --state-dir"
    if status.ended:
        return f"not running: {status.ended}"
    if not _exists(status.pid):
        return f"not running: process {status.pid} is gone, and did not end in an orderly way"
    if status.age() > STALE_AFTER:
        return (
            f"process {status.pid} has not written this for {status.age():.0f} s: "
            "it is stuck, or the disk is full"
        )
    return ""


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # Another user's.
    return True


def _check(folder: StateFolder, limits: Limits) -> None:
    """What a monitoring system reads; ends the program."""
    try:
        status, problem = _read(folder)
    except JournalError as error:
        status, problem = None, str(error)
    found = [Finding("critical", problem)] if problem else []
    if status is not None and not problem:
        found = findings(status, limits)
    line, code = check_line(status, found, limits)
    click.echo(line)
    sys.exit(code)
