"""What a connection process must know of the past and the end of the journal may not have.

Since when REST is still to be asked for what the stream did not bring may lie further back than the
events that are read again at a start; so may how far an order was filled.  And a part of the
journal may be missing: what could not be written to it, or was damaged since.  So what is known
stands in one small file beside the journal's, which is written anew every so often, as a whole.  It
holds for a certain event; what came after that event stands in the journal.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import msgspec

from qehost.events.earlier_records import OpenOrder, known_orders
from qehost.events.order_records import KnownOrders
from qehost.storage.alternating_file import AlternatingFile, identity, read_alternating
from qehost.storage.boot_id import boot_id

__all__ = ["Checkpoint", "CheckpointFile", "is_copy", "read_checkpoint"]

log = logging.getLogger("qehost.connection")

NAME = "checkpoint"
EARLIER_NAME = "memory"
"""The file of formats 1 and 2: a checksum (u32), then MessagePack."""
FORMAT = 3
OPEN_ORDERS = 1
"""The format that had the child orders alone that were filled in part."""
FINISHED_KEPT = 5_000
"""Of the orders that have ended so many master orders and so many child orders are kept, those that
changed last; of the others all that are known."""
EVERY = 20_000
"""Events after which it is written again: at a start the journal is read so far back anyway."""
EVERY_AT_LOAD = 100_000
"""The same where so many come within `PACE`: the journal is then read further back as well.  It
takes as long as it takes to receive 3,000 messages."""
STEP = 10**9
"""ns; when this machine's clock has been set by so much, it is written again."""
PACE = 1.0
"""Seconds between two checkpoints while events come fast, the journal can't be written, or the
checkpoint can't."""


class Checkpoint(msgspec.Struct, frozen=True):
    """What there was to know when event `seq` had been given its number."""

    seq: int = 0
    unread_since: int = 0
    """The venue's time, epoch ns; 0: nothing is still to be read over REST."""
    open_orders: list[tuple[tuple[str, str], OpenOrder]] = []
    """As an earlier version wrote them."""
    format: int = FORMAT
    clock_offset: int = 0
    """ns that this machine's clock was behind the venue's; negative where it was ahead."""
    heard_until: int = 0
    """Until when the stream was heard: the venue's time, epoch ns; 0: not known."""
    is_end: bool = False
    """Whether the process that wrote it ended with it."""
    boot: str = ""
    """Which start of the machine that was; `""`: the system does not tell."""
    identity: tuple[int, ...] = ()
    """Of the files that it was written into; `()`: not known."""
    orders: KnownOrders = KnownOrders()


class CheckpointFile:
    """The file of one account, in its journal's folder, for the process that writes it."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = folder / NAME
        self._earlier = folder / EARLIER_NAME
        self._clock = clock
        self._file = AlternatingFile(self._path, read_alternating(self._path).number)
        # The next process must be able to tell that this one was there.
        self._written: Checkpoint | None = None
        self._next_at = 0.0
        self._failed = False

    def is_due(
        self,
        seq: int,
        unread_since: int,
        clock_offset: int = 0,
        not_journalled: int = 0,
        *,
        lacks_baseline: bool = False,
    ) -> bool:
        """Whether to write what holds for event `seq`.

        `lacks_baseline` is as in `KnownOrders`; `not_journalled` is the last event that the journal
        does not have, 0 where it has all.
        """
        written = self._written
        if written is None:
            return True
        if self._failed or not_journalled > written.seq:
            return self._clock() >= self._next_at
        since = seq - written.seq
        return (
            since >= EVERY_AT_LOAD
            or (since >= EVERY and self._clock() >= self._next_at)
            or unread_since != written.unread_since
            or lacks_baseline is not written.orders.lacks_baseline
            or abs(clock_offset - written.clock_offset) >= STEP
        )

    def write(self, checkpoint: Checkpoint) -> None:
        """Where that fails, it is logged; `boot` and `identity` are filled in here."""
        self._written = checkpoint
        self._next_at = self._clock() + PACE
        try:
            self._file.make()
            found = msgspec.structs.replace(
                checkpoint,
                boot=boot_id(),
                identity=identity(self._path),
                orders=checkpoint.orders.newest(FINISHED_KEPT),
            )
            self._file.write(msgspec.msgpack.encode(found))
            self._earlier.unlink(missing_ok=True)
        except OSError as error:
            if not self._failed:
                log.warning("%s can't be written: %s", self._path, error.strerror)
            self._failed = True
        else:
            self._failed = False


def read_checkpoint(folder: Path) -> Checkpoint:
    """The newest that can be read; an empty one where there is none."""
    found = read_alternating(folder / NAME)
    checkpoint = None if found.content is None else _decode(found.content)
    if checkpoint is None:
        earlier = folder / EARLIER_NAME
        checkpoint = _read_earlier(earlier)
        if checkpoint is None and (found.content or found.damaged or earlier.exists()):
            log.warning(
                "%s is damaged: of orders only that is known which the journal has",
                folder / NAME if found.content or found.damaged else earlier,
            )
    elif found.damaged:
        log.warning("%s is damaged; the checkpoint before it is whole", found.damaged[0])
    return checkpoint or Checkpoint()


def is_copy(folder: Path, checkpoint: Checkpoint) -> bool:
    """Whether it was written into other files than it stands in now."""
    try:
        return bool(checkpoint.identity) and identity(folder / NAME) != checkpoint.identity
    except OSError:
        return True


def _decode(content: bytes) -> Checkpoint | None:
    try:
        checkpoint = msgspec.msgpack.decode(content, type=Checkpoint)
    except msgspec.DecodeError:
        return None
    return checkpoint if checkpoint.format == FORMAT else None


def _read_earlier(path: Path) -> Checkpoint | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if int.from_bytes(content[:4], "little") != crc32(content[4:]):
        return None
    try:
        found = msgspec.msgpack.decode(content[4:], type=Checkpoint)
    except msgspec.DecodeError:
        return None
    if found.format >= FORMAT:
        return None
    orders = known_orders(found.open_orders) if found.format == OPEN_ORDERS else found.orders
    return msgspec.structs.replace(found, open_orders=[], orders=orders, format=FORMAT)
