"""`qehost config`: an annotated file, its mistakes, and what holds in the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
from rich.text import Text

from qehost.cli.columns import Column, laid_out, output, print_lines
from qehost.cli.examination import Examination, examine
from qehost.cli.failure import CONFIG_INVALID, failing_clearly
from qehost.cli.finding import counted
from qehost.cli.settings_file import config_option
from qehost.cli.specs import specs_option
from qehost.config.annotated import PluginSection, annotated
from qehost.config.catalogue import SECTIONS, listed
from qehost.config.toml_text import toml_value
from qehost.errors import ConfigError, Error, PluginError
from qehost.host.finding import Candidate, find
from qehost.host.loading import config_class
from qehost.host.trial import tried
from qehost.network.proxy import parse_proxy
from qehost.secret import DOTS, masked
from qehost.settings import AccountSettings

__all__ = ["command"]


@click.group()
def command() -> None:
    """The settings' file: print one, check it, show what holds."""


# --- create ----------------------------------------------------------------------------------


@command.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it there, readable by you alone. A file that exists is left alone.",
)
@specs_option
@failing_clearly
def create(output: Path | None, specs: tuple[str, ...]) -> None:
    """Print an annotated settings' file, with every default.

    It has a section for each plugin that is installed or given with -p.
    """
    candidates = [each for each in find(specs) if each.wanted != "blocked"]
    sections = zip(candidates, tried(_section, candidates), strict=True)
    text = annotated(
        [
            PluginSection(each.name, each.source, None, found.text)
            if isinstance(found, PluginError)
            else found
            for each, found in sections
        ]
    )
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        # What people write into it later may be secret.
        fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(fd, "w", encoding="utf-8") as file:
                file.write(text)
        except BaseException:
            output.unlink()  # Half of it would be in the way of the next try.
            raise
    except FileExistsError:
        raise Error(f"{output} exists already and was left as it is") from None
    except OSError as error:
        raise Error(f"{output} can't be written: {error.strerror}") from None
    click.echo(f"{output} written; `qehost config check -c {output}` finds mistakes", err=True)


def _section(candidate: Candidate) -> PluginSection:
    """In the process in which it is imported."""
    if candidate.wanted == "clash":
        return PluginSection(candidate.name, candidate.source, None, candidate.why)
    try:
        config = config_class(candidate)
        settings = None if config is None else tuple(listed(config))
        return PluginSection(candidate.name, candidate.source, settings)
    except PluginError as error:
        return PluginSection(candidate.name, candidate.source, None, error.text)


# --- check -----------------------------------------------------------------------------------


@command.command()
@config_option
@specs_option
@failing_clearly
def check(config_file: Path | None, specs: tuple[str, ...]) -> None:
    """Find every mistake in the settings, those of the plugins included, and end with 4 if there
    are any.
    """
    found = examine(config_file, specs)
    _tell(found)
    if found.mistakes:
        raise ConfigError(found.mistakes)
    accounts, plugins = len(found.loaded.settings.accounts), len(found.configs)
    where = config_file.absolute() if config_file else "no file, the environment and the defaults"
    click.echo(f"OK: {where} ({counted(accounts, 'account')}, {counted(plugins, 'plugin')})")


def _tell(found: Examination) -> None:
    """What is no mistake."""
    for warning in found.loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    for name, why in found.unknown.items():
        click.echo(f"warning: the settings of plugin {name} were not checked: {why}", err=True)


# --- show ------------------------------------------------------------------------------------


COLUMNS = (Column("Setting", usual=30), Column("Value", usual=16), Column("From"))


class Row(NamedTuple):
    setting: str
    value: Any
    """As TOML has it, secrets as dots."""
    source: str


@command.command()
@config_option
@specs_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@failing_clearly
def show(config_file: Path | None, specs: tuple[str, ...], as_json: bool) -> None:
    """Print each value that holds, with where it came from. Secrets are dots.

    Mistakes are told, too, and then the exit code is 4; what is wrong is shown with its default.
    """
    found = examine(config_file, specs)
    rows = list(_rows(found))
    if as_json:
        shown = {
            "file": str(config_file.absolute()) if config_file else None,
            "settings": [
                {"setting": row.setting, "value": row.value, "from": row.source} for row in rows
            ],
            "mistakes": found.mistakes,
        }
        click.echo(msgspec.json.format(msgspec.json.encode(shown)))
        sys.exit(CONFIG_INVALID if found.mistakes else 0)
    _print(rows)
    _tell(found)
    if found.mistakes:
        raise ConfigError(found.mistakes)


def _rows(found: Examination) -> Iterator[Row]:
    settings, places, _ = found.loaded

    def row(path: str, value: Any) -> Row:
        return Row(path, value, places.get(path, "default"))

    yield row("state_dir", settings.state_dir)
    for name, account in settings.accounts.items():
        for field, value in _account(account).items():
            yield row(f"accounts.{name}.{field}", value)
    for section in SECTIONS:
        for field, value in msgspec.structs.asdict(getattr(settings, section)).items():
            yield row(f"{section}.{field}", value)
    for candidate in found.candidates:
        # The section may be written in another way than the plugin's name.
        path = f"plugins.{candidate.settings.section or candidate.name}"
        for field in ("enabled", "process", "order"):
            yield row(f"{path}.{field}", getattr(candidate.settings, field))
        for field, value in found.configs.get(candidate.name, {}).items():
            yield _own_row(row(f"{path}.{field}", masked(field, value)), places)


def _account(account: AccountSettings) -> dict[str, Any]:
    fields = {name: masked(name, v) for name, v in msgspec.structs.asdict(account).items()}
    return {**fields, "proxy": _proxy(account.proxy.reveal())}


def _proxy(url: str) -> str:
    """A proxy's URL, of which only user and password are secret."""
    if url in ("", "none"):
        return url
    try:
        proxy = parse_proxy(url)
    except ValueError:
        return DOTS
    return f"{proxy.scheme}://{f'{DOTS}@' if proxy.username or proxy.password else ''}{proxy}"


def _own_row(row: Row, places: dict[str, str]) -> Row:
    """A table of the plugin's has no place of its own, but what is in it has."""
    inside = [place for path, place in places.items() if path.startswith(f"{row.setting}.")]
    return row._replace(source=inside[0]) if inside and row.source == "default" else row


def _print(rows: Sequence[Row]) -> None:
    console = output()
    cells: list[list[str | Text]] = []
    for row in rows:
        style = "dim" if row.source == "default" else "bold"
        value = "" if row.value is None else toml_value(row.value)
        cells.append([row.setting, Text(value, style=style), Text(row.source, style=style)])
    print_lines(console, laid_out(COLUMNS, cells, console.width).lines)
