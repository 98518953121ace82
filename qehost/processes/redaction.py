"""Takes secrets out of all that a process writes, whatever its plugins do to the logging.

A plugin may replace the handlers of the root logger with its own, and print what it likes.  So the
texts are redacted before any handler gets them, and once more where they leave the process.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from qehost.secret import redact

__all__ = ["RedactedRecord", "RedactingStream", "redact_all"]


class RedactedRecord(logging.LogRecord):
    """A record whose message and traceback hold no secret, whichever handler formats them."""

    def getMessage(self) -> str:  # noqa: N802 - the standard library's name
        return redact(super().getMessage())

    @property
    def exc_text(self) -> str | None:
        return self.__dict__.get("exc_text")

    @exc_text.setter
    def exc_text(self, text: str | None) -> None:
        # A formatter keeps here what it made of the exception, and reads it here, too.
        self.__dict__["exc_text"] = text and redact(text)


class RedactingStream:
    """A text stream in front of another one.  What is written at once is redacted as a whole."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(redact(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def redact_all() -> None:
    """From now on, for log records and for what is printed."""
    logging.setLogRecordFactory(RedactedRecord)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, RedactingStream):
            setattr(sys, name, RedactingStream(stream))
