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
import shutil
import threading
import time
from collections import deque
from pathlib import Path
from typing import Literal

from qehost.errors import JournalError
from qehost.journal.appending import OpenFile, create
from qehost.journal.high_water import high_water_map, read_high_water
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

        Raises JournalError if another process writes this journal, a newer qehost has, or what is
        there can't be read: its last number would not be known.
        """
        self.folder = folder
        self._durability = durability
        self._segment_bytes = segment_bytes
        self._retry_interval = retry_interval
        # What is written; what it goes over to with the next append; what waits for its end.
        # Without the first there is a problem, or nothing was appended yet.
        self._active: OpenFile | None = None
        self._spare: OpenFile | None = None
        self._retired: deque[OpenFile] = deque()
        self._problem: JournalError | None = None
        self._retry_at = 0.0  # before that, no other file is tried because of a fault
        self._began = 0.0  # when the active file began to be used
        self._wake_at = segment_bytes  # the size at which the keeper is to be woken
        self._lock = FileLock(folder / "lock")
        self._high_water = _number(0)
        self._is_noted = False  # whether that number stands on the disk
        self._take_over()
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
            if not self._stopping:
                self._high_water[0] = last_seq
            raise self._problem or JournalError(str(self.folder), "is not open")
        problem = active.given_up
        if problem is None:
            try:
                active.append(events, first_seq, last_seq, first_at, last_at)
            except OSError as error:
                problem = trouble(active.path, error)
        if problem is not None:
            self._high_water[0] = last_seq
            self._problem = problem
            self._retired.append(active)
            self._active = None
            # At once, unless the last new file did not help either.
            self._retry_at = self._began + self._retry_interval
            self._wake.set()
            raise problem
        # After the record, not before: numbers that nobody was given would look like a loss.
        self._high_water[0] = last_seq
        if active.size >= self._wake_at:
            self._wake_at += self._segment_bytes
            self._wake.set()

    @property
    def problem(self) -> JournalError | None:
        """Why events are not protected at the moment; None: they are."""
        if self._spare or (self._active and not self._active.given_up):
            return None
        return self._active.given_up if self._active else self._problem

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
        before, self._high_water = self._high_water, _number(self._high_water[0])
        before.release()
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
            pass  # It is tried again with the first file, and told.
        try:
            # Only now: until it let go of the lock, that process may have written.
            with JournalReader(self.folder) as reader:
                self._high_water[0] = reader.last_seq()
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
        """Make the folder this process's own, again if somebody took it away.

        Raises JournalError.
        """
        if not self._lock.is_ours():
            self._lock_folder()
        if read_high_water(self.folder) > self._high_water[0]:
            self._lock.release()
            raise JournalError(
                str(self.folder),
                "another process has written here meanwhile, and numbers would be given twice: "
                "restart qehost",
            )
        try:
            kept = memoryview(high_water_map(self.folder)).cast("q")
        except OSError as error:
            raise trouble(self.folder, error) from error
        before, self._high_water = self._high_water, kept
        kept[0] = max(before[0], kept[0])
        self._is_noted = True
        self._remove_empty()

    def _has_folder(self) -> bool:
        seq = self._high_water[0]
        return self._is_noted and self._lock.is_ours() and read_high_water(self.folder) >= seq

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
            try:
                if not self._stopping:
                    self._look_after()
                self._close_retired()
            except Exception:
                # Without a keeper there would be no next file, and nobody would know.
                log.exception("journal %s: looking after its files failed", self.folder)

    def _look_after(self) -> None:
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
        """Make the file that the next append goes over to."""
        try:
            if not self._has_folder():
                self._take_folder()
            self._spare = create(self.folder, synced=self._durability == "power")
        except (OSError, JournalError) as error:
            told = error if isinstance(error, JournalError) else trouble(self.folder, error)
            active = self._active
            if active is None:
                self._problem = told
            elif not active.is_whole():
                active.given_up = told
            log.error("%s; trying again in %g seconds", told, self._retry_interval)
            self._retry_at = time.monotonic() + self._retry_interval

    def _has_room(self) -> bool:
        """Coming back to a disk that is all but full would fail again at once."""
        try:
            return shutil.disk_usage(self.folder).free > 2 * self._segment_bytes
        except OSError:
            return True  # The folder is gone; making the file tells what is wrong.

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


def _number(seq: int) -> memoryview[int]:
    """As long as it can't stand on the disk."""
    number = memoryview(bytearray(8)).cast("q")
    number[0] = seq
    return number


class _Busy(JournalError):
    """Another process writes this journal."""
