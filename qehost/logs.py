"""Logging of the command's processes: one line an entry on standard error, secrets blotted out."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Literal

import msgspec

from qehost.network.proxy import parse_proxy
from qehost.printable import json_printable, visible
from qehost.secret import DOTS, Secret
from qehost.settings import AccountSettings
from qehost.unhurried import Unhurried

__all__ = [
    "LogSettings",
    "blotted",
    "hide",
    "hold_nobody_up",
    "is_json",
    "secrets_in",
    "secrets_of",
    "set_up",
]

OF_PLUGIN = "qehost.plugin."
"""What the name of each plugin's logger begins with."""
LINES = "\n\t"
"""What makes a traceback readable."""


class LogSettings(msgspec.Struct, frozen=True):
    """How to log.  `secrets` are texts that must not appear, wherever they come from."""

    level: str = "info"
    format: Literal["text", "json"] = "text"
    secrets: frozenset[Secret] = frozenset()


def secrets_of(accounts: Mapping[str, AccountSettings]) -> frozenset[Secret]:
    """Every secret in the accounts' settings; of a proxy its password, which is part of a URL."""
    found = set()
    for account in accounts.values():
        fields = msgspec.structs.asdict(account)
        with suppress(ValueError):
            found.add(Secret(parse_proxy(fields.pop("proxy").reveal()).password))
        found |= {value for value in fields.values() if isinstance(value, Secret)}
    return frozenset(found)


def secrets_in(values: Iterable[object]) -> list[Secret]:
    """Every secret in these structs, at any depth."""
    found = []

    def note(value: object) -> None:
        if isinstance(value, Secret):
            found.append(value)

    for value in values:
        msgspec.to_builtins(value, enc_hook=note)
    return found


def hide(secrets: Iterable[Secret]) -> None:
    """Blot these out, too, from now on."""
    secrets = list(secrets)
    for formatter in _formatters():
        formatter.hide(secrets)


def blotted(text: str) -> str:
    """A text that goes elsewhere, without what this process's log must not show."""
    for formatter in _formatters():
        text = formatter.blot(text)
    return text


def is_json() -> bool:
    """Whether whoever reads standard error expects an object in each line."""
    return any(isinstance(each, JsonFormatter) for each in _formatters())


def _formatters() -> list[BlottingFormatter]:
    found = (handler.formatter for handler in logging.getLogger().handlers)
    return [each for each in found if isinstance(each, BlottingFormatter)]


def set_up(settings: LogSettings, process: str) -> None:
    """Send the log of this process to standard error.  `process` names it in every line."""
    handler = logging.StreamHandler(sys.stderr)
    formatter: logging.Formatter
    if settings.format == "json":
        formatter = JsonFormatter(process, settings.secrets)
    else:
        formatter = TextFormatter(process, settings.secrets)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # Other libraries stay at WARNING: urllib3's debug lines hold URLs with signatures.
    logging.getLogger("qehost").setLevel(settings.level.upper())


def hold_nobody_up() -> None:
    """Write this process's log in a thread of its own from now on: see `unhurried`."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(Unhurried(handler.stream))


class BlottingFormatter(logging.Formatter):
    """Makes the text first and then takes the secrets out, so none hides in an argument.

    This is the second net.  The first is that no secret is logged at all.
    """

    def __init__(self, process: str, secrets: Iterable[Secret]) -> None:
        super().__init__()
        self.process = process
        self.secrets: tuple[str, ...] = ()
        self.hide(secrets)

    def hide(self, secrets: Iterable[Secret]) -> None:
        # A short secret would blot out ordinary words; the venue's are 32 characters and more.
        texts = {s.reveal() for s in secrets if len(s.reveal()) >= 6}
        # As they stand in the repr of something: with quotes and line breaks escaped.
        texts |= {repr(text)[1:-1] for text in texts}
        # The longest first: one may be a part of another.
        self.secrets = tuple(sorted(texts.union(self.secrets), key=len, reverse=True))

    def blot(self, line: str) -> str:
        for secret in self.secrets:
            if secret in line:
                line = line.replace(secret, DOTS)
        return line

    def message(self, record: logging.LogRecord) -> str:
        return self.blot(record.getMessage())

    def traceback(self, record: logging.LogRecord) -> str:
        """`""` if nothing was raised."""
        return self.blot(self.formatException(record.exc_info)) if record.exc_info else ""

    def text(self, record: logging.LogRecord) -> str:
        """Message and traceback.  What the venue says can be in both, and steers no terminal; a
        message is one line, or it could look like several entries."""
        message, traceback = visible(self.message(record)), self.traceback(record)
        return f"{message}\n{visible(traceback, keep=LINES)}" if traceback else message

    def format(self, record: logging.LogRecord) -> str:
        raise NotImplementedError

    def stamp(self, record: logging.LogRecord) -> str:
        """UTC, with milliseconds: these lines are compared with the venue's."""
        clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{clock}.{int(record.msecs):03d}Z"


class TextFormatter(BlottingFormatter):
    """`2026-11-25T02:05:03.123Z WARNING connection main: text`

    What a plugin logs by its own logger has `host main, plugin NAME`.
    """

    def format(self, record: logging.LogRecord) -> str:
        plugin = record.name.removeprefix(OF_PLUGIN)
        who = self.process if plugin == record.name else f"{self.process}, plugin {plugin}"
        return f"{self.stamp(record)} {record.levelname:<7} {who}: {self.text(record)}"


class JsonFormatter(BlottingFormatter):
    """One JSON object a line: time, level, process, logger, message, and a raise's traceback."""

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
