"""A file that a command writes: it is there whole, or what was there before is left as it was."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from qehost.errors import Error

__all__ = ["STDOUT", "output_file"]

STDOUT = Path("-")
OPEN_ALREADY = "/dev/std", "/dev/fd/", "/proc/"
"""Names of what a process has open: what they lead to may be a file, and is not ours to replace."""


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """Write to `path`, or to standard output for `-`.

    A file is written beside its place and put there when the block has ended well; what a symbolic
    link points to is replaced, not the link. A device or a pipe is written straight.

    Raises `Error` where it can't be written.
    """
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        if _is_stream(path):
            with path.open("wb") as file:
                yield file
        else:
            with _replacing(Path(os.path.realpath(path))) as file:
                yield file
    except BrokenPipeError:
        raise  # The reader has enough: click's to end.
    except OSError as error:
        raise Error(f"{path} can't be written: {error.strerror or error}") from None


def _is_stream(path: Path) -> bool:
    there = os.path.exists(path)
    return (there and not os.path.isfile(path)) or str(path.absolute()).startswith(OPEN_ALREADY)


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    beside = target.with_name(f".qehost-{secrets.token_hex(6)}")
    # As any new file, the umask decides who may read it.
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(fd, "wb") as file:
            with suppress(FileNotFoundError):
                os.fchmod(fd, stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            # A rename may outlive a power cut that the content does not.
            os.fsync(fd)
        beside.replace(target)
    except BaseException:  # Ctrl-C, too
        beside.unlink(missing_ok=True)
        raise
