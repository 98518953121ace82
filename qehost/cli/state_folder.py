"""The options with which a command finds the state folder."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from qehost import config
from qehost.cli.failure import failing_clearly
from qehost.cli.settings_file import config_option
from qehost.names import suggestion
from qehost.state import StateFolder

__all__ = ["where"]


def where(function: Callable[..., None]) -> Callable[..., None]:
    """The options that say which state folder; the command gets a `StateFolder`."""

    @config_option
    @click.option(
        "--state-dir", type=click.Path(file_okay=False, path_type=Path), help="The state folder."
    )
    @failing_clearly
    @functools.wraps(function)
    def wrapped(config_file: Path | None, state_dir: Path | None, **options: Any) -> None:
        flags = {"state_dir": None if state_dir is None else str(state_dir)}
        # With a folder given, the settings' mistakes are nobody's business here.
        matters = _leads_astray if state_dir is None else _is_the_folder
        path = config.load(config_file, flags, matters=matters).settings.state_dir
        function(StateFolder(path), **options)

    return wrapped


def _is_the_folder(path: str) -> bool:
    return path == "state_dir"


def _leads_astray(path: str) -> bool:
    """Whether another folder would be looked into, for a mistake in this setting.

    Besides `state_dir`: the file can't be read, the line stands below a section, its name is
    mistyped.  Nothing else matters: who looks whether qehost runs may lack what runs it.
    """
    name = path.rpartition(".")[2]
    return name in ("", "state_dir") or (name == path and bool(suggestion(name, ["state_dir"])))
