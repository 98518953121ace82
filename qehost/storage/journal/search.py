"""Finding events in a journal: by kind, symbol, order id and time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, get_args

import msgspec

from qehost.errors import JournalError
from qehost.events.codec import decode_events
from qehost.messages import AnyEvent, EventKind
from qehost.storage.journal.layout import Damage
from qehost.storage.journal.query import FOREVER
from qehost.storage.journal.reader import JournalReader

__all__ = ["KINDS", "Wanted", "find"]

KINDS: tuple[EventKind, ...] = get_args(EventKind)
ESCAPES = (rb"\u", rb"\/")
"""In JSON any character may be written with these."""
MARKS: dict[EventKind, tuple[bytes, ...]] = {
    "connected": (b"connected",),
    "disconnected": (b"disconnected",),
    "error": (b"error",),
    "status": (b'"status"', b"\xa6status"),
}
"""For the kinds that are rare: what stands in a batch that holds one, of the events' own tags in
MessagePack or of the venue's texts.  In a text within a text the quotes are escaped."""
RARE_KINDS = frozenset(MARKS)
ORDER_IDS = ("master_order_id", "order_id", "client_id")


class Wanted(msgspec.Struct, frozen=True):
    """What an event must be like; what is left empty does not matter.

    `order_id` is any of the ids in a message: of the master order, of the child order, the client's
    own.  `symbol` and `order_id` are compared as the venue wrote them.  `since` and `until` are
    epoch ns, `first_seq` and `last_seq` numbers of events, all included.
    """

    kinds: frozenset[EventKind] = frozenset()
    symbol: str = ""
    order_id: str = ""
    since: int = 0
    until: int = FOREVER
    first_seq: int = 1
    last_seq: int = FOREVER

    def may_hold(self, events: bytes) -> bool:
        """Whether such an event can be in an encoded batch.

        Nearly always these texts stand in the bytes as they are, so most batches need no decoding.
        """
        if ESCAPES[0] in events or ESCAPES[1] in events:
            return True
        for text in (self.symbol, self.order_id):
            if text and not _is_escaped(text) and text.encode() not in events:
                return False
        if not self.kinds or not self.kinds <= MARKS.keys():
            return True
        return any(mark in events for kind in self.kinds for mark in MARKS[kind])

    def fits(self, event: AnyEvent) -> bool:
        message: Any = event.message
        return (
            self.first_seq <= event.seq <= self.last_seq
            and self.since <= event.received_at <= self.until
            and (not self.kinds or event.kind in self.kinds)
            and (not self.symbol or getattr(message, "symbol", None) == self.symbol)
            and (
                not self.order_id
                or any(getattr(message, name, None) == self.order_id for name in ORDER_IDS)
            )
        )


def _is_escaped(text: str) -> bool:
    """Whether JSON can't have it as it is: a client writes what it likes into its order's id."""
    return json.dumps(text, ensure_ascii=False) != f'"{text}"'


def find(
    reader: JournalReader,
    wanted: Wanted,
    *,
    newest_first: bool = False,
    looked_at: Callable[[int], None] = lambda seq: None,
) -> Iterator[AnyEvent | Damage]:
    """The events that fit, in the order of `seq` or against it; and what can't be read.

    Only as much is read as is asked for.  `looked_at` is told how far that has come.
    """
    for batch in reader.read(
        wanted.first_seq - 1,
        wanted.last_seq,
        since=wanted.since,
        until=wanted.until,
        newest_first=newest_first,
    ):
        looked_at(batch.first_seq)
        if isinstance(batch, Damage):
            yield batch
        elif wanted.may_hold(batch.events):
            try:
                events = decode_events(batch.events, batch.journal_id)
            except msgspec.DecodeError as error:
                yield Damage(
                    batch.first_seq,
                    batch.last_seq,
                    JournalError(str(reader.folder), f"can't be decoded: {error}"),
                )
                continue
            yield from filter(wanted.fits, reversed(events) if newest_first else events)
