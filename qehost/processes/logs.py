"""Logging of the command's processes: one line for each entry on standard error, redacted."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterable
from typing import Literal

import msgspec

from qehost.processes.escape import json_printable, visible
from qehost.processes.guarded_logger import GuardedLogger
from qehost.processes.nonblocking_writer import NonBlockingWriter, text_file
from qehost.processes.redaction import redact_all
from qehost.secret import Secret, redact

__all__ = [
    "LogSettings",
    "RedactingFormatter",
    "is_json",
    "secrets_in",
    "send_to",
    "set_up",
    "write_without_waiting",
]

OF_PLUGIN = "qehost.plugin."
"""What the name of each plugin's logger begins with."""
LINES = "\n\t"
"""What makes a traceback readable."""


class LogSettings(msgspec.Struct, frozen=True):
    """How to log.  `secrets` are known to the redactor of the process that gets these settings,
    because they arrive there: what it was not given it could still find in its environment."""

    level: str = "info"
    format: Literal["text", "json"] = "text"
    secrets: frozenset[Secret] = frozenset()


def secrets_in(values: Iterable[object]) -> frozenset[Secret]:
    """Every secret in these structs, at any depth."""
    found = set()

    def note(value: object) -> None:
        if isinstance(value, Secret):
            found.add(value)

    for value in values:
        msgspec.to_builtins(value, enc_hook=note)
    return frozenset(found)


def is_json() -> bool:
    """Whether whoever reads standard error expects an object in each line."""
    handlers = logging.getLogger().handlers
    return any(isinstance(handler.formatter, JsonFormatter) for handler in handlers)


def set_up(settings: LogSettings, process: str) -> None:
    """Send the log of this process to standard error.  `process` names it in every line.

    What is logged or printed in other ways is redacted from now on, too.  In a child process
    qehost's own lines stay as they are whatever a plugin sets up: see `GuardedLogger`.
    """
    redact_all()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(process) if settings.format == "json" else TextFormatter(process)
    )
    send_to(handler)
    logging.getLogger().setLevel(logging.WARNING)  # for other libraries
    logging.getLogger("qehost").setLevel(settings.level.upper())


def send_to(handler: logging.Handler) -> None:
    """Have this handler, and no other, take what this process logs."""
    logging.getLogger().handlers[:] = [handler]
    GuardedLogger.output = handler


def write_without_waiting() -> None:
    """Write this process's log, and what else goes to `sys.stderr`, in a thread of its own from now
    on: see `NonBlockingWriter`."""
    if sys.stderr is None:
        return
    descriptor = sys.stderr.fileno()
    # A copy: a plugin may close `sys.stderr`, and another file would get its descriptor.
    writer = NonBlockingWriter(os.fdopen(os.dup(descriptor), "w"))
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
            handler.setStream(writer)
    sys.stderr = text_file(writer, descriptor)
    redact_all()


class RedactingFormatter(logging.Formatter):
    """Makes the text first and then takes the secrets out, so none hides in an argument."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def message(self, record: logging.LogRecord) -> str:
        return redact(record.getMessage())

    def traceback(self, record: logging.LogRecord) -> str:
        """`""` if nothing was raised."""
        return redact(self.formatException(record.exc_info)) if record.exc_info else ""

    def text(self, record: logging.LogRecord) -> str:
        """Message and traceback.  Both can hold what the venue wrote, which steers no terminal; a
        message is one line, or it could look like several entries."""
        message, traceback = visible(self.message(record)), self.traceback(record)
        return f"{message}\n{visible(traceback, keep=LINES)}" if traceback else message

    def format(self, record: logging.LogRecord) -> str:
        raise NotImplementedError

    def stamp(self, record: logging.LogRecord) -> str:
        """UTC, with milliseconds: these lines are compared with the venue's."""
        clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{clock}.{int(record.msecs):03d}Z"


class TextFormatter(RedactingFormatter):
    """`2026-11-25T02:05:03.123Z WARNING connection main: text`

    What a plugin logs by its own logger has `host main, plugin NAME`.
    """

    def format(self, record: logging.LogRecord) -> str:
        plugin = record.name.removeprefix(OF_PLUGIN)
        who = self.process if plugin == record.name else f"{self.process}, plugin {plugin}"
        return f"{self.stamp(record)} {record.levelname:<7} {who}: {self.text(record)}"


class JsonFormatter(RedactingFormatter):
    """One JSON object in each line: time, level, process, logger, message, and the traceback of
    what was raised."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.stamp(record),
            "level": record.levelname.lower(),
            "process": self.process,
            "logger": record.name,
            "message": self.message(record),
        }
        if traceback := self.traceback(record):
            entry["traceback"] = traceback
        return json_printable(json.dumps(entry, ensure_ascii=False))
