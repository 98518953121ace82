"""The journal: every event, before it is handed over.  Here: writing it.

One thread appends, and never waits: not for a lock, not for the disk (unless durability "power"
says so), not for a new file.  A second thread, the keeper, does what takes long.  It prepares the
next file, and the appending thread goes over to that whenever there is one: when the old one is
full, and after a fault.  So there is one way on, and a full disk, a read-only folder or a damaged
file are all left behind by it.  The keeper closes what was left, and syncs what was appended.

`layout.py` has the format.
"""

from __future__ import annotations

import logging
import mmap
import os
import shutil
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Literal

from qehost.errors import JournalError, NewerFormat
from qehost.journal.appending import OpenFile, create
from qehost.journal.layout import HEADER_SIZE, segments
from qehost.journal.reader import JournalReader
from qehost.state import FileLock, private_folder, trouble

__all__ = ["Journal"]

log = logging.getLogger("qehost.journal")

# How long to wait for the process that wrote before this one: it ends within a second of the
# supervisor's death.
WRITER_WAIT = 5.0
# How often the keeper looks (seconds): what a power cut may cost with durability "process".
KEEPER_INTERVAL = 1.0


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

        Raises JournalError if another process writes this journal, or a newer qehost has.
        """
        self.folder = folder
        self._durability = durability
        self._segment_bytes = segment_bytes
        self._retry_interval = retry_interval
        self._active: OpenFile | None = None
        self._spare: OpenFile | None = None
        self._retired: deque[OpenFile] = deque()
        self._problem: JournalError | None = None
        self._retry_at = 0.0
        self._began = 0.0
        self._wake_at = segment_bytes
        self._lock = FileLock(folder / "lock")
        self._take_folder()
        self._mark_map = _high_water_map(folder)
        self._high_water = memoryview(self._mark_map).cast("q")
        try:
            with JournalReader(folder) as reader:
                self._high_water[0] = max(reader.last_seq(), self._high_water[0])
            self._remove_empty()
        except NewerFormat:
            self._release()
            raise
        except JournalError as error:
            self._problem = error
        self._prepare()
        self._wake = threading.Event()
        self._stopping = False
        self._keeper = threading.Thread(target=self._keep, name="journal keeper", daemon=True)
        self._keeper.start()

    def append(
        self, events: bytes, first_seq: int, last_seq: int, first_at: int, last_at: int
    ) -> None:
        """Write one batch: `events` as `qehost.records.encode_events` made them, times in epoch ns.

        Raises JournalError at once if it can't be written.  The batch is then not in the journal
        and will not get there; its numbers count as given all the same.
        """
        if self._spare is not None:
            self._go_over()
        active = self._active
        if active is None:
            self._high_water[0] = last_seq
            raise self._problem or JournalError(str(self.folder), "is not open")
        try:
            active.append(events, first_seq, last_seq, first_at, last_at)
        except OSError as error:
            self._high_water[0] = last_seq
            self._problem = trouble(active.path, error)
            self._retired.append(active)
            self._active = None
            # At once, unless the last new file did not help either.
            self._retry_at = self._began + self._retry_interval
            self._wake.set()
            raise self._problem from error
        # After the record, not before: numbers that nobody was given would look like a loss.
        self._high_water[0] = last_seq
        if active.size >= self._wake_at:
            self._wake_at += self._segment_bytes
            self._wake.set()

    @property
    def problem(self) -> JournalError | None:
        """Why events are not protected at the moment; None: they are."""
        return None if self._active or self._spare else self._problem

    def last_seq(self) -> int:
        """The number of the last event that was given one, in this process's life or before.

        It stands in memory that outlives the process, so it counts events that could not be
        written.
        """
        return int(self._high_water[0])

    def close(self) -> None:
        """Finish the file and let go of the folder."""
        if self._stopping:
            return
        self._stopping = True
        self._wake.set()
        self._keeper.join()
        self._retired.extend(file for file in (self._active, self._spare) if file is not None)
        self._active = self._spare = None
        self._problem = JournalError(str(self.folder), "is closed")
        self._close_retired()
        self._release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take_folder(self) -> None:
        try:
            private_folder(self.folder)
            taken = self._lock.acquire(WRITER_WAIT)
        except JournalError as error:
            self._problem = error
            return
        if not taken:
            raise JournalError(
                str(self.folder),
                f"process {self._lock.holder()} writes here already: stop it first",
            )

    def _release(self) -> None:
        self._high_water.release()
        self._mark_map.close()
        self._lock.release()

    def _go_over(self) -> None:
        if self._active is not None:
            self._retired.append(self._active)
        elif self._problem is not None:
            log.warning("journal %s: events are protected again", self.folder)
            self._problem = None
        self._active, self._spare = self._spare, None
        self._began = time.monotonic()
        self._wake_at = self._segment_bytes
        self._wake.set()

    # --- the keeper's thread ------------------------------------------------------------------

    def _keep(self) -> None:
        while not self._stopping:
            self._wake.wait(KEEPER_INTERVAL)
            self._wake.clear()
            # The next file before the last one's end, which waits for the disk.
            if not self._stopping:
                self._look_after()
            self._close_retired()

    def _look_after(self) -> None:
        active = self._active
        wanted = self._has_room() if active is None else not self._goes_on(active)
        if wanted and self._spare is None and time.monotonic() >= self._retry_at:
            self._prepare()

    def _goes_on(self, active: OpenFile) -> bool:
        """Whether it can go on being written; in passing it is brought to the disk."""
        if not active.is_whole():
            log.error("journal %s was deleted or cut off while it was written", active.path)
            return False
        return self._sync(active) and active.size < self._segment_bytes

    def _prepare(self) -> None:
        """Make the file that the next append goes over to."""
        try:
            self._spare = create(self.folder, synced=self._durability == "power")
        except (OSError, JournalError) as error:
            told = error if isinstance(error, JournalError) else trouble(self.folder, error)
            if self._active is None:
                self._problem = told
            log.error("%s; trying again in %g seconds", told, self._retry_interval)
            self._retry_at = time.monotonic() + self._retry_interval

    def _has_room(self) -> bool:
        """Coming back to a disk that is all but full would fail again at once."""
        try:
            return shutil.disk_usage(self.folder).free > 2 * self._segment_bytes
        except OSError:
            return True  # The folder is gone; making the file tells what is wrong.

    def _sync(self, file: OpenFile) -> bool:
        try:
            file.sync()
        except OSError as error:
            log.error("%s", trouble(file.path, error))
            return False
        return True

    def _close_retired(self) -> None:
        while self._retired:
            file = self._retired.popleft()
            self._sync(file)
            file.close()
            if file.is_empty:
                with suppress(OSError):
                    file.path.unlink()

    def _remove_empty(self) -> None:
        """What a process that was killed has left without using it."""
        for path in reversed(segments(self.folder)):
            try:
                if path.stat().st_size != HEADER_SIZE:
                    break
                path.unlink()
            except OSError as error:
                raise trouble(path, error) from error


def _high_water_map(folder: Path) -> mmap.mmap:
    """Eight bytes that outlive the process: the last number given.

    They are written when the disk is full, too, since their place was taken before.
    """
    try:
        fd = os.open(folder / "last-seq", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(fd).st_size != 8:
                os.ftruncate(fd, 0)
                os.pwrite(fd, bytes(8), 0)
            return mmap.mmap(fd, 8)
        finally:
            os.close(fd)
    except OSError:
        return mmap.mmap(-1, 8)
