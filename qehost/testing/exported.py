"""Events that were received, from an exported file."""

from __future__ import annotations

from os import PathLike

from qehost.messages import AnyEvent
from qehost.storage.export.json_lines import read_jsonl

__all__ = ["events_from"]


def events_from(path: str | PathLike[str]) -> list[AnyEvent]:
    """The events of a file that `qehost journal export -o day.jsonl` has written, as they were.

    They belong to the accounts that received them: `PluginHost(…, accounts=[…])`.

    Raises:
        OSError: the file can't be read.
        qehost.errors.Error: a line is no event; its number is in the text.
    """
    return list(read_jsonl(path))
