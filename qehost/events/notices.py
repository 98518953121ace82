"""What an operator must know of an account's messages without reading each of them.  No I/O."""

from __future__ import annotations

import msgspec

__all__ = ["Counts", "LastGap", "Notices"]

_KINDS = 1000
"""Kinds of which it is remembered that they came; the kinds of a broken venue may be endless."""


class Counts(msgspec.Struct):
    """Since the connection process began."""

    unreadable: int = 0
    """Messages and objects of REST that could not be read, or not in all their fields."""
    repeats: int = 0
    """Messages that came before, and were dropped."""
    errors: int = 0
    """What `on_error` was told beside those that could not be read and the gaps."""
    gaps: int = 0
    """Times of which messages may be missing."""
    unknown: int = 0
    """Messages of a type that is not known; they are handed on raw."""


class LastGap(msgspec.Struct, frozen=True):
    """The last `GapError` that `on_error` was told and that still may be one; `at` is epoch
    seconds."""

    text: str
    at: float


class Notices:
    """Counts, and lines for the log: of each kind the first, the tenth, the hundredth and so on."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.last_gap: LastGap | None = None
        self.gaps: list[str] = []
        """The texts of those that are to be logged; `take_gaps` gives and clears them."""
        self.warnings: list[str] = []
        """Those of the last messages; `take` gives and clears them."""
        self._kinds: dict[str, int] = {}

    def is_known(self, kind: str) -> bool:
        """Whether something of this kind came before."""
        return kind in self._kinds

    def warn(self, kind: str, text: str) -> None:
        """Something of this kind came."""
        count = self._kinds.get(kind, 0) + 1
        if kind in self._kinds or len(self._kinds) < _KINDS:
            self._kinds[kind] = count
        if str(count).strip("0") == "1":
            self.warnings.append(text if count == 1 else f"{text} ({count} times so far)")

    def take(self) -> list[str]:
        """The lines that are to be logged now."""
        taken, self.warnings = self.warnings, []
        return taken

    def note_gap(self, text: str, at: float) -> None:
        """Of that time (epoch seconds) something may be missing."""
        self.counts.gaps += 1
        self.last_gap = LastGap(text, at)
        self.gaps.append(text)

    def settle_gap(self, text: str) -> None:
        """What the gap with this text may have missed has been read since."""
        if self.last_gap is not None and self.last_gap.text == text:
            self.last_gap = None

    def take_gaps(self) -> list[str]:
        """What is to be logged now."""
        taken, self.gaps = self.gaps, []
        return taken

    def clear(self) -> None:
        """As if nothing had come."""
        self.counts = Counts()
        self.last_gap = None
        self.gaps.clear()
        self.warnings.clear()
        self._kinds.clear()
