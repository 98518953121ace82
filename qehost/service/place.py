"""How far a program has come in its account's events, and where those are that it was not given."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from qehost.config import seconds
from qehost.errors import GapError, JournalError
from qehost.host.cursors import Marks
from qehost.journal import Batch, JournalReader
from qehost.messages import AnyEvent
from qehost.records import decode_events
from qehost.service.logger import Guarded
from qehost.settings import JournalSettings
from qehost.state import StateFolder
from qehost.supervision.placing import last_seq_of
from qehost.supervision.upkeep import Upkeep

__all__ = ["HOST", "InJournal", "InMemory", "Missing", "Place"]

log = Guarded(logging.getLogger("qehost.service"))

HOST = "service"
"""As which host process the program has its cursor in the state folder."""


class Missing(NamedTuple):
    """Events up to `last_seq` can't be had."""

    last_seq: int
    error: GapError


class Place:
    """`position` is the last event that was delivered, `before` the last of earlier runs."""

    position = 0
    before = 0

    def earlier(self, until: int) -> Iterator[Sequence[AnyEvent] | Missing]:
        """What stands in the journal after the position, up to event `until`."""
        raise NotImplementedError

    def hand(self, events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
        """Events that are about to be delivered; those that may have been before are marked."""
        raise NotImplementedError

    def move(self, seq: int) -> None:
        """Everything up to `seq` has been delivered."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class InMemory(Place):
    """Without a journal.  Lasts as long as the connection does."""

    def earlier(self, until: int) -> Iterator[Sequence[AnyEvent] | Missing]:
        return iter(())

    def hand(self, events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
        return events

    def move(self, seq: int) -> None:
        self.position = seq

    def close(self) -> None:
        return


class InJournal(Place):
    """In a state folder, which is this program's alone.

    Raises StateFolderBusy if another one works in it, JournalError if it can't be used.
    """

    def __init__(
        self, state_dir: str | os.PathLike[str], account: str, settings: JournalSettings
    ) -> None:
        folder = StateFolder(state_dir)
        self._account = account
        with ExitStack() as undo:
            lock = folder.lock()
            undo.callback(lock.release)
            self._reader = JournalReader(folder.journal(account))
            undo.callback(self._reader.close)
            self._marks = Marks.open(folder.marks(HOST), (), (), [account])
            undo.callback(self._marks.close)
            cursor = self._marks.cursor(account)
            self._handed = self._marks.handed(account)
            last_seq = last_seq_of(folder, account, max(cursor or 0, self._handed))
            if cursor is None:
                # A program that is new in this folder begins at the end.
                cursor = last_seq
                self._marks.advance(account, cursor)
            self.position = cursor
            self.before = last_seq
            if self._marks.lost:
                self._handed = last_seq
            upkeep = Upkeep(
                folder,
                [account],
                [HOST],
                keep=seconds(settings.keep),
                keep_bytes=settings.keep_bytes,
                log=log,
            )
            undo.callback(upkeep.stop)
            upkeep.start()
            self._held = undo.pop_all()

    def earlier(self, until: int) -> Iterator[Sequence[AnyEvent] | Missing]:
        try:
            for part in self._reader.read(self.position):
                if part.first_seq > until:
                    break
                if not isinstance(part, Batch):
                    yield Missing(min(part.last_seq, until), GapError(str(part.error)))
                    continue
                try:
                    yield decode_events(part.events)
                except msgspec.DecodeError as error:
                    yield Missing(
                        part.last_seq, GapError(f"what the journal has can't be decoded ({error})")
                    )
        except JournalError as error:
            # What is missing shows at the next event.
            log.error("%s", error)

    def hand(self, events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
        if events[0].seq <= self._handed:
            events = [
                replace(event, redelivered=True) if event.seq <= self._handed else event
                for event in events
            ]
        if events[-1].seq > self._handed:
            self._handed = events[-1].seq
            self._marks.hand(self._account, self._handed)
        return events

    def move(self, seq: int) -> None:
        self.position = seq
        self._marks.advance(self._account, seq)

    def close(self) -> None:
        self._held.close()
