"""`qehost plugins`: every plugin that is found, and whether it can be loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from qehost import config
from qehost.cli.columns import Column, lay_out_table, print_lines, stdout_console
from qehost.cli.elapsed import elapsed
from qehost.cli.failure import handle_errors
from qehost.cli.help import Command
from qehost.cli.json_output import pretty_json
from qehost.cli.options import config_option, specs_option
from qehost.host.discovery import find
from qehost.host.isolated_import import isolated_reports
from qehost.host.loading import PluginReport
from qehost.processes.escape import visible

__all__ = ["command"]

STYLES = {"loaded": "green", "blocked": "yellow", "disabled": "yellow", "failed": "bold red"}

COLUMNS = (
    Column("Plugin", usual=16),
    Column("From", usual=24),
    Column("State"),
    Column("Hooks"),
)

NONE_FOUND = """\
No plugin is installed.

  pip install qehost-console   shows every message on the terminal
  -p FILE.py                   adds the plugin in a file
"""


@click.command(
    cls=Command,
    examples={
        "qehost plugins": "what is installed",
        "qehost plugins -p my_alerts.py": "with a file of yours",
    },
)
@config_option
@specs_option
@click.option("--json", "as_json", is_flag=True, help="One JSON array, an object for each plugin.")
@handle_errors
@elapsed()
def command(config_file: Path | None, specs: tuple[str, ...], as_json: bool) -> None:
    """List the plugins that are installed or given with -p, and whether they can be loaded.

    They are imported and configured as for a run, but not started.  A plugin that can't be used is
    listed with the reason, and the exit code is 0 all the same.
    """
    settings = config.load(config_file, matters=_matters).settings
    candidates = find(specs, settings.plugins)
    found = isolated_reports(candidates, keep_secrets=settings.host.keep_secrets)
    if as_json:
        click.echo(pretty_json(found))
    elif found:
        _print(found)
    else:
        click.echo(NONE_FOUND, nl=False)


def _matters(path: str) -> bool:
    """Whether a mistake in this setting may change what is shown."""
    return path != "state_dir" and config.all_but_accounts(path)


def _print(reports: Sequence[PluginReport]) -> None:
    console = stdout_console()
    rows = [
        [
            Text(visible(report.name), style="bold"),
            Text(visible(report.source)),
            Text(report.state, style=STYLES[report.state]),
            Text(
                visible(
                    "; ".join([report.why or ", ".join(report.hooks) or "none", *report.warnings])
                )
            ),
        ]
        for report in reports
    ]
    print_lines(console, lay_out_table(COLUMNS, rows, console.width).lines)
