"""`qehost status`: what runs, how far it has come, and what it is at."""

from __future__ import annotations

import os
import sys

import click
import msgspec

from qehost.cli.state_folder import where
from qehost.cli.status_screen import print_status
from qehost.state import StateFolder
from qehost.status import STALE_AFTER, Status, read_status

__all__ = ["command"]

NOT_WELL = 1


@click.command()
@where
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(folder: StateFolder, as_json: bool) -> None:
    """What runs: connections, host processes, plugins, the journal.

    It reads a file that a running qehost replaces once a second, and asks no process anything: it
    answers while everything is stuck. Times in the JSON are seconds.

    Ends with 0 if qehost runs, and 1 if it does not, or if the file is older than five seconds.
    """
    status = read_status(folder.status_file)
    trouble = _trouble(folder, status)
    if as_json:
        fields = {} if status is None else msgspec.to_builtins(status)
        age = None if status is None else status.age()
        found = {"running": not trouble, "trouble": trouble, "age": age, **fields}
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    elif status is None:
        click.echo(trouble, err=True)
    else:
        print_status(status, trouble)
    sys.exit(NOT_WELL if trouble else 0)


def _trouble(folder: StateFolder, status: Status | None) -> str:
    """Why this is not the status of a running qehost; "" if it is."""
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
