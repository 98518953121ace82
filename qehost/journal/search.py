"""Finding events in a journal: by kind, symbol, order id and time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from qehost.errors import JournalError
from qehost.journal.reader import FOREVER, JournalReader
from qehost.journal.segments import Damage
from qehost.messages import AnyEvent, EventKind
from qehost.records import decode_events

__all__ = ["KINDS", "Wanted", "find"]

KINDS: tuple[EventKind, ...] = get_args(EventKind)
ESCAPES = (rb"\u", rb"\/")
"""In JSON these may hide what is looked for; what else must be escaped is in no id."""
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
        if any(escape in events for escape in ESCAPES):
            return True
        return self.symbol.encode() in events and self.order_id.encode() in events

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
