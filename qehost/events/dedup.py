"""Which messages came before, so that a repeat reaches plugins once.  No I/O.

A message is a repeat if its id and its content are the same: a venue may count its ids from 1 again
after a restart, or have the same one in each message.  The contents of the last messages are there,
to be compared where an id comes again, which is rare; a hash of each would cost as much as a
quarter of decoding it.  Of ids that had several contents, those are kept as hashes.

The ids stand in two generations, and when the younger one is full, the older one is dropped as a
whole.  So the last `size` ids are held for certain, never more than twice as many, and the oldest
go first.  An `OrderedDict` that drops them one by one takes 1.4 times as long.
"""

from __future__ import annotations

from enum import Enum, auto

from qehost.events.recent_texts import RecentTexts

__all__ = ["Dedup", "Seen"]


class Seen(Enum):
    """How a message came before whose id is known."""

    REPEAT = auto()
    """With this content."""
    OTHER = auto()
    """With another content, and not with this one."""
    PERHAPS = auto()
    """So long ago that its content is not there any more."""


class Dedup:
    """Messages that were seen, by their ids.  `texts` has their contents."""

    def __init__(self, texts: RecentTexts, size: int = 100_000) -> None:
        self._texts = texts
        self._size = size
        # By its id the number of a message's text.
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}
        # Ids that have several contents, with each; None is one that is not there any more.
        self._several: set[tuple[str, int | None]] = set()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def see(self, id_: str, text: str, number: int) -> Seen | None:
        """Remember a message, its text and the number of that; None: its id was not seen before.

        `""` never was: it is no id.
        """
        if not id_:
            return None
        young = self._young
        known = young.setdefault(id_, number)
        if known is not number:
            young[id_] = number
            return self._compare(id_, text, known)
        if len(young) < self._size and not self._old:
            return None
        former = self._old.get(id_)  # it is the youngest again
        if len(young) >= self._size:
            self._old, self._young = young, {}
        return None if former is None else self._compare(id_, text, former)

    def _compare(self, id_: str, text: str, known: int) -> Seen:
        before = self._texts.get(known)
        if before == text:
            return Seen.REPEAT
        several = self._several
        if (id_, hash(text)) in several:
            return Seen.REPEAT
        if len(several) < self._size:
            several |= {(id_, hash(text)), (id_, None if before is None else hash(before))}
        return Seen.PERHAPS if (id_, None) in several or before is None else Seen.OTHER

    def forget(self, id_: str) -> None:
        """The id is not remembered any more: what it stood for was not delivered."""
        self._young.pop(id_, None)
        self._old.pop(id_, None)
