"""How far a long search has come, on a terminal: one line, which the next output replaces."""

from __future__ import annotations

import sys
import time

__all__ = ["SearchProgress"]

AFTER = 1.0
"""Seconds that a search may take without a word."""
EVERY = 0.2
CLEAR = "\r\x1b[K"


class SearchProgress:
    """On standard error, and nothing at all where that is no terminal.

    `prints_events`: what is found is printed on the same terminal.
    """

    def __init__(self, *, prints_events: bool = False) -> None:
        self._prints_events = prints_events
        self._shown = False
        self._next_at = time.monotonic() + AFTER if sys.stderr.isatty() else float("inf")

    def note(self, account: str, seq: int, last_seq: int) -> None:
        """The search has come to event `seq` of the account's `last_seq`."""
        now = time.monotonic()
        if now < self._next_at:
            return
        self._next_at = now + EVERY
        self._shown = True
        # Back to the beginning of the line: what others write there, such as a plugin, replaces it.
        sys.stderr.write(f"{CLEAR}{account}: at event {seq:,} of {last_seq:,}\r")
        sys.stderr.flush()

    def found(self) -> None:
        """An event is handed on."""
        if self._prints_events:
            self.clear()

    def clear(self) -> None:
        """Before something else is written there."""
        if self._shown:
            self._shown = False
            sys.stderr.write(CLEAR)
            sys.stderr.flush()
