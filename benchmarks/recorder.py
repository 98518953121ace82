"""The receiving end: notes when each message arrived, as cheaply as Python can.

`qehost run -p recorder:Recorder` loads it as a plugin; the peer's runner gives its methods as
handlers.  A message makes one call; calls for fills that were derived from another message are not
counted, but cost their time all the same.
"""

from __future__ import annotations

import os
from array import array
from pathlib import Path
from time import time_ns
from typing import Any

import msgspec

__all__ = ["Recorder"]


class Recorder:
    """At each status message the times so far (epoch ns) go into a file of that name."""

    class Config(msgspec.Struct):
        folder: str

    def __init__(self, config: Config) -> None:
        self._folder = Path(config.folder)
        self._times = array("q")
        self._note = self._times.append

    def on_master_order(self, message: Any) -> None:
        self._note(time_ns())

    def on_order(self, message: Any) -> None:
        self._note(time_ns())

    def on_fill(self, message: Any, event: Any) -> None:
        if event.origin == "stream":
            self._note(time_ns())

    def on_status(self, status: str) -> None:
        draft = self._folder / f"{status}.draft"
        with draft.open("wb") as file:
            self._times.tofile(file)
        os.replace(draft, self._folder / status)
        del self._times[:]
