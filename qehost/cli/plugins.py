"""`qehost plugins`: every plugin that is found, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.text import Text

from qehost import config
from qehost.cli.columns import Column, laid_out, output, print_lines
from qehost.cli.failure import failing_clearly
from qehost.cli.settings_file import config_option
from qehost.cli.specs import specs_option
from qehost.host.finding import find
from qehost.host.loading import Report
from qehost.host.trial import reports
from qehost.printable import visible

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
  -p MODULE                    adds a module, also from the current folder
"""


@click.command()
@config_option
@specs_option
@click.option("--json", "as_json", is_flag=True, help="One JSON array, an object for each plugin.")
@failing_clearly
def command(config_file: Path | None, specs: tuple[str, ...], as_json: bool) -> None:
    """List the plugins that are installed or given with -p, and what became of them.

    They are imported and configured as for a run, and not started.  A plugin that can't be used is
    listed with the reason, and is no failure of this command.
    """
    settings = config.load(config_file, matters=config.all_but_accounts).settings
    candidates = find(specs, settings.plugins)
    found = reports(candidates)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    elif found:
        _print(found)
    else:
        click.echo(NONE_FOUND, nl=False)


def _print(reports: Sequence[Report]) -> None:
    console = output()
    rows = [
        [
            Text(visible(report.name), style="bold"),
            Text(
                visible(f"{report.distribution} {report.version}".strip() or f"-p {report.module}")
            ),
            Text(report.state, style=STYLES[report.state]),
            Text(
                visible(
                    "; ".join([report.why or ", ".join(report.hooks) or "none", *report.warnings])
                )
            ),
        ]
        for report in reports
    ]
    print_lines(console, laid_out(COLUMNS, rows, console.width).lines)
