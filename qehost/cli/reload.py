"""`qehost reload`: new versions and new settings of the plugins, while the stream stays up."""

from __future__ import annotations

import os
import signal
import time

import click

from qehost.cli.failure import failing_clearly
from qehost.cli.moment import FiniteRange
from qehost.cli.state_folder import where
from qehost.errors import Error
from qehost.state import StateFolder
from qehost.status import ReloadState, read_status

__all__ = ["command"]

FAILED = 1
POLL = 0.05


@click.command()
@where
@click.option(
    "--timeout",
    type=FiniteRange(min=0, min_open=True),
    default=150.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the outcome.",
)
@failing_clearly
def command(folder: StateFolder, timeout: float) -> None:
    """Have a running qehost take new versions and new settings of its plugins.

    It reads the settings again, loads the plugins in new processes, and lets those take over from
    the old ones: the stream stays up, and no event is lost. If the new ones can't be loaded, the
    old ones go on.

    Ends with 0 when it is done, with 1 if it failed and with 3 if no qehost runs there. Sending
    SIGHUP to qehost does the same, and its log tells the outcome.
    """
    pid = folder.holder()
    if pid is None:
        raise Error(
            f"no qehost runs with the state folder {folder.path}; name another with --state-dir"
        )
    if not pid:
        raise Error(
            f"the id of the qehost that runs with {folder.path} is not known, since the disk was "
            "full when it started: send that process SIGHUP"
        )
    number = _state(folder, pid).started + 1
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        raise Error(f"process {pid} has just ended") from None
    except PermissionError:
        raise Error(f"process {pid} belongs to another user") from None
    state = _outcome(folder, pid, number, time.monotonic() + timeout)
    if not state.ok:
        click.echo(f"qehost: the reload failed: {state.text}", err=True)
        raise SystemExit(FAILED)
    click.echo("reloaded")
    if state.text:
        click.echo(state.text, err=True)


def _outcome(folder: StateFolder, pid: int, number: int, until: float) -> ReloadState:
    """The state after this reload, once that has ended."""
    while (state := _state(folder, pid)).ended < number:
        if folder.holder() != pid:
            raise Error(f"process {pid} ended during the reload; its log says why")
        if time.monotonic() > until:
            raise Error(f"process {pid} has not said yet how the reload went; see its log")
        time.sleep(POLL)
    return state


def _state(folder: StateFolder, pid: int) -> ReloadState:
    status = read_status(folder.status_file)
    # Until the process has written its first, it is that of the run before; in a container that
    # may have had the same id.
    if status is None or status.pid != pid or status.ended:
        return ReloadState()
    return status.reload
