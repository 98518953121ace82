"""A file that a command writes: it is written whole, or what was there before is kept."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from qehost.cli.json_output import EscapingFile
from qehost.errors import Error

__all__ = ["STDOUT", "is_stream", "output_file"]

STDOUT = Path("-")
OPEN_FILES = "/dev/std", "/dev/fd/", "/proc/"
"""Names of files that a process has open, which must be written to and not replaced."""


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """Write to `path`, or to standard output for `-`; a terminal gets no control characters.

    A file is written under another name and renamed when the block has ended without an error. Of a
    symbolic link the target is replaced. Devices and pipes are written to directly.

    Raises `Error` where it can't be written.
    """
    if path == STDOUT:
        out = sys.stdout.buffer
        yield cast(BinaryIO, EscapingFile(out)) if sys.stdout.isatty() else out
        out.flush()
        return
    try:
        if is_stream(path):
            with path.open("wb") as file:
                yield file
        else:
            with _replacing(Path(os.path.realpath(path))) as file:
                yield file
    except BrokenPipeError:
        raise  # Whoever reads the output has closed it; click ends the program.
    except OSError as error:
        raise Error(f"{path} can't be written: {error.strerror or error}") from None


def is_stream(path: Path) -> bool:
    """Whether it is standard output, a pipe or a device, and no file that would be replaced."""
    if path == STDOUT:
        return True
    exists = os.path.exists(path)
    return (exists and not os.path.isfile(path)) or str(path.absolute()).startswith(OPEN_FILES)


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    draft = target.with_name(f".qehost-{secrets.token_hex(6)}")
    # As any new file, the umask decides who may read it.
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(fd, "wb") as file:
            with suppress(FileNotFoundError):
                os.fchmod(fd, stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            # After a power cut the rename may be on the disk without the content.
            os.fsync(fd)
        draft.replace(target)
    except BaseException:  # Ctrl-C, too
        draft.unlink(missing_ok=True)
        raise
