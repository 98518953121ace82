"""The state folder: where everything stands that outlives a process.

::

    lock                        holds the process id of the supervisor, which has locked the folder
    status.json                 replaced whole once a second
    accounts/ACCOUNT/journal/   written by that account's connection process alone
    hosts/PROCESS/marks         the cursors of that host process, written by it alone
    waiting/PLUGIN.json         there while the plugin waits, written by its host process alone
    dead-letters.db             written by hosts and supervisor, read by the command line
    plugins/PLUGIN/             a plugin's own

Everything is made for the user alone.  A state folder that exists already keeps its mode, since it
may be any folder the user named.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote

from qehost.errors import StateFolderBusy
from qehost.storage.folder_lock import FolderLock
from qehost.storage.patience import patiently
from qehost.storage.private_files import private_folder, trouble

__all__ = ["StateFolder"]

log = logging.getLogger("qehost.state")


class StateFolder:
    """The paths in one state folder.  Nothing is made before `create` or one of its users asks."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().absolute()

    @property
    def status_file(self) -> Path:
        return self.path / "status.json"

    @property
    def dead_letters_file(self) -> Path:
        return self.path / "dead-letters.db"

    def has_dead_letters(self) -> bool:
        """Raises JournalError where this user may not look."""
        try:
            self.dead_letters_file.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise trouble(self.dead_letters_file, error) from error
        return True

    def journal(self, account: str) -> Path:
        """The folder of an account's journal."""
        return self.path / "accounts" / _part(account) / "journal"

    def progress_file(self, process: str) -> Path:
        """A host process's cursors and current call."""
        return self.path / "hosts" / _part(process) / "marks"

    def wait_file(self, plugin: str) -> Path:
        """What a plugin waits for, in whichever process it is."""
        return self.path / "waiting" / f"{_part(plugin)}.json"

    @property
    def plugins(self) -> Path:
        return self.path / "plugins"

    def plugin(self, name: str) -> Path:
        """The folder that belongs to a plugin, by the canonical form of its name.  An entry point
        may have any name, even `../x`."""
        return self.plugins / re.sub(r"[^a-z0-9-]", "_", name)

    def accounts(self) -> list[str]:
        """The accounts that have something here, also those that are no longer in the settings."""
        return _names_in(self.path / "accounts")

    def processes(self) -> list[str]:
        """The host processes that have something here."""
        return _names_in(self.path / "hosts")

    def create(self) -> None:
        """Make the folder if it does not exist.  Raises JournalError."""
        private_folder(self.path)

    def exposure(self) -> list[str]:
        """Why other users can change what is in the folder, in words; empty where they can't."""
        found = self.path.stat()
        texts = []
        # What belongs to root is no reason: it can do so anywhere.
        if found.st_uid not in (0, os.geteuid()):
            texts.append(
                f"the state folder {self.path} belongs to another user (id {found.st_uid}), who "
                "can read and change everything in it: chown it, or choose another with --state-dir"
            )
        by_group = found.st_mode & 0o020 and found.st_gid != os.getegid()
        if by_group or found.st_mode & 0o002:
            texts.append(
                f"other users may write into the state folder {self.path} "
                f"(mode {found.st_mode & 0o7777:o}): chmod go-w {self.path}"
            )
        return texts

    def holder(self) -> int | None:
        """The process id of the qehost that works in this folder now; None: none does.

        0: one does, and its id is not known, since the disk was full when it started.
        """
        lock = FolderLock(self.path)
        return lock.holder() if lock.is_held() else None

    def is_held_by(self, pid: int) -> bool:
        """Whether the process that has this id here may be the qehost that works in this folder.

        Raises PermissionError.
        """
        return FolderLock(self.path).is_held_by(pid)

    def lock(self) -> FolderLock:
        """Take the folder for this process, until `release` or the process's end.

        Who else could change what is in it is logged.

        Raises StateFolderBusy with the holder's process id, or JournalError where the lock can't
        be written: in a folder that was used before, for some time.
        """
        self.create()
        for text in self.exposure():
            log.warning("%s", text)
        lock = FolderLock(self.path)
        # A moment of patience: somebody may be looking whether it is held.
        take = partial(lock.acquire, wait=0.2)
        # A folder that never could be written is a wrong one.
        if not (patiently(take, partial(log.error, "%s")) if self._was_used() else take()):
            raise StateFolderBusy(str(self.path), lock.holder())
        # An earlier qehost made it with the usual mode.
        with suppress(OSError):
            self.plugins.chmod(0o700)
        return lock

    def _was_used(self) -> bool:
        """Whether a qehost has worked in it."""
        return os.path.exists(self.status_file)


def _part(name: str) -> str:
    """A name as one part of a path: `/` can't lead elsewhere, `.` and `..` can't either."""
    quoted = quote(name, safe=" @+")
    return quoted.replace(".", "%2E", 1) if quoted.startswith(".") else quoted


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(unquote(entry.name) for entry in folder.iterdir() if entry.is_dir())
    except OSError:
        return []
