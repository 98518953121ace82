"""`qehost run --debug-plugin NAME`: the plugin in a process of its own, which has the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import click
from msgspec.structs import replace

from qehost.config.settings import PluginSettings, Settings
from qehost.config.suggest import canonical, suggestion
from qehost.errors import Error, UnknownPlugin
from qehost.host.discovery import find
from qehost.processes.control import HostTask
from qehost.storage.private_files import open_file, private_folder, trouble

__all__ = ["apart", "log_aside", "patient"]

PROCESS = "debugged"
LOG = "debug.log"
NEVER = 1e9
"""Seconds."""


def apart(settings: Settings, specs: Sequence[str], plugin: str) -> Settings:
    """The settings with the plugin in a process of its own, so that its prompt holds up no other.

    Raises `UnknownPlugin` where it would not run.
    """
    wanted = [each for each in find(specs, settings.plugins) if each.wanted == "yes"]
    found = next((each for each in wanted if each.is_meant_by(plugin)), None)
    if found is None:
        hint = suggestion(plugin, [each.name for each in wanted])
        raise UnknownPlugin(plugin, f"--debug-plugin: no plugin of this name runs{hint}")
    form = canonical(found.name)
    name = next((each for each in settings.plugins if canonical(each) == form), found.name)
    section = replace(settings.plugins.get(name, PluginSettings()), process=PROCESS)
    return replace(settings, plugins={**settings.plugins, name: section})


def patient(tasks: Sequence[HostTask]) -> list[HostTask]:
    """The tasks; in the debugged process no call counts as slow, and none as hanging."""
    return [
        replace(task, debug=True, host=replace(task.host, slow_call=NEVER, hang_timeout=0.0))
        if task.name == PROCESS
        else task
        for task in tasks
    ]


@contextmanager
def log_aside(plugin: str, folder: Path) -> Iterator[None]:
    """While the block runs, what goes to the terminal goes to a file in the state folder: log lines
    and other plugins' output would run into the debugger's.

    Raises `Error` where there is no terminal.
    """
    try:
        os.close(os.open(os.ctermid(), os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise Error(
            "--debug-plugin needs a terminal; without one, `qehost replay --pdb` debugs a plugin "
            "with what is in the journal"
        ) from None
    private_folder(folder)
    file = folder / LOG
    try:
        log = open_file(file)
    except OSError as error:
        raise trouble(file, error) from error
    os.lseek(log, 0, os.SEEK_END)
    shown = [number for number in (1, 2) if os.isatty(number)]
    click.echo(
        f"plugin {plugin} has this terminal: breakpoint() in it opens the debugger, and so does "
        f"Ctrl-C; q ends the run." + (f" The log goes to {file}" if shown else ""),
        err=True,
    )
    kept = {number: os.dup(number) for number in shown}
    for number in shown:
        os.dup2(log, number)
    os.close(log)
    try:
        yield
    finally:
        for name in ("stdout", "stderr"):
            with suppress(OSError):
                getattr(sys, name).flush()
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
