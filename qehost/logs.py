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
from qehost.secret import DOTS, Secret
from qehost.settings import AccountSettings
from qehost.unhurried import Unhurried

__all__ = ["LogSettings", "hide", "hold_nobody_up", "secrets_in", "secrets_of", "set_up"]


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
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, BlottingFormatter):
            handler.formatter.hide(secrets)


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
    """Builds the line first and then takes the secrets out, so none hides in an argument.

    This is the second net.  The first is that no secret is logged at all.
    """

    def __init__(self, process: str, secrets: Iterable[Secret]) -> None:
        super().__init__()
        self.process = process
        self.secrets: list[str] = []
        self.hide(secrets)

    def hide(self, secrets: Iterable[Secret]) -> None:
        # A short secret would blot out ordinary words; the venue's are 32 characters and more.
        self.secrets += [s.reveal() for s in secrets if len(s.reveal()) >= 6]

    def blot(self, line: str) -> str:
        for secret in self.secrets:
            if secret in line:
                line = line.replace(secret, DOTS)
        return line

    def format(self, record: logging.LogRecord) -> str:
        return self.blot(self.build(record))

    def build(self, record: logging.LogRecord) -> str:
        raise NotImplementedError

    def stamp(self, record: logging.LogRecord) -> str:
        """UTC, with milliseconds: these lines are compared with the venue's."""
        clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{clock}.{int(record.msecs):03d}Z"


class TextFormatter(BlottingFormatter):
    """`2026-11-25T02:05:03.123Z WARNING connection main: text`"""

    def build(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return f"{self.stamp(record)} {record.levelname:<7} {self.process}: {text}"


class JsonFormatter(BlottingFormatter):
    """One JSON object a line: time, level, process, logger, message, and a raise's traceback."""

    def build(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.stamp(record),
            "level": record.levelname.lower(),
            "process": self.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)
