"""The `qehost` command.  Each subcommand is a module here, imported when it is called."""

from __future__ import annotations

import io
import os
import signal
import sys
from importlib import import_module
from typing import Any

if sys.argv[1:2] == ["run"]:
    # From the first line on: a terminal that is closed would end it, until the signals are caught.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

import click

from qehost.cli.help import Group
from qehost.cli.plugin_commands import load_command, plugin_commands

__all__ = ["main"]

# Subject → name → one line of help.  The module has the name of the command, with `_` for `-`.  For
# `qehost --help` none is imported: plugins, HTTP and SQLite would make it slow.
SUBJECTS = {
    "Receive": {
        "run": "Hand every message of the stream to the plugins.",
        "reload": "Take new plugins and settings; the stream stays open.",
    },
    "Look": {
        "status": "What runs, how far it has come, what is wrong.",
        "tail": "Events as they come.",
        "journal": "What was received: list, export, prune; dead letters.",
    },
    "Prepare": {
        "config": "A file of settings: print, check, show.",
        "check": "Try what a run needs, up to the venue.",
        "plugins": "What is installed, and whether it can be loaded.",
        "listen-key": "Make a listen key and print it.",
    },
    "Write plugins": {
        "new-plugin": "Make a package, ready to install and run.",
        "simulate": "Run a local venue by itself.",
        "replay": "Deliver events again to chosen plugins.",
    },
}
COMMANDS = {name: text for commands in SUBJECTS.values() for name, text in commands.items()}


class LazyGroup(Group):
    """A group that knows its commands' names and help without importing them."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        _open_standard_streams()
        return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *plugin_commands(COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            found = plugin_commands(COMMANDS).get(cmd_name)
            return None if found is None else load_command(found)
        if cmd_name == "run":
            # From now on, and not when everything is imported: to end must end it in an orderly
            # way, and closing the terminal not at all.
            from qehost.supervisor.signals import Signals

            ctx.obj = signals = Signals()
            ctx.with_resource(signals.caught())
        module = import_module(f"qehost.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for subject, commands in SUBJECTS.items():
            with formatter.section(subject):
                formatter.write_dl(list(commands.items()))
        if added := plugin_commands(COMMANDS):
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, each[0].help) for name, each in added.items()])


def _open_standard_streams() -> None:
    """Where the program was started with them closed, the first files that it opens would be taken
    for its input and its output."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            # Those that are started here have it, too.
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 — until the end


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    examples={
        "qehost run --simulate": "orders of a local venue; no account needed",
        "qehost check": "what a run would need, and whether it is there",
        "qehost run": "the real thing",
    },
)
@click.version_option(package_name="qehost", message="qehost %(version)s")
def main(**_: Any) -> None:
    """Every message of Quantum Execute's push stream reaches every plugin."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and out.errors == "strict":
        # GBK has no ✓ and ASCII no µ; `status` must not fail for that.
        out.reconfigure(errors="replace")
