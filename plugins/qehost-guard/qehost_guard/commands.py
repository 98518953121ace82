"""`qehost guard disarm`, `arm`, `rearm` and `show`."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing
from pathlib import Path

import click
import qehost
from qehost.errors import Error

from qehost_guard.intents import Intent, Intents
from qehost_guard.switch import Switch

__all__ = ["command"]

PATIENCE = 0.5
"""Seconds that `disarm` waits for a call: with the start of the program less than one."""
DYING = 30.0
"""Seconds that a killed process may take to end, on a machine that works hard."""


@click.group()
def command() -> None:
    """The kill switch of the guard, and what it did."""


@command.command()
@click.option("--kill", is_flag=True, help="End the process whose call does not return.")
@qehost.plugin_folder("guard")
def disarm(folder: Path, kill: bool) -> None:
    """Forbid all actions, now and after a restart.

    Ends with 0 when no call is in flight and none can begin. Otherwise it names the one that is,
    and ends with 1. Of the settings it needs the state folder alone.
    """
    switch = Switch(folder)
    if not switch.is_known:
        _must_exist(folder)
    try:
        switch.disarm()
    except OSError as error:
        raise Error(
            f"NOT disarmed: {folder}: {error.strerror or error}. End qehost itself: "
            "the guard's process alone would be started again"
        ) from error
    try:
        if switch.wait(PATIENCE):
            click.echo(f"disarmed: no call is in flight, and none can begin ({folder})")
            return
        pid, number = switch.in_flight()
        click.echo(f"disarmed: no further call can begin, but process {pid} is in one:", err=True)
        click.echo(_call(folder, number), err=True)
        if not kill:
            click.echo("Wait and ask again, or end that process by --kill.", err=True)
            sys.exit(1)
        if not switch.wait(0.0):
            if not switch.is_held_by(pid):
                raise Error(f"process {pid} is none of the guard's here: end it where that runs")
            os.kill(pid, signal.SIGKILL)
        if not switch.wait(DYING):
            raise Error(f"process {pid} was killed, and the lock is still held by another one")
        click.echo(f"process {pid} was ended: no call is in flight, and none can begin")
        click.echo("What the venue made of that call is asked when the guard starts again.")
    except OSError as error:
        raise Error(f"{folder}: {error.strerror or error}") from error


@command.command()
@qehost.plugin_folder("guard")
def arm(folder: Path) -> None:
    """Take `disarm` back. Rules act again if the settings say armed = true."""
    switch = Switch(folder)
    if not switch.is_known:
        _must_exist(folder)
    was_disarmed = switch.arm()
    click.echo("it may act again" if was_disarmed else "it was not disarmed")


@command.command()
@click.argument("rule")
@qehost.plugin_folder("guard")
def rearm(folder: Path, rule: str) -> None:
    """Let RULE act anew, also on orders on which it has acted."""
    _must_exist(folder)
    with closing(Intents(folder / "guard.db")) as intents:
        names = sorted({each.rule for each in intents.all()})
        if rule not in names:
            raise Error(f"rule {rule} has acted on nothing; rules that have: {', '.join(names)}")
        count = intents.rearm(rule)
    click.echo(f"rule {rule} may act anew; it had acted on {count} master orders")


@command.command()
@qehost.plugin_folder("guard")
def show(folder: Path) -> None:
    """What the guard did, or in a dry run would have done."""
    _must_exist(folder)
    with closing(Intents(folder / "guard.db", only_read=True)) as intents:
        found = intents.all()
    for each in found:
        click.echo(_line(each))
    if not found:
        click.echo("nothing: no rule has held")


def _must_exist(folder: Path) -> None:
    if not (folder / "guard.db").exists():
        # Not "disarmed": the guard that is meant may run elsewhere.
        raise Error(f"no guard has run in {folder}: name its settings (-c) or its --state-dir")


def _call(folder: Path, number: int) -> str:
    """The intent of a call, as far as it can be read beside a process that may have stopped."""
    try:
        with closing(Intents(folder / "guard.db", only_read=True)) as intents:
            return _line(intents.get(number))
    except Exception:  # noqa: BLE001  # a damaged table must not hide what is known
        return f"intent {number}"


def _line(intent: Intent) -> str:
    how = f" ({intent.how})" if intent.how else ""
    line = (
        f"{intent.id} {intent.account} {intent.master_order_id} {intent.rule}: {intent.action}: "
        f"{intent.state}{how}: {intent.text or intent.reason}"
    )
    # Others' words must not move the cursor.
    return "".join(each if each.isprintable() else "?" for each in line)
