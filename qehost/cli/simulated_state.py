"""Where `qehost run --simulate` has its state, so that commands beside it find it.

Its folder is temporary.  While it runs, a file beside the user's own state folder names it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from qehost.config.folders import default_state_dir
from qehost.config.loading import LoadedSettings
from qehost.errors import JournalError
from qehost.storage.folder_lock import FolderLock
from qehost.storage.state_folder import StateFolder

__all__ = ["announced", "used_folder"]


def _note() -> Path | None:
    """The file that names the folder; None for a user without a home folder."""
    default = default_state_dir()
    return Path(f"{default}-simulated") if default else None


@contextmanager
def announced(folder: str) -> Iterator[None]:
    """While it lasts, `folder` is where the simulated run has its state; the last one counts."""
    note = _note()
    if note is not None:
        # Where it can't be written, --state-dir does the same.
        with suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            note.write_text(f"{folder}\n", encoding="utf-8")
    try:
        yield
    finally:
        if note is not None and _named(note) == Path(folder):
            with suppress(OSError):
                note.unlink()


def used_folder(loaded: LoadedSettings) -> StateFolder:
    """The state folder of the settings; or that of a simulated run, where nothing says which folder
    is meant and the user's own has never been used."""
    folder = StateFolder(loaded.settings.state_dir)
    if "state_dir" in loaded.places or not (running := _running()):
        return folder
    if folder.path.exists():
        click.echo(f"qehost: this is {folder.path}; {_of_run(running)}", err=True)
        return folder
    click.echo(f"qehost: {_of_run(running)}", err=True)
    return StateFolder(running)


def _of_run(folder: Path) -> str:
    return f"run --simulate has its state in {folder} (--state-dir)"


def _running() -> Path | None:
    note = _note()
    folder = note and _named(note)
    with suppress(JournalError):
        if folder and FolderLock(folder).is_held():
            return folder
    return None


def _named(note: Path) -> Path | None:
    try:
        text = note.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return Path(text) if os.path.isabs(text) else None
