"""`qehost reload`: new versions and new settings of the plugins, while the stream stays open."""

from __future__ import annotations

import os
import signal
import time

import click

from qehost.cli.elapsed import elapsed
from qehost.cli.failure import handle_errors
from qehost.cli.help import Command
from qehost.cli.options import state_folder_options
from qehost.cli.units import FiniteRange
from qehost.errors import Error
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import ReloadState, read_status

__all__ = ["command"]

FAILED = 1
POLL = 0.05


@click.command(
    cls=Command,
    examples={
        "qehost config check && qehost reload": "after pip or an editor has changed a plugin",
    },
)
@state_folder_options
@click.option(
    "--timeout",
    type=FiniteRange(min=0, min_open=True),
    default=150.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the result.",
)
@handle_errors
@elapsed()
def command(folder: StateFolder, timeout: float) -> None:
    """Have a running qehost take new versions and new settings of its plugins.

    It reads the settings again, loads the plugins in new processes, and lets those take over from
    the old ones: the stream stays open, and no event is lost. If the new ones can't be loaded, the
    old ones go on.

    Ends with 0 when it is done, with 1 if it failed and with 3 if no qehost runs there. Sending
    SIGHUP to qehost does the same; the result is in its log.
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
        if not folder.is_held_by(pid):
            raise Error(
                f"the qehost that runs with {folder.path} runs in another container: there it is "
                f"process {pid}, which here is another one or none. Run this command there, or "
                "send SIGHUP to it there"
            )
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        raise Error(f"process {pid} has just ended") from None
    except PermissionError:
        raise Error(f"process {pid} belongs to another user") from None
    state = _wait_for_end(folder, pid, number, time.monotonic() + timeout)
    if not state.ok:
        click.echo(f"qehost: the reload failed: {state.text}", err=True)
        raise SystemExit(FAILED)
    click.echo("reloaded")
    if state.text:
        click.echo(state.text, err=True)


def _wait_for_end(folder: StateFolder, pid: int, number: int, until: float) -> ReloadState:
    """Wait for the end of this reload; the state after it."""
    while (state := _state(folder, pid)).ended < number:
        if folder.holder() != pid:
            raise Error(f"process {pid} ended during the reload; its log says why")
        if time.monotonic() > until:
            raise Error(f"process {pid} has not reported yet how the reload went; see its log")
        time.sleep(POLL)
    return state


def _state(folder: StateFolder, pid: int) -> ReloadState:
    status = read_status(folder.status_file)
    # Until the process has written its first status, the file is that of the run before, which in
    # a container may have had the same process id.
    if status is None or status.pid != pid or status.ended:
        return ReloadState()
    return status.reload
