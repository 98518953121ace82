"""Writing the journal: every event, before it is delivered.

One thread appends, and never waits: not for a lock, not for the disk (unless durability "power"
says so), not for a new file (but for the one that begins when the clock has jumped).  A second
thread does what takes long.  It prepares the next file, and the appending thread switches to that
whenever there is one: when the old one is full, and after a fault.  So a full disk, a read-only
folder and a damaged file are all overcome in the same way.  The second thread also syncs what was
appended, and closes the files that were left.

`layout.py` has the format.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import deque
from pathlib import Path
from typing import Literal

from qehost.errors import JournalError
from qehost.storage.folder_lock import FolderLock
from qehost.storage.journal.appending import OpenFile, create
from qehost.storage.journal.high_water import HighWater, noted_at, read_high_water
from qehost.storage.journal.identity import JournalIdentity
from qehost.storage.journal.layout import HEADER_SIZE, segments
from qehost.storage.journal.reader import JournalReader
from qehost.storage.private_files import private_folder, trouble

__all__ = ["Journal"]

log = logging.getLogger("qehost.journal")

WRITER_WAIT = 5.0
"""Seconds to wait for the process that wrote before this one: it ends within a second of the
supervisor's death."""
MAINTAIN_EVERY = 1.0
"""Seconds: what a power cut may cost with durability "process"."""


class Journal:
    """The journal of one account, for the one process that writes it.

    `folder` is `StateFolder.journal(account)`.  With durability `power` each append is on the disk
    before it returns; with `process` a power cut may cost about the last second, and nothing else
    costs anything.
    """

    def __init__(
        self,
        folder: Path,
        durability: Literal["process", "power"] = "process",
        *,
        segment_bytes: int = 32 << 20,
        retry_interval: float = 5.0,
    ) -> None:
        """Open the journal and begin a new file.

        `segment_bytes` is the size at which the next file begins, `retry_interval` (seconds) the
        pace at which a journal that failed is tried again.  A folder that can't be written is no
        error here: `problem` says so, and it is tried again.

        Raises JournalError if another process writes this journal, a newer qehost has, or what is
        there can't be read: its last number would not be known.
        """
        self.folder = folder
        self.durability = durability
        self.left_at = 0
        """When a process before this one gave an event its number last; by this machine's clock,
        epoch ns, 0 where that is not known."""
        self._identity = JournalIdentity()
        self._segment_bytes = segment_bytes
        self._retry_interval = retry_interval
        # What is written; what the next append switches to; what is to be closed.  Without the
        # first there is a problem, or nothing was appended yet.
        self._active: OpenFile | None = None
        self._spare: OpenFile | None = None
        self._retired: deque[OpenFile] = deque()
        self._making = threading.Lock()  # held while the spare file is made
        self._problem: JournalError | None = None
        self._retry_at = 0.0  # before that, no other file is tried because of a fault
        self._began = 0.0  # when the active file began to be used
        self._wake_at = segment_bytes  # the size at which the other thread is to be woken
        self._lock = FolderLock(folder)
        self._last_seq = 0
        # The last is the one in the folder.  They are closed at the end only: the other thread may
        # be writing into one.
        self._high_waters: list[HighWater] = []
        self._take_over()
        self._prepare()
        self._wake = threading.Event()
        self._stopping = False
        self._maintenance = threading.Thread(
            target=self._maintain, name="qehost-journal", daemon=True
        )
        self._maintenance.start()

    def append(
        self, events: bytes, first_seq: int, last_seq: int, first_at: int, last_at: int
    ) -> None:
        """Write one batch: `events` as `encode_events` made them, times in epoch ns.

        Raises JournalError at once if it can't be written.  The batch is then not in the journal
        and will not get there; its numbers count as given all the same.
        """
        if self._identity.note(first_at, last_at):
            self._begin_anew()
        if self._spare is not None:
            self._switch()
        active = self._active
        if active is None:
            if not self._stopping:
                self._count(last_seq)
            raise self._problem or JournalError(str(self.folder), "is not open")
        problem = active.given_up
        if problem is None:
            try:
                active.append(events, first_seq, last_seq, first_at, last_at)
            except OSError as error:
                problem = trouble(active.path, error)
        if problem is not None:
            self._count(last_seq)
            self._problem = problem
            self._retired.append(active)
            self._active = None
            # At once, unless the last new file did not help either.
            self._retry_at = self._began + self._retry_interval
            self._wake.set()
            raise problem
        # After the record, not before: numbers that no event has would look like a loss.
        self._count(last_seq)
        if active.size >= self._wake_at:
            self._wake_at += self._segment_bytes
            self._wake.set()

    def _count(self, last_seq: int) -> None:
        self._last_seq = last_seq
        if self._high_waters:
            self._high_waters[-1].note(last_seq)

    @property
    def journal_id(self) -> str:
        """16 hex digits that name the events appended from now on, together with their numbers.

        They are drawn by each `Journal`, and again where the clock jumps: the machine may have been
        resumed from an image of its memory, of which there may be others.
        """
        return self._identity.journal_id

    @property
    def problem(self) -> JournalError | None:
        """Why events are not protected at the moment; None: they are."""
        if self._spare or (self._active and not self._active.given_up):
            return None
        return self._active.given_up if self._active else self._problem

    def last_seq(self) -> int:
        """The number of the last event that was given one, in this process's life or before.

        It counts events that could not be written, too.
        """
        return self._last_seq

    def close(self) -> None:
        """Finish the file and unlock the folder."""
        if self._stopping:
            return
        self._stopping = True
        self._wake.set()
        self._maintenance.join()
        self._retired.extend(file for file in (self._active, self._spare) if file is not None)
        self._active = self._spare = None
        self._problem = JournalError(str(self.folder), "is closed")
        self._close_retired()
        while self._high_waters:
            self._high_waters.pop().close()
        self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take_over(self) -> None:
        """Begin where the process before this one has ended.  Raises as the constructor."""
        try:
            self._lock_folder(WRITER_WAIT)
        except _Busy:
            raise
        except JournalError:
            pass  # it is tried again with the first file, and logged
        try:
            # Only now: until it released the lock, that process may have written.
            self.left_at = noted_at(self.folder)
            with JournalReader(self.folder) as reader:
                self._last_seq = reader.last_seq()
        except JournalError:
            self._lock.release()
            raise

    def _lock_folder(self, wait: float = 0.0) -> None:
        """Raises JournalError, `_Busy` where another process has it."""
        private_folder(self.folder)
        self._lock.release()
        if not self._lock.acquire(wait):
            holder = self._lock.holder()
            who = f"process {holder}" if holder else "another process"
            raise _Busy(str(self.folder), f"{who} writes here already: stop it first")

    def _take_folder(self) -> None:
        """Make the folder this process's own, again where it was deleted or moved.

        Raises JournalError.
        """
        if not self._lock.is_ours():
            self._lock_folder()
        if read_high_water(self.folder) > self._last_seq:
            self._lock.release()
            raise JournalError(
                str(self.folder),
                "another process has written here meanwhile, and numbers would be given twice: "
                "restart qehost",
            )
        try:
            high_water = HighWater(self.folder)
        except OSError as error:
            raise trouble(self.folder, error) from error
        high_water.note(self._last_seq)
        self._high_waters.append(high_water)
        self._remove_empty()

    def _has_folder(self) -> bool:
        noted = self._high_waters
        return bool(noted) and self._lock.is_ours() and noted[-1].is_in(self.folder)

    def _begin_anew(self) -> None:
        """Leave the files that have another id."""
        log.warning(
            "journal %s: the clock has jumped; events have the journal id %s from now on",
            self.folder,
            self.journal_id,
        )
        with self._making:
            if self._stopping:
                return
            self._retired.extend(file for file in (self._active, self._spare) if file is not None)
            self._active = self._spare = None
            self._make_spare()

    def _switch(self) -> None:
        if self._active is not None:
            self._retired.append(self._active)
        elif self._problem is not None:
            log.warning("journal %s: events are protected again", self.folder)
            self._problem = None
        self._active, self._spare = self._spare, None
        self._began = time.monotonic()
        self._wake_at = self._segment_bytes
        self._wake.set()

    # --- the second thread --------------------------------------------------------------------

    def _maintain(self) -> None:
        while not self._stopping:
            self._wake.wait(MAINTAIN_EVERY)
            self._wake.clear()
            try:
                if not self._stopping:
                    self._check_files()
                self._close_retired()
            except Exception:
                # Without this thread there would be no next file, in silence.
                log.exception("journal %s: maintaining its files failed", self.folder)

    def _check_files(self) -> None:
        """See to it that the next append has somewhere to go."""
        active = self._active
        fault = None if active is None else self._fault(active)
        wanted = self._has_room() if active is None else active.size >= self._segment_bytes
        now = time.monotonic()
        # The next file before the last one's end, which waits for the disk.
        if (wanted or fault) and self._spare is None and now >= self._retry_at:
            if fault:
                log.error("%s; going on in another file", fault)
                # One that comes again with each file must not make a thousand of them.
                self._retry_at = now + self._retry_interval
            self._prepare()

    def _fault(self, active: OpenFile) -> JournalError | None:
        """What is wrong with the file; in passing it is brought to the disk."""
        if not active.is_whole():
            what = "was deleted or cut off while it was written"
            return JournalError(str(active.path), what)
        try:
            active.sync()
        except OSError as error:
            return trouble(active.path, error)
        return None

    def _prepare(self) -> None:
        """Make the file that the next append switches to."""
        with self._making:
            if self._spare is None:
                self._make_spare()

    def _make_spare(self) -> None:
        try:
            if not self._has_folder():
                self._take_folder()
            mark, synced = self._identity.bits, self.durability == "power"
            self._spare = create(self.folder, mark, synced=synced)
        except (OSError, JournalError) as error:
            problem = error if isinstance(error, JournalError) else trouble(self.folder, error)
            active = self._active
            if active is None:
                self._problem = problem
            elif not active.is_whole():
                active.given_up = problem
            log.error("%s; trying again in %g seconds", problem, self._retry_interval)
            self._retry_at = time.monotonic() + self._retry_interval

    def _has_room(self) -> bool:
        """Coming back to a disk that is all but full would fail again at once."""
        try:
            return shutil.disk_usage(self.folder).free > 2 * self._segment_bytes
        except OSError:
            return True  # the folder is gone; making the file shows what is wrong

    def _close_retired(self) -> None:
        while self._retired:
            file = self._retired.popleft()
            for step in (file.sync, file.close):
                try:
                    step()
                except OSError as error:
                    log.error("%s", trouble(file.path, error))

    def _remove_empty(self) -> None:
        """What a process that was killed has left without using it.  Raises JournalError."""
        for path in reversed(segments(self.folder)):
            try:
                if path.stat().st_size != HEADER_SIZE:
                    break
                path.unlink()
            except OSError as error:
                raise trouble(path, error) from error


class _Busy(JournalError):
    """Another process writes this journal."""
