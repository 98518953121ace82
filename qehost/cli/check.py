"""`qehost check`: try everything out that a run needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.text import Text

from qehost.cli.columns import BENEATH, GAP, output, print_lines, row_lines
from qehost.cli.examination import Examination, examine
from qehost.cli.failure import failing_clearly
from qehost.cli.finding import Finding
from qehost.cli.machine_checks import machine_checks
from qehost.cli.settings_file import config_option
from qehost.cli.specs import specs_option
from qehost.cli.venue_checks import venue_checks
from qehost.config import missing_credentials
from qehost.printable import visible
from qehost.state import StateFolder

__all__ = ["command"]

SIGNS = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "bold red"),
    "skipped": ("–", "dim"),
}
# A sign and the longest usual subject; a longer one's text stands beneath it.
SUBJECT = 19


@click.command()
@config_option
@specs_option
@click.option("--state-dir", type=click.Path(file_okay=False), help="Where the journal is kept.")
@click.option("--ws-url", metavar="URL", help="Where the stream is.")
@click.option("--rest-url", metavar="URL", help="Where REST is.")
@click.option("--protocol", type=click.Choice(["v2", "v1"]), help="The stream's version.")
@click.option(
    "--listen-key-test",
    is_flag=True,
    help="Connect to the stream with a new listen key. This ends the user's key from before and "
    "the stream that uses it, wherever that runs.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@failing_clearly
def command(
    config_file: Path | None,
    specs: tuple[str, ...],
    listen_key_test: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Try out what a run needs: settings, plugins, state folder, disk, journal, REST, clock,
    credentials and stream.

    Nothing is changed by it: no journal is written, no hook is called, and no listen key is made
    (but see --listen-key-test). Ends with 0 if a run would work, and with 1 if not.
    """
    found = examine(config_file, specs, flags)
    findings = []
    for finding in _findings(config_file, found, listen_key_test):
        findings.append(finding)
        if not as_json:
            _print(finding)
    well = all(finding.state != "failed" for finding in findings)
    if as_json:
        shown = {"ok": well, "checks": findings}
        click.echo(msgspec.json.format(msgspec.json.encode(shown)))
    sys.exit(0 if well else 1)


def _findings(file: Path | None, found: Examination, make_key: bool) -> Iterator[Finding]:
    yield from machine_checks(file, found)
    settings = found.loaded.settings
    # Much can be tried without credentials.
    missing = missing_credentials(found.loaded)
    if any("accounts." in mistake for mistake in found.mistakes if mistake not in missing):
        yield Finding("venue", "skipped", "the accounts' settings are wrong: see above")
        return
    running = StateFolder(settings.state_dir).holder()
    for name, account in settings.accounts.items():
        yield from venue_checks(
            name, account, settings.connection, make_key=make_key, running=running
        )


def _print(finding: Finding) -> None:
    console = output()
    sign, style = SIGNS[finding.state]
    if not console.is_terminal:
        advice = f" → {finding.advice}" if finding.advice else ""
        click.echo(visible(f"{finding.state:<8} {finding.subject}: {finding.text}{advice}"))
        return
    subject = Text.assemble((sign, style), " ", (visible(finding.subject), "bold"))
    text = Text(visible(finding.text), style if finding.state in ("failed", "skipped") else "")
    print_lines(console, row_lines([subject, text], [SUBJECT], console.width))
    if finding.advice:
        # Many are commands: in one piece they can be copied.
        next_step = Text(visible(f"→ {finding.advice}"))
        start = SUBJECT + GAP
        if start + next_step.cell_len > console.width:
            start = BENEATH
        console.print(Text(" " * start).append_text(next_step))
