"""`-c`, for every command that reads the settings."""

from __future__ import annotations

from pathlib import Path

import click

from qehost.config.sources import default_file

__all__ = ["config_option", "file_in_words"]


def _found(_: click.Context, __: click.Parameter, file: Path | None) -> Path | None:
    return file or default_file()


config_option = click.option(
    "-c",
    "--config",
    "config_file",
    envvar="QEHOST_CONFIG",
    show_envvar=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_found,
    help="The settings' file (TOML). Without it: qehost.toml in the current folder, else in the "
    "user's folder for configurations, else none.",
)


def file_in_words(file: Path | None) -> str:
    """For the log: which file the settings come from."""
    return (
        f"settings from {file.absolute()}" if file else "no settings' file: defaults, environment"
    )
