"""Files and folders that are the user's alone: how they are made, and what may go wrong.

Folders have mode 0700 and files 0600: they tell what the user trades.  A symbolic link in a
file's place is never followed: it may have been put there to have another file overwritten.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from qehost.errors import JournalError

__all__ = ["create_file", "open_file", "private_folder", "replace_file", "trouble", "write_all"]

TROUBLES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "this user's share of the disk is full (quota)",
    errno.EFBIG: "the file is full: this user's files may not be larger (ulimit -f)",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk is failing (input/output error)",
    errno.ELOOP: "it is a symbolic link, which is not followed here: remove it",
}
FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def private_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, each with mode 0700.

    Raises JournalError.
    """
    missing = []
    folder = path
    try:
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
        is_folder = path.is_dir()
    except OSError as error:
        raise JournalError(str(path), f"the folder can't be made: {error.strerror}") from error
    if not is_folder:
        raise JournalError(str(path), "must be a folder, but it is a file")


def open_file(path: Path) -> int:
    """A descriptor for reading and writing; a file that is missing is made.  Raises OSError."""
    return os.open(path, FLAGS, 0o600)


def create_file(path: Path) -> int:
    """A descriptor for a new file, in place of one that an earlier process may have left.

    Raises OSError.
    """
    path.unlink(missing_ok=True)
    return os.open(path, FLAGS | os.O_EXCL, 0o600)


def replace_file(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Replace a file as a whole: a reader sees what was before or `content`.

    `sync`: so it is after a power cut, too.  Raises OSError.
    """
    draft = path.with_name(f"{path.name}.new")
    fd = create_file(draft)
    try:
        try:
            write_all(fd, content)
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(draft, path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


def write_all(fd: int, data: bytes) -> None:
    """Raises OSError; a part of it may then have been written."""
    while data:
        data = data[os.write(fd, data) :]


def trouble(path: Path, error: OSError) -> JournalError:
    """What the system says of a file or folder, for people."""
    text = TROUBLES.get(error.errno or 0) or error.strerror or str(error)
    return JournalError(str(path), text)
