"""The `qehost` command.  Each subcommand is a module here, imported when it is called."""

from __future__ import annotations

import io
import signal
import sys
from importlib import import_module
from typing import Any

import click

__all__ = ["main"]

# Name → one line of help.  The module is named after the command, with `_` for `-`.  They are not
# imported for `qehost --help`: plugins, HTTP and SQLite would make it slow.
COMMANDS = {
    "run": "Receive the stream and hand every message to the plugins.",
    "reload": "Take new versions and settings of the plugins; the stream stays up.",
    "status": "See what runs, how far it has come, and what it is at.",
    "tail": "Show events as they come.",
    "replay": "Deliver events again to chosen plugins, from the journal or a file.",
    "journal": "See, export and prune what was received; dead letters.",
    "config": "The settings' file: print one, check it, show what holds.",
    "check": "Try out what a run needs, from the settings to the venue.",
    "plugins": "List the plugins that are installed, and what became of them.",
    "simulate": "Run a local venue: stream and REST, with a living market.",
    "listen-key": "Make a listen key and print it.",
    "new-plugin": "Make a package for a new plugin, ready to install and run.",
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name == "run":
            # A terminal that is closed must not end it, not even while it is imported.
            signal.signal(signal.SIGHUP, lambda *_: None)
        module = import_module(f"qehost.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="qehost", message="qehost %(version)s")
def main(**_: Any) -> None:
    """Every message of Quantum Execute's push stream reaches every plugin."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and out.errors == "strict":
        # GBK has no ✓ and ASCII no µ: that must not be the end of `status`.
        out.reconfigure(errors="replace")
