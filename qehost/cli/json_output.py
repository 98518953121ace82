"""JSON as commands print it: it says what it says, and no text in it controls a terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import msgspec

from qehost.processes.escape import json_printable

__all__ = ["EscapingFile", "escaped", "pretty_json", "pretty_json_array"]

_NOT_ASCII = re.compile("[^\\0-~]+")


def escaped(data: bytes) -> bytes:
    """A text in UTF-8 with `\\u…` in place of what is no printable character.

    What JSON escapes already, and line ends, stay as they are.
    """
    if data.isascii() and b"\x7f" not in data:
        return data
    return _NOT_ASCII.sub(lambda found: json_printable(found[0]), data.decode()).encode()


def pretty_json(value: Any) -> bytes:
    """In UTF-8, as JSON has to be, whatever encoding the terminal has."""
    return escaped(msgspec.json.format(msgspec.json.encode(value)))


def pretty_json_array(values: Iterable[Any]) -> Iterator[bytes]:
    """The parts of what `pretty_json` makes of a list, and a line end."""
    before = b"["
    for value in values:
        yield before + b"\n  " + pretty_json(value).replace(b"\n", b"\n  ")
        before = b","
    yield b"[]\n" if before == b"[" else b"\n]\n"


class EscapingFile(io.RawIOBase):
    """A binary file in front of a terminal.  What is written at once is whole characters."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(escaped(bytes(data)))
        return len(data)
