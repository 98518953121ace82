"""Where a service has its position and its journal: in memory alone, or in a state folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

from qehost.config import parse_duration
from qehost.config.settings import JournalSettings
from qehost.host.delivery import Position
from qehost.service.logger import SafeLogger
from qehost.storage.boot_id import started_anew
from qehost.storage.cursor_file import read_cursors
from qehost.storage.cursors import Cursors
from qehost.storage.journal import JournalReader
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.initial_cursors import last_seq_of
from qehost.supervisor.retention import Retention

__all__ = ["HOST", "Place", "handled_in", "in_folder", "in_memory"]

log = SafeLogger(logging.getLogger("qehost.service"))

HOST = "service"
"""As which host process the program has its cursor in the state folder."""


class Place(NamedTuple):
    """`before` is the last event of earlier runs."""

    position: Position
    journal: JournalReader | None
    before: int
    look_after: Callable[[], None]
    """To be called about once a second."""
    close: Callable[[], None]


def in_memory(account: str) -> Place:
    """Lasts as long as the connection does."""
    cursors = Cursors.in_memory([account])
    position = Position(cursors, account, lambda: 0)
    return Place(position, None, 0, cursors.look_after, cursors.close)


def handled_in(folder: StateFolder, account: str) -> int:
    """The last event that a program has handled that does not run now.

    One that is new in this folder begins at the end.  Raises JournalError.
    """
    stored = read_cursors(folder.progress_file(HOST))
    cursor = None if stored is None else stored.cursors.get(account)
    if cursor is not None and cursor.done >= 0:
        return cursor.done
    with JournalReader(folder.journal(account)) as journal:
        return journal.last_seq()


def in_folder(state_dir: str | os.PathLike[str], account: str, settings: JournalSettings) -> Place:
    """In a state folder, which is this program's alone.

    Raises StateFolderBusy if another one works in it, JournalError if it can't be used.
    """
    folder = StateFolder(state_dir)
    with ExitStack() as undo:
        lock = folder.lock()
        undo.callback(lock.release)
        journal = JournalReader(folder.journal(account))
        undo.callback(journal.close)
        file = folder.progress_file(HOST)
        cursors = Cursors.open(file, (), [account])
        undo.callback(cursors.close)
        if cursors.problem is not None:
            raise cursors.problem
        had = max(cursors.cursor(account) or 0, cursors.in_flight(account))
        last_seq = last_seq_of(folder, account, had)
        position = Position(
            cursors,
            account,
            # A program that is new in this folder begins at the end.
            lambda: last_seq,
            # A power cut may have taken back what the file said last.
            unsure=started_anew(file.with_name("boot")),
            synced=settings.durability == "power",
        )
        retention = Retention(
            folder,
            [account],
            [HOST],
            keep=parse_duration(settings.keep),
            keep_bytes=settings.keep_bytes,
            log=log,
        )
        undo.callback(retention.stop)
        retention.start()
        return Place(position, journal, last_seq, cursors.look_after, undo.pop_all().close)
