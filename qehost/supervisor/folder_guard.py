"""Keeping a second qehost out, also where somebody moves or deletes the state folder meanwhile."""

from __future__ import annotations

import logging

from qehost.errors import JournalError, StateFolderBusy
from qehost.storage.folder_lock import FolderLock
from qehost.storage.state_folder import StateFolder

__all__ = ["keep_folder"]

log = logging.getLogger("qehost.supervisor")


def keep_folder(folder: StateFolder, lock: FolderLock | None) -> bool:
    """Whether the folder is still ours; to be called once a second.

    One that is gone is made and locked anew.  False: another qehost works in it now.
    """
    if lock is None or lock.is_ours():
        return True
    lock.release()
    try:
        folder.create()
        taken = lock.acquire()
    except JournalError as error:
        log.error("the state folder was moved or deleted while qehost works in it: %s", error)
        return True
    if not taken:
        log.critical("%s", StateFolderBusy(str(folder.path), lock.holder()))
        return False
    log.error(
        "the state folder %s was moved or deleted while qehost works in it: going on in a new one",
        folder.path,
    )
    return True
