"""`qehost check`: try everything that a run needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from qehost.cli.checks import CheckResult
from qehost.cli.checks.machine import machine_checks
from qehost.cli.checks.settings import SettingsCheck, check_settings
from qehost.cli.checks.venue import venue_checks
from qehost.cli.columns import GAP, INDENT, print_lines, row_lines, stdout_console
from qehost.cli.elapsed import elapsed
from qehost.cli.failure import handle_errors
from qehost.cli.help import Command
from qehost.cli.json_output import pretty_json
from qehost.cli.options import (
    config_option,
    insecure_option,
    protocol_option,
    rest_url_option,
    specs_option,
    state_dir_option,
    ws_url_option,
)
from qehost.config import missing_credentials
from qehost.processes.escape import visible
from qehost.storage.state_folder import StateFolder

__all__ = ["command"]

SIGNS = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "bold red"),
    "skipped": ("–", "dim"),
}
# Columns for a sign and the longest usual subject; the text of a longer one is put below it.
SUBJECT_WIDTH = 19


@click.command(
    cls=Command,
    examples={
        "qehost check": "before the first run, and when something is odd",
        "qehost check --json": "for programs",
    },
)
@config_option
@specs_option
@state_dir_option
@ws_url_option
@rest_url_option
@insecure_option
@protocol_option
@click.option(
    "--listen-key-test",
    is_flag=True,
    help="Connect to the stream with a new listen key. This ends the user's key from before and "
    "the stream that uses it, wherever that runs.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@handle_errors
@elapsed()
def command(
    config_file: Path | None,
    specs: tuple[str, ...],
    listen_key_test: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Try what a run needs: settings, plugins, state folder, disk, journal, REST, clock,
    credentials and stream.

    It changes nothing: no journal is written, no hook is called, and no listen key is made (but see
    --listen-key-test). Ends with 0 if a run would work, and with 1 if not.
    """
    settings = check_settings(config_file, specs, flags)
    results = []
    for result in _results(config_file, settings, listen_key_test):
        results.append(result)
        if not as_json:
            _print(result)
    ok = all(result.state != "failed" for result in results)
    if as_json:
        click.echo(pretty_json({"ok": ok, "checks": results}))
    sys.exit(0 if ok else 1)


def _results(file: Path | None, found: SettingsCheck, make_key: bool) -> Iterator[CheckResult]:
    yield from machine_checks(file, found)
    settings = found.loaded.settings
    # Most can be tried without credentials.
    missing = missing_credentials(found.loaded)
    if any("accounts." in mistake for mistake in found.mistakes if mistake not in missing):
        yield CheckResult("venue", "skipped", "the accounts' settings are wrong: see above")
        return
    running = StateFolder(settings.state_dir).holder()
    for name, account in settings.accounts.items():
        yield from venue_checks(
            name, account, settings.connection, make_key=make_key, running=running
        )


def _print(result: CheckResult) -> None:
    console = stdout_console()
    sign, style = SIGNS[result.state]
    if not console.is_terminal:
        advice = f" → {result.advice}" if result.advice else ""
        click.echo(visible(f"{result.state:<8} {result.subject}: {result.text}{advice}"))
        return
    subject = Text.assemble((sign, style), " ", (visible(result.subject), "bold"))
    text = Text(visible(result.text), style if result.state in ("failed", "skipped") else "")
    print_lines(console, row_lines([subject, text], [SUBJECT_WIDTH], console.width))
    if result.advice:
        # Many are commands, which are copied in one piece.
        next_step = Text(visible(f"→ {result.advice}"))
        start = SUBJECT_WIDTH + GAP
        if start + next_step.cell_len > console.width:
            start = INDENT
        console.print(Text(" " * start).append_text(next_step))
