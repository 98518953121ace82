"""That a file of cursors is behind what plugins have had, noted where that can still be written.

Events are delivered also while the file can't be written; a memory that ends with the supervisor is
then all that knows of them.  What the journal has of them comes again, and would come unmarked.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from qehost.storage.private_files import create_file

__all__ = ["forget_doubt", "is_in_doubt", "note_doubt"]

SHARED_MEMORY = Path("/dev/shm")


def note_doubt(file: Path) -> bool:
    """Note it, for the next start; False: that was possible nowhere."""
    for place in _places(file):
        with suppress(OSError):
            os.close(create_file(place))
            return True
    return False


def is_in_doubt(file: Path) -> bool:
    """Whether that was noted of this file, and not taken back."""
    return any(map(_is_ours, _places(file)))


def forget_doubt(file: Path) -> None:
    """The file is what it should be."""
    for place in _places(file):
        with suppress(OSError):
            place.unlink()


def _places(file: Path) -> Iterator[Path]:
    yield file.with_name(f"{file.name}.behind")
    # A file system that is read-only takes no note.  This one outlives every process, and what
    # ends it, a new start of the machine, puts the cursors in doubt anyway.
    memory = SHARED_MEMORY if SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())
    name = blake2b(os.fsencode(os.path.realpath(file)), digest_size=12).hexdigest()
    yield memory / f"qehost-{os.geteuid()}-{name}.behind"


def _is_ours(place: Path) -> bool:
    """Others may write into the folder, too."""
    try:
        return place.lstat().st_uid == os.geteuid()
    except OSError:
        return False
