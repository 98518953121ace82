"""`qehost config`: print an annotated settings' file, check one, show the values in use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
from rich.text import Text

from qehost.cli.checks.settings import SettingsCheck, check_settings
from qehost.cli.columns import Column, lay_out_table, print_lines, stdout_console
from qehost.cli.elapsed import elapsed
from qehost.cli.failure import CONFIG_INVALID, handle_errors
from qehost.cli.help import Group
from qehost.cli.json_output import pretty_json
from qehost.cli.options import config_option, specs_option
from qehost.cli.units import format_count
from qehost.config.annotated import PluginSection, annotated
from qehost.config.catalogue import SECTIONS, settings_of
from qehost.config.secret_settings import masked
from qehost.config.settings import OF_PLUGINS, AccountSettings
from qehost.config.toml_text import toml_value
from qehost.errors import ConfigError, Error, PluginError
from qehost.host.discovery import Candidate, find
from qehost.host.isolated_import import run_isolated
from qehost.host.loading import config_class
from qehost.network.proxy import parse_proxy
from qehost.processes.escape import visible
from qehost.secret import DOTS

__all__ = ["command"]


@click.group(cls=Group)
def command() -> None:
    """Print an annotated settings' file, check one, show the values in use."""


# --- create ----------------------------------------------------------------------------------


@command.command(
    examples={
        "qehost config create -o qehost.toml": "a file to begin with",
    }
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it to this file, which only you can read. A file that exists is kept.",
)
@specs_option
@handle_errors
@elapsed()
def create(output: Path | None, specs: tuple[str, ...]) -> None:
    """Print an annotated settings' file, with every default.

    It has a section for each plugin that is installed or given with -p.
    """
    candidates = [each for each in find(specs) if each.wanted != "blocked"]
    sections = zip(candidates, run_isolated(_section, candidates), strict=True)
    text = annotated(
        [
            PluginSection(each.name, each.source, None, found.text, each.given)
            if isinstance(found, PluginError)
            else found
            for each, found in sections
        ]
    )
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        # Secrets may be written into it later.
        fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(fd, "w", encoding="utf-8") as file:
                file.write(text)
        except BaseException:
            output.unlink()  # Half of a file would prevent the next try.
            raise
    except FileExistsError:
        raise Error(f"{output} exists already and was left as it is") from None
    except OSError as error:
        raise Error(f"{output} can't be written: {error.strerror}") from None
    click.echo(f"{output} written; `qehost config check -c {output}` finds mistakes", err=True)


def _section(candidate: Candidate) -> PluginSection:
    """In the process that imports the plugin."""
    section = PluginSection(candidate.name, candidate.source, None, module=candidate.given)
    if candidate.wanted == "clash":
        return section._replace(problem=candidate.why)
    try:
        config = config_class(candidate)
        settings = None if config is None else tuple(settings_of(config))
        return section._replace(config=settings)
    except PluginError as error:
        return section._replace(problem=error.text)


# --- check -----------------------------------------------------------------------------------


@command.command(
    examples={
        "qehost config check -c qehost.toml": "every mistake, with its line",
    }
)
@config_option
@specs_option
@handle_errors
@elapsed()
def check(config_file: Path | None, specs: tuple[str, ...]) -> None:
    """Find every mistake in the settings, those of the plugins included, and end with 4 if there
    are any.
    """
    found = check_settings(config_file, specs)
    _print_warnings(found)
    if found.mistakes:
        raise ConfigError(found.mistakes)
    accounts = format_count(len(found.loaded.settings.accounts), "account")
    plugins = format_count(len(found.configs), "plugin")
    where = config_file.absolute() if config_file else "no file, the environment and the defaults"
    click.echo(f"OK: {where} ({accounts}, {plugins})")


def _print_warnings(found: SettingsCheck) -> None:
    for warning in found.loaded.warnings:
        click.echo(f"warning: {visible(warning)}", err=True)
    for name, why in found.unknown.items():
        text = visible(f"the settings of plugin {name} were not checked: {why}")
        click.echo(f"warning: {text}", err=True)


# --- show ------------------------------------------------------------------------------------


COLUMNS = (Column("Setting", usual=30), Column("Value", usual=16), Column("From"))


class ShownSetting(NamedTuple):
    setting: str
    value: Any
    """As TOML has it; secrets are dots."""
    source: str


@command.command(
    examples={
        "qehost config show": "what holds, and where it comes from",
    }
)
@config_option
@specs_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@handle_errors
@elapsed()
def show(config_file: Path | None, specs: tuple[str, ...], as_json: bool) -> None:
    """Print the values in use, and where each comes from. Secrets are dots.

    With mistakes, which are printed, too, the exit code is 4; wrong settings have their defaults.
    """
    found = check_settings(config_file, specs)
    rows = list(_rows(found))
    if as_json:
        shown = {
            "file": str(config_file.absolute()) if config_file else None,
            "settings": [
                {"setting": row.setting, "value": row.value, "from": row.source} for row in rows
            ],
            "mistakes": found.mistakes,
        }
        click.echo(pretty_json(shown))
        sys.exit(CONFIG_INVALID if found.mistakes else 0)
    _print(rows)
    _print_warnings(found)
    if found.mistakes:
        raise ConfigError(found.mistakes)


def _rows(found: SettingsCheck) -> Iterator[ShownSetting]:
    settings, places, _ = found.loaded

    def row(path: str, value: Any) -> ShownSetting:
        return ShownSetting(path, value, places.get(path, "default"))

    yield row("state_dir", settings.state_dir)
    for name, account in settings.accounts.items():
        for field, value in _account(account).items():
            yield row(f"accounts.{name}.{field}", value)
    for section in SECTIONS:
        for field, value in msgspec.structs.asdict(getattr(settings, section)).items():
            yield row(f"{section}.{field}", value)
    for candidate in found.candidates:
        # The name of the section may be written in another way than that of the plugin.
        path = f"plugins.{candidate.settings.section or candidate.name}"
        for field in OF_PLUGINS:
            yield row(f"{path}.{field}", getattr(candidate.settings, field))
        for field, value in found.configs.get(candidate.name, {}).items():
            yield _own_row(row(f"{path}.{field}", masked(field, value)), places)


def _account(account: AccountSettings) -> dict[str, Any]:
    fields = {name: masked(name, v) for name, v in msgspec.structs.asdict(account).items()}
    return {**fields, "proxy": _proxy(account.proxy.reveal())}


def _proxy(url: str) -> str:
    """A proxy's URL with dots for user and password."""
    if url in ("", "none"):
        return url
    try:
        proxy = parse_proxy(url)
    except ValueError:
        return DOTS
    return f"{proxy.scheme}://{f'{DOTS}@' if proxy.username or proxy.password else ''}{proxy}"


def _own_row(row: ShownSetting, places: dict[str, str]) -> ShownSetting:
    """A table in the plugin's settings has no place of its own, but its settings have."""
    inside = [place for path, place in places.items() if path.startswith(f"{row.setting}.")]
    return row._replace(source=inside[0]) if inside and row.source == "default" else row


def _print(rows: Sequence[ShownSetting]) -> None:
    console = stdout_console()
    cells: list[list[str | Text]] = []
    for row in rows:
        style = "dim" if row.source == "default" else "bold"
        value = "" if row.value is None else toml_value(row.value)
        cells.append([row.setting, Text(value, style=style), Text(row.source, style=style)])
    print_lines(console, lay_out_table(COLUMNS, cells, console.width).lines)
