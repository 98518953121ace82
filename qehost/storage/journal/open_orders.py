"""The orders that are open at a place in a journal, with their last states.

Old files are deleted, and with them the last events of orders that are silent for long.  So beside
a file there may be another one of the same name, in which the last states stand of the orders that
were open when that file begins.  It is made of the files before it, once they are complete, by
whoever looks after the journal, and before any of them is deleted.  From the nearest one any past
state is a file or two of events away.

    00000012.orders   a header, then the states: events, as `encode_events` makes them
    header            magic, format (u32), mark of the file of events, its first number (i64),
                      checksum of the states (u32), checksum of the header up to here (u32)
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec
from msgspec.structs import replace

from qehost.errors import DecodeError
from qehost.events import wire
from qehost.events.codec import (
    RawBatch,
    Record,
    decode_events,
    decode_records,
    encode_events,
    join_batches,
    stream_event,
)
from qehost.events.states import FINAL
from qehost.events.wire.v1 import V1Fill, V1MasterOrder
from qehost.events.wire.v2 import V2MasterOrder, V2Order
from qehost.messages import AnyEvent, MasterOrderEvent, MasterOrderMessage, OrderEvent
from qehost.storage.journal.layout import Batch, Damage
from qehost.storage.journal.reader import JournalFile, JournalReader
from qehost.storage.private_files import replace_file, trouble

__all__ = [
    "OpenOrders",
    "keep_open_orders",
    "note_open_orders",
    "open_orders",
    "remove_open_orders",
]

SUFFIX = ".orders"
MAGIC = b"\x89qeopen\n"
FORMAT = 1
HEADER = struct.Struct("<8sI8sqI")
CHECKSUM = struct.Struct("<I")
HEADER_SIZE = HEADER.size + CHECKSUM.size
MOST = 20_000
"""Of more open orders those are dropped that have been silent longest."""
EVERY = 8 << 20
"""Bytes of events between two such files."""


class _Id(msgspec.Struct, gc=False):
    """What of a child order's object is in no message: the venue's own id, in V2."""

    id: str = ""


_decode_id = msgspec.json.Decoder(_Id, strict=False).decode


class LastState(NamedTuple):
    """A text of the stream, as it stands in the journal."""

    seq: int
    account: str
    received_at: int
    text: str
    journal_id: str

    def event(self) -> AnyEvent:
        """Raises DecodeError."""
        decoded = wire.decode(self.text)
        event = stream_event(
            decoded, self.seq, self.account, self.received_at, self.text, self.journal_id
        )
        return baseline_of(event)


def baseline_of(event: AnyEvent) -> AnyEvent:
    """The event as the state of an order that was so before: its text is the object alone."""
    return replace(
        event, origin="baseline", raw=wire.inner_text(event.raw), redelivered=False, attempt=1
    )


class OpenOrders:
    """Takes records in the order of `seq`; `states` are events as it has given them."""

    def __init__(self, states: Iterable[AnyEvent] = ()) -> None:
        self._states: dict[tuple[str, ...], LastState | AnyEvent] = {}
        for event in states:
            self._take_event(event)

    def events(self) -> list[AnyEvent]:
        """Their last states, oldest first, of origin `baseline`."""
        found: list[AnyEvent] = []
        for state in self._states.values():
            if isinstance(state, LastState):
                # What could be read when it came can be read again, but by another version perhaps
                # not.
                with suppress(DecodeError):
                    found.append(state.event())
            else:
                found.append(state)
        return sorted(found, key=lambda event: event.seq)

    def take(self, records: Iterable[Record], journal_id: str, last_seq: int) -> None:
        """Events up to `last_seq`."""
        for record in records:
            if isinstance(record, RawBatch):
                self._take_texts(record, journal_id, last_seq)
            elif record.seq <= last_seq:
                self._take_event(replace(record, journal_id=record.journal_id or journal_id))

    def _take_texts(self, record: RawBatch, journal_id: str, last_seq: int) -> None:
        account, at = record.account, record.received_at
        for seq, text in enumerate(record.texts, record.first_seq):
            if seq > last_seq:
                return
            if not isinstance(text, str) or (shape := _shape(text)) is None:
                continue
            state = LastState(seq, account, at, text, journal_id)
            if isinstance(shape, V2MasterOrder | V1MasterOrder):
                self._note((shape.master_order_id,), shape.status, state)
            elif not isinstance(shape, V1Fill):
                venue_id = shape.id if isinstance(shape, V2Order) else ""
                self._note_child(
                    shape.master_order_id, shape.order_id, venue_id, shape.status, state
                )

    def _take_event(self, event: AnyEvent) -> None:
        if not isinstance(event, MasterOrderEvent | OrderEvent) or event.stale:
            return
        message, state = event.message, baseline_of(event)
        if isinstance(message, MasterOrderMessage):
            self._note((message.master_order_id,), message.status, state)
            return
        try:
            venue_id = _decode_id(state.raw).id
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            venue_id = ""
        self._note_child(message.master_order_id, message.order_id, venue_id, message.status, state)

    def _note_child(
        self,
        master_id: str,
        order_id: str,
        venue_id: str,
        status: str,
        state: LastState | AnyEvent,
    ) -> None:
        key = master_id, order_id
        if venue_id:
            self._states.pop(key, None)  # as V1 has told it
            key = "", venue_id
        self._note(key, status, state)

    def _note(self, key: tuple[str, ...], status: str, state: LastState | AnyEvent) -> None:
        states = self._states
        states.pop(key, None)
        if status not in FINAL:
            states[key] = state
            if len(states) > MOST:
                del states[next(iter(states))]


def _shape(text: str) -> wire.Shape | None:
    """The object in a text of the stream, if there is one."""
    if (known := wire.glance(text)) is not None:
        return known[1]
    try:
        decoded = wire.read_carefully(text)
    except DecodeError:
        return None
    return None if decoded is None else decoded.shape


# --- at a place in a journal --------------------------------------------------------------------


def open_orders(reader: JournalReader, last_seq: int) -> OpenOrders:
    """The orders that were open after event `last_seq`.  Raises JournalError."""
    after_seq, found = 0, OpenOrders()
    for file in reversed(reader.files()):
        if file.first_seq <= last_seq + 1 and (states := _read(file)) is not None:
            after_seq, found = file.first_seq - 1, OpenOrders(states)
            break
    for part in reader.read(after_seq, last_seq, join=join_batches):
        if isinstance(part, Damage):
            continue  # what it held is not known
        for batch in _batches(reader, part, last_seq):
            found.take(*batch, last_seq)
    return found


def _batches(
    reader: JournalReader, part: Batch, last_seq: int
) -> Iterator[tuple[list[Record], str]]:
    try:
        yield decode_records(part.events), part.journal_id
    except msgspec.DecodeError:
        # One of them can't be decoded; the others count.
        for single in reader.read(part.first_seq - 1, min(part.last_seq, last_seq)):
            with suppress(msgspec.DecodeError):
                if isinstance(single, Batch):
                    yield decode_records(single.events), single.journal_id


def note_open_orders(folder: Path) -> None:
    """Write down the open orders where that was not done for a while.

    To be called now and then by who looks after the journal.  Raises JournalError.
    """
    with JournalReader(folder) as reader:
        size = 0
        files = reader.files()
        for before, file in itertools.pairwise(files):
            size += before.size
            if _read_header(file) is not None:
                size = 0
            elif size >= EVERY:
                _keep(reader, file)
                size = 0
        names = {file.path.stem for file in files}
    for path in folder.glob(f"*{SUFFIX}"):
        if path.stem not in names:
            path.unlink(missing_ok=True)  # its file was deleted, by an earlier version perhaps


def keep_open_orders(folder: Path, path: Path) -> None:
    """See to it that the open orders are known where this file begins, since those before it are
    about to be deleted.  Raises JournalError."""
    with JournalReader(folder) as reader:
        kept = [file for file in reader.files() if int(file.path.stem) >= int(path.stem)]
        if kept and _read(kept[0]) is None:
            _keep(reader, kept[0])


def remove_open_orders(path: Path) -> None:
    """Of a file of events that is deleted.  Raises OSError."""
    path.with_suffix(SUFFIX).unlink(missing_ok=True)


def _keep(reader: JournalReader, file: JournalFile) -> None:
    states = encode_events(open_orders(reader, file.first_seq - 1).events())
    header = HEADER.pack(MAGIC, FORMAT, file.mark, file.first_seq, crc32(states))
    path = file.path.with_suffix(SUFFIX)
    try:
        replace_file(path, header + CHECKSUM.pack(crc32(header)) + states, sync=True)
    except OSError as error:
        raise trouble(path, error) from error


def _read_header(file: JournalFile) -> int | None:
    """The checksum of the states; None: there are none that belong to this file."""
    try:
        with file.path.with_suffix(SUFFIX).open("rb") as opened:
            header = opened.read(HEADER_SIZE)
    except OSError:
        return None
    if len(header) < HEADER_SIZE or header[HEADER.size :] != CHECKSUM.pack(
        crc32(header[: HEADER.size])
    ):
        return None
    magic, version, mark, first_seq, crc = HEADER.unpack_from(header)
    belongs = (magic, version, mark, first_seq) == (MAGIC, FORMAT, file.mark, file.first_seq)
    return int(crc) if belongs else None


def _read(file: JournalFile) -> list[AnyEvent] | None:
    """The states that stand beside a file; None: none can be read."""
    if (crc := _read_header(file)) is None:
        return None
    try:
        states = file.path.with_suffix(SUFFIX).read_bytes()[HEADER_SIZE:]
        return decode_events(states) if crc32(states) == crc else None
    except (OSError, msgspec.DecodeError):
        return None
