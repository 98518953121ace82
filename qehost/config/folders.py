"""Where the settings' file and the state are, if nothing says so."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

__all__ = ["FILE_NAME", "SYSTEM_FOLDER", "default_file", "default_state_dir"]

FILE_NAME = "qehost.toml"
SYSTEM_FOLDER = Path("/etc/qehost")
"""The service's: whoever operates it from a shell has the same settings."""


def default_file() -> Path | None:
    """`qehost.toml` in the current folder, else in the user's folder for configurations, else in
    `/etc/qehost`, else none."""
    # Not Path.is_file: it raises for a folder that this user may not look into, such as the home
    # folder of a service.
    return next((path for path in _files() if os.path.isfile(path)), None)


def _files() -> Iterator[Path]:
    yield Path(FILE_NAME)
    if users := _users(platformdirs.user_config_path):
        yield users / FILE_NAME
    yield SYSTEM_FOLDER / FILE_NAME


def default_state_dir() -> str:
    """The user's folder for state; `""` for a user who has no home folder, as in a container that
    runs with an id that its system does not know."""
    return str(_users(platformdirs.user_state_path) or "")


def _users(path_of: Callable[..., Path]) -> Path | None:
    try:
        path = path_of("qehost", appauthor=False)
    except RuntimeError:
        return None
    # Before platformdirs 4.4 the `~` stays as it is where there is no home folder.
    return path if path.is_absolute() else None
