"""A model of journal, cursor and dead letters: whatever happens in whatever order, every event that
was written is delivered, or dead-lettered, or told to be gone."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from limits import full

from qehost.errors import JournalError
from qehost.events.codec import decode_events, encode_events
from qehost.messages import StatusEvent
from qehost.storage.cursor_file import furthest_behind
from qehost.storage.cursors import Cursors
from qehost.storage.dead_letters import DeadLetters
from qehost.storage.journal import Damage, Journal, JournalReader
from qehost.storage.journal.layout import segments
from qehost.storage.journal.pruning import prune
from qehost.storage.state_folder import StateFolder

ACCOUNT, PLUGIN = "main", "sink"


def encoded(first_seq: int, last_seq: int, size: int) -> bytes:
    return encode_events(
        [
            StatusEvent(seq, ACCOUNT, "", seq, "stream", False, "", "x" * size)
            for seq in range(first_seq, last_seq + 1)
        ]
    )


class Machine(RuleBasedStateMachine):
    """A writer, a host with one plugin, and everything that can happen to them.

    A crash copies the folder as it stands and goes on with the copy: what a killed process leaves
    is what the kernel has, nothing that it would have tidied up.
    """

    @initialize()
    def begin(self) -> None:
        # In memory where that can be had: there are thousands of syncs.
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.root = Path(tempfile.mkdtemp(prefix="qehost-model-", dir=memory))
        self.generation = 0
        self.next_seq = 1
        self.written: set[int] = set()
        self.unprotected: set[int] = set()
        self.delivered: set[int] = set()
        self.dead: set[int] = set()
        self.gone: set[int] = set()
        self.full = False
        self.order: list[int] = []
        self.folder = StateFolder(self.root / "0")
        self.start_writer()
        self.start_host()

    def start_writer(self) -> None:
        self.journal = Journal(self.folder.journal(ACCOUNT), segment_bytes=40_000)
        # Numbers are never given twice, protected or not.
        assert self.journal.last_seq() == self.next_seq - 1

    def start_host(self) -> None:
        self.cursors = Cursors.open(self.folder.progress_file("main"), (PLUGIN,), (ACCOUNT,))
        if self.cursors.cursor(ACCOUNT) is None:
            self.cursors.advance(ACCOUNT, 0)
        self.letters = DeadLetters(self.folder.dead_letters_file)
        self.reader = JournalReader(self.folder.journal(ACCOUNT))
        self.order.clear()

    def stop_host(self) -> None:
        self.reader.close()
        self.letters.close()
        self.cursors.close()

    @property
    def cursor(self) -> int:
        return self.cursors.cursor(ACCOUNT) or 0

    # --- the writer -----------------------------------------------------------------------

    @rule(count=st.integers(1, 40), size=st.sampled_from([0, 10, 300, 6000]))
    def append(self, count: int, size: int) -> None:
        first, last = self.next_seq, self.next_seq + count - 1
        self.next_seq = last + 1
        numbers = set(range(first, last + 1))
        try:
            with self.disk():
                self.journal.append(encoded(first, last, size), first, last, first, last)
        except JournalError:
            # The caller is told, and goes on with them unprotected.
            self.unprotected |= numbers
        else:
            self.written |= numbers

    @rule()
    def disk_full(self) -> None:
        self.full = True

    def disk(self) -> AbstractContextManager[None]:
        """Full means that the newest file takes a hundred bytes more."""
        if not self.full or self.journal._active is None:
            return nullcontext()
        self.full = False
        return full(self.journal, room=100)

    @rule()
    def restart_writer(self) -> None:
        self.journal.close()
        self.start_writer()

    # --- the host -------------------------------------------------------------------------

    @rule(limit=st.integers(1, 60), raises=st.booleans(), die=st.booleans())
    def deliver(self, limit: int, raises: bool, die: bool) -> None:
        """Some events; the last raises, or the host dies behind it and before the cursor moves."""
        for seq in self.pending(limit):
            assert not self.order or seq > self.order[-1]
            self.order.append(seq)
            self.cursors.put_in_flight(ACCOUNT, seq)
            if raises and seq % 7 == 0:
                self.kill(seq)
            else:
                self.delivered.add(seq)
            if die:
                self.stop_host()
                self.start_host()
                return
            self.cursors.advance(ACCOUNT, seq)

    def pending(self, limit: int) -> list[int]:
        found: list[int] = []
        for item in self.reader.read(self.cursor, chunk_bytes=5000):
            if isinstance(item, Damage):
                self.gone |= set(range(item.first_seq, item.last_seq + 1))
                continue
            found += [e.seq for e in decode_events(item.events) if e.seq > self.cursor]
            if len(found) >= limit:
                break
        return found[:limit]

    def kill(self, seq: int) -> None:
        """An event that a plugin can't take."""
        self.letters.add(
            account=ACCOUNT,
            plugin=PLUGIN,
            process="main",
            seq=seq,
            hook="on_status",
            cause="raised",
            detail="ValueError",
            event=encoded(seq, seq, 0),
        )
        self.dead.add(seq)

    @rule()
    def retry(self) -> None:
        self.letters.mark([letter.id for letter in self.letters.letters(state="dead")])
        for letter in self.letters.take([PLUGIN]):
            (event,) = decode_events(letter.event)
            assert event.seq == letter.seq
            self.letters.delivered(letter.id)
            self.delivered.add(letter.seq)

    @rule()
    def restart_host(self) -> None:
        before = self.cursor
        self.stop_host()
        assert furthest_behind(self.folder, ACCOUNT) == {"main": ("", before)}
        self.start_host()
        assert self.cursor == before

    # --- everybody ------------------------------------------------------------------------

    @rule()
    def crash(self) -> None:
        """All die at once."""
        self.generation += 1
        left = StateFolder(self.root / str(self.generation))
        # The folder as the kernel has it, before anybody tidies up.
        for path, _, names in os.walk(self.folder.path):
            there = left.path / Path(path).relative_to(self.folder.path)
            there.mkdir(mode=0o700)
            for name in names:
                try:
                    shutil.copy2(Path(path) / name, there / name)
                except FileNotFoundError:
                    continue  # Its maintenance is at work.
        self.stop_host()
        self.journal.close()
        shutil.rmtree(self.folder.path)
        self.folder = left
        self.start_writer()
        self.start_host()

    @rule(by_size=st.booleans())
    def prune(self, by_size: bool) -> None:
        report = prune(
            self.folder.journal(ACCOUNT),
            not_past_seq=self.cursor,
            keep_seconds=0,
            keep_bytes=30_000 if by_size else None,
        )
        lost = {seq for seq in self.written if self.cursor < seq <= report.last_seq} - self.gone
        assert len(lost) <= report.undelivered
        if not by_size:
            assert not report.undelivered
        self.gone |= lost

    @rule(place=st.floats(0.01, 0.99), which=st.floats(0, 1))
    def flip_a_bit(self, place: float, which: float) -> None:
        """In a file that is no longer written."""
        self.journal.close()
        self.reader.close()
        files = segments(self.folder.journal(ACCOUNT))[:-1]
        if files:
            path = files[int(which * (len(files) - 1))]
            content = bytearray(path.read_bytes())
            content[int(place * len(content))] ^= 1 << 3
            path.write_bytes(content)
        self.start_writer()
        # What can't be read is told; noted here, since it may be behind the cursor already.
        self.gone |= self.read_after(0)[1]

    @invariant()
    def nothing_is_lost_unless_said(self) -> None:
        """What was written is behind the cursor and done, or before it and there to be read."""
        done = self.delivered | self.dead | self.gone
        assert {seq for seq in self.written if seq <= self.cursor} <= done
        readable, told = self.read_after(self.cursor)
        assert {seq for seq in self.written if seq > self.cursor} <= readable | told | self.gone

    def read_after(self, cursor: int) -> tuple[set[int], set[int]]:
        """The events that can be read, and those that are told to be missing."""
        readable: set[int] = set()
        told: set[int] = set()
        for item in self.reader.read(cursor):
            if isinstance(item, Damage):
                told |= set(range(item.first_seq, item.last_seq + 1))
            else:
                readable |= {event.seq for event in decode_events(item.events)}
        return readable, told

    def teardown(self) -> None:
        if hasattr(self, "root"):
            self.stop_host()
            self.journal.close()
            shutil.rmtree(self.root)


Machine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestNothingIsLost = Machine.TestCase
