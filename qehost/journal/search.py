"""Finding events in a journal: by kind, symbol, order id and time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from qehost.errors import JournalError
from qehost.journal.layout import Damage
from qehost.journal.reader import FOREVER, JournalReader
from qehost.messages import AnyEvent, EventKind
from qehost.records import decode_events

__all__ = ["KINDS", "Wanted", "find"]

KINDS: tuple[EventKind, ...] = get_args(EventKind)
ESCAPES = (rb"\u", rb"\/")
"""In JSON any character may be written with these."""
ORDER_IDS = ("master_order_id", "order_id", "client_id")


class Wanted(msgspec.Struct, frozen=True):
    """What an event must be like; what is left empty does not matter.

    `order_id` is any of the ids in a message: of the master order, of the child order, the client's
    own.  `symbol` and `order_id` are compared as the venue wrote them.  `since` and `until` are
    epoch ns, both included.
    """

    kinds: frozenset[EventKind] = frozenset()
    symbol: str = ""
    order_id: str = ""
    since: int = 0
    until: int = FOREVER

    def may_hold(self, events: bytes) -> bool:
        """Whether such an event can be in an encoded batch.

        Nearly always these texts stand in the bytes as they are, so most batches need no decoding.
        """
        wanted = [text for text in (self.symbol, self.order_id) if text]
        if any(escape in events for escape in ESCAPES) or any(map(_is_escaped, wanted)):
            return True
        return all(text.encode() in events for text in wanted)

    def fits(self, event: AnyEvent) -> bool:
        message: Any = event.message
        return (
            self.since <= event.received_at <= self.until
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
    reader: JournalReader, wanted: Wanted, *, newest_first: bool = False
) -> Iterator[AnyEvent | Damage]:
    """The events that fit, in the order of `seq` or against it; and what can't be read.

    Only as much is read as is asked for.
    """
    for batch in reader.scan(wanted.since, wanted.until, newest_first=newest_first):
        if isinstance(batch, Damage):
            yield batch
        elif wanted.may_hold(batch.events):
            try:
                events = decode_events(batch.events)
            except msgspec.DecodeError as error:
                yield Damage(
                    batch.first_seq,
                    batch.last_seq,
                    JournalError(str(reader.folder), f"can't be decoded: {error}"),
                )
                continue
            yield from filter(wanted.fits, reversed(events) if newest_first else events)
