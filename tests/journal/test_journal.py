"""The journal: writing it, reading it from elsewhere, and a disk that is against it."""

from __future__ import annotations

import errno
import itertools
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import pytest
from limits import full

from qehost.errors import JournalError, NewerFormat
from qehost.journal import Batch, Damage, Journal, JournalReader, appending, layout
from qehost.journal.layout import span
from qehost.journal.pruning import journal_bytes, prune
from qehost.journal.search import Wanted, find
from qehost.messages import StatusEvent
from qehost.records import decode_events, encode_events

SECOND = 10**9


def batch(first_seq: int, last_seq: int, text: str = "connected") -> bytes:
    return encode_events(
        [
            StatusEvent(seq, "main", f"id-{seq}", seq * SECOND, "stream", False, text, text)
            for seq in range(first_seq, last_seq + 1)
        ]
    )


def append(journal: Journal, first_seq: int, last_seq: int, text: str = "connected") -> None:
    events = batch(first_seq, last_seq, text)
    journal.append(events, first_seq, last_seq, first_seq * SECOND, last_seq * SECOND)


def append_until(
    journal: Journal, seq: int, done: Callable[[], bool], text: str = "x" * 500
) -> int:
    """Append until something has happened; the number of the last event."""
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        seq += 1
        append(journal, seq, seq, text)
        time.sleep(0.001)
    return seq


def eventually(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def seqs(folder: Path, after_seq: int = 0) -> list[int]:
    with JournalReader(folder) as reader:
        return [
            event.seq
            for item in reader.read(after_seq)
            if isinstance(item, Batch)
            for event in decode_events(item.events)
            if event.seq > after_seq
        ]


def damages(folder: Path, after_seq: int = 0) -> list[Damage]:
    with JournalReader(folder) as reader:
        return [item for item in reader.read(after_seq) if isinstance(item, Damage)]


def files(folder: Path) -> list[Path]:
    return layout.segments(folder)


def many_files(folder: Path, count: int = 3) -> int:
    """A journal of several files; the number of its last event."""
    seq = 0
    for _ in range(count):
        with Journal(folder) as journal:
            for _ in range(20):
                seq += 1
                append(journal, seq, seq)
        written_at = time.time() - 30 * 86_400 + seq
        os.utime(files(folder)[-1], (written_at, written_at))
    assert len(files(folder)) == count
    return seq


@pytest.fixture(autouse=True)
def quick_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qehost.journal.writer.KEEPER_INTERVAL", 0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "accounts" / "main" / "journal"


@pytest.fixture
def small(folder: Path) -> Iterator[Journal]:
    """A journal that begins a new file all the time."""
    with Journal(folder, segment_bytes=50_000, retry_interval=0.05) as journal:
        yield journal


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """What was brought to the disk: the size that each file (by inode) had."""
    found: dict[int, int] = {}
    name = "fdatasync" if hasattr(os, "fdatasync") else "fsync"
    real = getattr(os, name)

    def sync(fd: int) -> None:
        file = os.fstat(fd)
        real(fd)
        found[file.st_ino] = file.st_size

    monkeypatch.setattr(os, name, sync)
    return found


# --- writing and reading --------------------------------------------------------------------


def test_what_was_appended_is_read_back_byte_for_byte(folder: Path) -> None:
    with Journal(folder) as journal:
        append(journal, 1, 64)
        append(journal, 65, 65)
        with JournalReader(folder) as reader:
            assert list(reader.read(0)) == [
                Batch(1, 64, SECOND, 64 * SECOND, batch(1, 64)),
                Batch(65, 65, 65 * SECOND, 65 * SECOND, batch(65, 65)),
            ]


def test_reading_after_an_event_in_the_middle_of_a_batch_begins_with_that_batch(
    folder: Path,
) -> None:
    with Journal(folder) as journal:
        append(journal, 1, 10)
        append(journal, 11, 20)
    with JournalReader(folder) as reader:
        assert [item.first_seq for item in reader.read(4)] == [1, 11]
        assert [item.first_seq for item in reader.read(10)] == [11]
        assert list(reader.read(20)) == []


def test_the_sequence_goes_on_in_the_next_process(folder: Path) -> None:
    with Journal(folder) as journal:
        assert journal.last_seq() == 0
        append(journal, 1, 7)
    with Journal(folder) as journal:
        assert journal.last_seq() == 7
        append(journal, 8, 9)
    assert seqs(folder) == list(range(1, 10))


def test_a_journal_that_was_not_closed_is_whole(folder: Path) -> None:
    code = (
        "import os, sys, signal; from pathlib import Path; from qehost.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for seq in range(1, 501): journal.append(b'\\x90', seq, seq, seq, seq)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = subprocess.run([sys.executable, "-c", code, str(folder)], timeout=60, check=False)
    assert process.returncode == -signal.SIGKILL
    with JournalReader(folder) as reader:
        assert [item.first_seq for item in reader.read(0)] == list(range(1, 501))
    with Journal(folder) as journal:
        assert journal.last_seq() == 500


def test_the_files_and_folders_are_the_users_alone(folder: Path) -> None:
    with Journal(folder) as journal:
        append(journal, 1, 1)
        names = {path.name for path in folder.iterdir()}
        assert names == {"00000001.events", "last-seq", "lock"}
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        assert {path.stat().st_mode & 0o777 for path in (folder, *folder.parents[:2])} == {0o700}


def test_files_follow_one_another_and_are_read_as_one(folder: Path, small: Journal) -> None:
    last = append_until(small, 0, lambda: len(files(folder)) >= 4)
    assert seqs(folder) == list(range(1, last + 1))
    assert seqs(folder, last - 3) == list(range(last - 2, last + 1))
    small.close()
    assert seqs(folder) == list(range(1, last + 1))
    assert not any(path.stat().st_size == layout.HEADER_SIZE for path in files(folder))


def test_another_process_reads_everything_while_it_is_written(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from qehost.journal import JournalReader\n"
        "reader, seq, last = JournalReader(Path(sys.argv[1])), 0, int(sys.argv[2])\n"
        "while seq < last:\n"
        "    for batch in reader.read(seq):\n"
        "        assert batch.first_seq == seq + 1, (batch.first_seq, seq)\n"
        "        assert len(batch.events) == 700, batch\n"
        "        seq = batch.last_seq"
    )
    with Journal(folder, segment_bytes=200_000) as journal:
        args = [sys.executable, "-c", code, str(folder), "3000"]
        with subprocess.Popen(args) as process:
            for seq in range(1, 3001):
                journal.append(bytes(700), seq, seq, seq, seq)
                if seq % 10 == 0:
                    time.sleep(0.005)
            assert process.wait(60) == 0
    assert len(files(folder)) > 1


@pytest.mark.parametrize("scanning", [False, True])
def test_what_is_appended_between_reading_two_files_is_not_passed_over(
    folder: Path, scanning: bool
) -> None:
    """The writer appends to the old file while the new one is there already, and then goes over."""
    folder.mkdir(parents=True)
    old, new = (appending.create(folder, synced=False) for _ in range(2))

    def add(file: appending.OpenFile, seq: int) -> None:
        file.append(b"x", seq, seq, seq, seq)

    class Slow(JournalReader):
        """Between its reads of the two files the writer gets on."""

        def _end(self, paths: list[Path], position: int) -> int:
            if position == 1 and not appended:
                appended.append(True)
                add(old, 2)
                add(new, 3)
            return super()._end(paths, position)

    appended: list[bool] = []
    add(old, 1)
    with Slow(folder) as reader:
        found = list(reader.scan() if scanning else reader.read(0))
        assert [batch.first_seq for batch in found] == [1, 2, 3]
    assert appended
    old.close()
    new.close()


def test_power_durability_syncs_each_append_before_it_returns(
    folder: Path, synced: dict[int, int]
) -> None:
    with Journal(folder, "power") as journal:
        for seq in range(1, 4):
            append(journal, seq, seq)
            there = files(folder)[0].stat()
            assert synced[there.st_ino] == there.st_size
    assert seqs(folder) == [1, 2, 3]


def test_the_tail_holds_the_newest_events_oldest_first(folder: Path) -> None:
    last = many_files(folder)
    with JournalReader(folder) as reader:
        assert [item.first_seq for item in reader.tail(25)] == list(range(last - 24, last + 1))
        assert len(reader.tail(1000)) == last


def test_an_empty_or_missing_journal_has_nothing(folder: Path) -> None:
    with JournalReader(folder) as reader:
        assert list(reader.read(0)) == []
        assert reader.tail(10) == []
        assert reader.last_seq() == 0


def test_a_second_writer_is_refused_with_the_firsts_process_id(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qehost.journal.writer.WRITER_WAIT", 0.05)
    with Journal(folder), pytest.raises(JournalError, match=f"process {os.getpid()} writes"):
        Journal(folder)


def test_a_writer_waits_for_the_one_before_it_to_end(folder: Path) -> None:
    first = Journal(folder)
    append(first, 1, 1)

    def end() -> None:
        """It writes until it ends."""
        append(first, 2, 3)
        first.close()

    closing = threading.Timer(0.1, end)
    closing.start()
    with Journal(folder) as second:
        assert second.last_seq() == 3
        append(second, 4, 4)
        assert second.problem is None
    closing.join()
    assert seqs(folder) == [1, 2, 3, 4]


def test_a_newer_format_is_refused_with_advice(folder: Path) -> None:
    folder.mkdir(parents=True)
    newer = layout.HEADER.pack(layout.MAGIC, 99, bytes(8))
    (folder / "00000001.events").write_bytes(newer + struct.pack("<I", crc32(newer)))
    with pytest.raises(NewerFormat, match=r"format 99.*update qehost"):
        Journal(folder)
    with pytest.raises(NewerFormat), JournalReader(folder) as reader:
        list(reader.read(0))


# --- a disk that is against it ----------------------------------------------------------------


@pytest.mark.parametrize("room", [0, 20, 1000])
def test_an_append_that_fails_says_why_and_the_journal_comes_back(folder: Path, room: int) -> None:
    with Journal(folder, retry_interval=0.05) as journal:
        append(journal, 1, 1)
        size = files(folder)[0].stat().st_size
        with full(journal, room), pytest.raises(JournalError, match="the file is full"):
            append(journal, 2, 9, "x" * 5000)
        # Nothing is left of it.
        assert files(folder)[0].stat().st_size == size
        eventually(lambda: journal.problem is None)
        append(journal, 10, 11)
        assert journal.problem is None
        assert seqs(folder) == [1, 10, 11]


def test_numbers_of_events_that_could_not_be_written_are_not_given_twice(folder: Path) -> None:
    with Journal(folder, retry_interval=60) as journal:
        append(journal, 1, 1)
        with full(journal), pytest.raises(JournalError):
            append(journal, 2, 40, "x" * 5000)
    with Journal(folder) as journal:
        assert journal.last_seq() == 40


def test_a_real_full_disk_costs_protection_and_comes_back(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        with Journal(disk / "journal", segment_bytes=100_000, retry_interval=0.05) as journal:
            append(journal, 1, 1)
            filler = disk / "filler"
            with open(filler, "wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))
            seq = 1
            with suppress(JournalError):
                for seq in range(2, 1000):
                    append(journal, seq, seq, "x" * 2000)
            assert "full" in str(journal.problem)
            started = time.monotonic()
            for _ in range(100):
                with pytest.raises(JournalError):
                    append(journal, seq := seq + 1, seq)
            assert time.monotonic() - started < 5  # it fails at once, it does not wait
            assert journal.last_seq() == seq
            filler.unlink()
            eventually(lambda: journal.problem is None)
            append(journal, seq + 1, seq + 1)
            assert seqs(disk / "journal")[-1] == seq + 1
            assert seqs(disk / "journal")[0] == 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_limit_on_file_sizes_is_a_clear_error_too(folder: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from qehost.errors import JournalError; from qehost.journal import Journal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "journal = Journal(Path(sys.argv[1]), retry_interval=60)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "for seq in range(1, 1000):\n"
        "    try: journal.append(bytes(1000), seq, seq, seq, seq)\n"
        "    except JournalError as error: print(error); break"
    )
    args = [sys.executable, "-c", code, str(folder)]
    process = subprocess.run(args, timeout=60, check=True, capture_output=True, text=True)
    assert "full" in process.stdout
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    with JournalReader(folder) as reader:
        assert next(iter(reader.read(0))).first_seq == 1


def test_a_folder_that_cannot_be_made_is_no_error_until_an_append(tmp_path: Path) -> None:
    (tmp_path / "accounts").write_text("in the way")
    folder = tmp_path / "accounts" / "main"
    with Journal(folder, retry_interval=0.05) as journal:
        assert journal.problem is not None
        with pytest.raises(JournalError):
            append(journal, 1, 1)
        assert journal.last_seq() == 1


@pytest.mark.parametrize("what", ["delete the files", "delete the file", "cut off the file"])
def test_a_file_taken_away_while_it_is_written_is_replaced(folder: Path, what: str) -> None:
    with Journal(folder, retry_interval=0.05) as journal:
        append(journal, 1, 1, "x" * 9000)
        path = files(folder)[0]
        if what == "delete the files":
            for file in folder.iterdir():
                file.unlink()
        elif what == "delete the file":
            path.unlink()
        else:
            os.truncate(path, 100)
        eventually(lambda: journal._spare is not None)
        append(journal, 2, 2)
        assert seqs(folder)[-1] == 2
        assert journal.problem is None


def append_until_one_is_there(journal: Journal, number: int) -> int:
    """What comes until it is noticed that the file is gone is gone with it.  The number of the
    first event that is not."""
    numbers = itertools.count(number)

    def one_more_is_there() -> bool:
        nonlocal number
        number = next(numbers)
        append(journal, number, number)
        return number in seqs(journal.folder)

    eventually(one_more_is_there)
    return number


def test_a_folder_that_was_taken_away_comes_back_with_its_lock(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qehost.journal.writer.WRITER_WAIT", 0.05)
    with Journal(folder, retry_interval=0.05) as journal:
        append(journal, 1, 5)
        shutil.rmtree(folder)
        there = append_until_one_is_there(journal, 6)
        append(journal, there + 1, there + 1)
        with JournalReader(folder) as reader:
            assert reader.last_seq() == there + 1
        assert seqs(folder) == [there, there + 1]
        with pytest.raises(JournalError, match="writes here already"):
            Journal(folder)


def test_numbers_that_another_process_gave_meanwhile_are_not_given_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Journal(folder, retry_interval=0.02) as journal:
        append(journal, 1, 1)
        # Somebody took the folder away, and somebody else began another.
        folder.rename(folder.with_name("away"))
        folder.write_text("in the way")
        eventually(lambda: journal.problem is not None)
        with pytest.raises(JournalError):
            append(journal, 2, 2)
        other = folder.with_name("other")
        with Journal(other) as second:
            append(second, 1, 9)
        folder.unlink()
        other.rename(folder)
        # However often it is tried.
        eventually(lambda: caplog.text.count("numbers would be given twice") >= 3)
        with pytest.raises(JournalError, match="restart qehost"):
            append(journal, 3, 3)
        assert seqs(folder) == list(range(1, 10))


def test_a_folder_that_cannot_come_back_is_said_to_protect_nothing_until_it_can(
    folder: Path,
) -> None:
    with Journal(folder, retry_interval=0.05) as journal:
        append(journal, 1, 1)
        shutil.rmtree(folder)
        folder.write_text("in the way")
        eventually(lambda: journal.problem is not None)
        with pytest.raises(JournalError, match="must be a folder"):
            append(journal, 2, 2)
        folder.unlink()
        eventually(lambda: journal.problem is None)
        append(journal, 3, 3)
        assert seqs(folder) == [3]


def test_a_folder_that_can_be_made_later_is(tmp_path: Path) -> None:
    (tmp_path / "accounts").write_text("in the way")
    folder = tmp_path / "accounts" / "main"
    with Journal(folder, retry_interval=0.05) as journal:
        with pytest.raises(JournalError):
            append(journal, 1, 1)
        (tmp_path / "accounts").unlink()
        eventually(lambda: journal.problem is None)
        append(journal, 2, 2)
        assert seqs(folder) == [2]
    with Journal(folder) as journal:
        assert journal.last_seq() == 2


def test_an_empty_file_that_was_deleted_takes_its_successor_of_the_same_name_not_with_it(
    folder: Path,
) -> None:
    with Journal(folder, retry_interval=0.05) as journal:
        journal._go_over()
        (empty,) = files(folder)
        empty.unlink()
        there = append_until_one_is_there(journal, 1)
        assert files(folder) == [empty]
        eventually(lambda: not journal._retired)
        append(journal, there + 1, there + 1)
        assert seqs(folder) == [there, there + 1]
    assert seqs(folder) == [there, there + 1]


def test_a_disk_that_does_not_sync_gets_no_file_for_each_try(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    def failing(fd: int) -> None:
        tried.append(fd)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("qehost.journal.appending._sync", failing)
    with Journal(folder, retry_interval=60) as journal:
        last = append_until(journal, 0, lambda: len(tried) > 20)
        assert len(files(folder)) <= 2
        assert journal.problem is None
    assert caplog.text.count("going on in another file") == 1
    assert seqs(folder) == list(range(1, last + 1))


def test_a_fault_of_the_keepers_own_is_told_and_it_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = iter([RuntimeError("a fault")])

    def failing(journal: Journal, active: object) -> JournalError | None:
        if fault := next(faults, None):
            raise fault
        return real(journal, active)  # type: ignore[arg-type]

    real = Journal._fault
    monkeypatch.setattr(Journal, "_fault", failing)
    with Journal(folder, segment_bytes=20_000) as journal:
        append_until(journal, 0, lambda: len(files(folder)) > 2)
    assert "a fault" in caplog.text


def test_a_journal_that_is_closed_says_so(folder: Path) -> None:
    journal = Journal(folder)
    append(journal, 1, 1)
    journal.close()
    with pytest.raises(JournalError, match="is closed"):
        append(journal, 2, 2)
    assert journal.last_seq() == 1


def test_a_journal_whose_last_number_cannot_be_told_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_files(folder, 1)

    def refusing(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "pread", refusing)
    with pytest.raises(JournalError, match="Permission denied"):
        Journal(folder)


# --- damage -----------------------------------------------------------------------------------


def flip(path: Path, needle: bytes) -> None:
    """Change one bit behind the first place where `needle` stands."""
    content = bytearray(path.read_bytes())
    place = content.index(needle) + len(needle)
    content[place] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_costs_one_batch_and_is_told(folder: Path) -> None:
    with Journal(folder) as journal:
        for first in (1, 11, 21):
            append(journal, first, first + 9)
    flip(files(folder)[0], b"id-13")
    (damage,) = damages(folder)
    assert damage[:2] == (11, 20)
    assert "checksum" in str(damage.error)
    assert str(files(folder)[0]) in str(damage.error)
    assert seqs(folder) == [*range(1, 11), *range(21, 31)]


def test_a_spoiled_part_costs_what_stands_in_it(folder: Path) -> None:
    with Journal(folder) as journal:
        for seq in range(1, 201):
            append(journal, seq, seq)
    path = files(folder)[0]
    content = bytearray(path.read_bytes())
    place = content.index(b"id-100")
    content[place - 2000 : place + 2000] = b"\xff" * 4000
    path.write_bytes(content)
    (damage,) = damages(folder)
    lost = range(damage.first_seq, damage.last_seq + 1)
    assert 100 in lost
    assert len(lost) * len(batch(100, 100)) < 4000
    assert set(seqs(folder)) == set(range(1, 201)) - set(lost)


@pytest.mark.parametrize("part", [0, 0.001, 0.3, 0.95])
def test_a_file_that_was_cut_off_is_told_and_the_others_are_read(folder: Path, part: float) -> None:
    last = many_files(folder)
    path = files(folder)[1]
    os.truncate(path, int(path.stat().st_size * part))
    read = seqs(folder)
    assert set(read) >= {*range(1, 21), *range(41, last + 1)}
    told = {seq for item in damages(folder) for seq in range(item.first_seq, item.last_seq + 1)}
    assert told == set(range(1, last + 1)) - set(read)


def test_a_damaged_newest_file_is_left_behind_and_the_sequence_goes_on(folder: Path) -> None:
    last = many_files(folder)
    files(folder)[-1].write_bytes(b"not a journal at all, " * 1000)
    with Journal(folder) as journal:
        assert journal.problem is None
        assert journal.last_seq() == last
        append(journal, last + 1, last + 1)
    assert seqs(folder) == [*range(1, 41), last + 1]
    assert [item[:2] for item in damages(folder)] == [(41, 60)]


def test_a_search_tells_damage_and_finds_the_rest(folder: Path) -> None:
    last = many_files(folder)
    files(folder)[1].write_bytes(b"not a journal at all, " * 1000)
    for newest_first in (False, True):
        with JournalReader(folder) as reader:
            found = list(find(reader, Wanted(), newest_first=newest_first))
        (damage,) = (item for item in found if isinstance(item, Damage))
        assert damage[:2] == (21, 40)
        read = [item.seq for item in found if not isinstance(item, Damage)]
        assert sorted(read) == [*range(1, 21), *range(41, last + 1)]
        assert read == sorted(read, reverse=newest_first)


def test_damage_at_the_beginning_of_a_file_is_told_in_every_way_of_reading(folder: Path) -> None:
    last = many_files(folder)
    path = files(folder)[1]
    content = bytearray(path.read_bytes())
    content[layout.HEADER_SIZE + 10] ^= 1
    path.write_bytes(content)
    assert [item[:2] for item in damages(folder)] == [(21, 21)]
    for newest_first in (False, True):
        with JournalReader(folder) as reader:
            found = list(reader.scan(newest_first=newest_first))
        told = [item[:2] for item in found if isinstance(item, Damage)]
        assert told == [(21, 21)]
        assert len(found) == last
    with JournalReader(folder) as reader:
        assert [item.first_seq for item in reader.tail(last)] == [
            seq for seq in range(1, last + 1) if seq != 21
        ]


# --- pruning ----------------------------------------------------------------------------------


def test_pruning_by_age_deletes_whole_files_and_keeps_the_newest(folder: Path) -> None:
    last = many_files(folder)
    report = prune(folder, not_past_seq=last, keep_seconds=60)
    assert (report.files, report.last_seq, report.undelivered, report.held_back) == (
        2,
        40,
        0,
        False,
    )
    assert report.bytes > 0
    assert seqs(folder) == list(range(41, last + 1))


def test_pruning_by_age_stops_at_the_cursor_and_says_so(folder: Path) -> None:
    many_files(folder)
    report = prune(folder, not_past_seq=25, keep_seconds=60)
    assert (report.files, report.last_seq, report.held_back) == (1, 20, True)
    assert seqs(folder)[0] == 21


def test_pruning_by_size_goes_past_the_cursor_and_says_how_far(folder: Path) -> None:
    last = many_files(folder)
    report = prune(folder, not_past_seq=25, keep_bytes=1)
    assert (report.files, report.last_seq, report.undelivered) == (2, 40, 15)
    assert seqs(folder) == list(range(41, last + 1))


def test_what_is_young_and_small_is_kept(folder: Path) -> None:
    last = many_files(folder)
    size = journal_bytes(folder)
    assert prune(folder, not_past_seq=last, keep_seconds=1e9 * 5, keep_bytes=size).files == 0
    assert seqs(folder) == list(range(1, last + 1))


def test_pruning_while_it_is_written_leaves_the_file_in_use(folder: Path, small: Journal) -> None:
    last = append_until(small, 0, lambda: len(files(folder)) >= 4)
    prune(folder, not_past_seq=last, keep_seconds=0)
    append(small, last + 1, last + 1)
    assert seqs(folder)[-1] == last + 1
    assert len(files(folder)) <= 3


def test_a_damaged_file_is_pruned_when_it_is_old(folder: Path) -> None:
    last = many_files(folder)
    path = files(folder)[0]
    written_at = path.stat().st_mtime_ns
    path.write_bytes(b"not a journal at all, " * 1000)
    os.utime(path, ns=(written_at, written_at))
    report = prune(folder, not_past_seq=last, keep_seconds=60)
    assert report.files == 2
    assert not path.exists()


@pytest.mark.parametrize("year", [1970, 2106])
@pytest.mark.parametrize("which", [0, 1, 3])
def test_a_clock_that_was_wrong_for_a_while_neither_deletes_too_early_nor_keeps_for_ever(
    folder: Path, year: int, which: int
) -> None:
    last = many_files(folder, 5)
    wrong = (year - 1970) * 365.25 * 86_400
    os.utime(files(folder)[which], (wrong, wrong))
    kept = prune(folder, not_past_seq=last, keep_seconds=60 * 86_400)
    assert kept.files == 0
    assert prune(folder, not_past_seq=last, keep_seconds=60).files == 4


def test_files_that_cannot_be_looked_into_for_now_are_not_taken_for_delivered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_files(folder)

    def refusing(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(JournalError, match="Too many"):
        prune(folder, not_past_seq=5, keep_seconds=60)
    monkeypatch.undo()
    assert len(files(folder)) == 3


def test_damaged_neighbours_that_were_not_delivered_are_held_back(folder: Path) -> None:
    many_files(folder, 4)
    for path in files(folder)[1:3]:
        written_at = path.stat().st_mtime_ns
        path.write_bytes(b"not a journal at all, " * 1000)
        os.utime(path, ns=(written_at, written_at))
    report = prune(folder, not_past_seq=20, keep_seconds=60)
    assert (report.files, report.last_seq, report.held_back) == (1, 20, True)
    assert prune(folder, not_past_seq=60, keep_seconds=60).files == 2


def test_a_reader_lets_go_of_a_file_that_was_pruned(folder: Path) -> None:
    last = many_files(folder)
    with JournalReader(folder) as reader:
        assert len(list(reader.read(0))) == last
        prune(folder, not_past_seq=last, keep_seconds=60)
        assert list(reader.read(last)) == []
        assert list(reader._open) == files(folder)[-1:]


def test_a_reader_goes_on_when_its_file_is_pruned(folder: Path) -> None:
    last = many_files(folder)
    with JournalReader(folder) as reader:
        assert next(iter(reader.read(0))).first_seq == 1
        prune(folder, not_past_seq=last, keep_seconds=60)
        assert [item.first_seq for item in reader.read(1)] == list(range(41, last + 1))


# --- searching ----------------------------------------------------------------------------------


def test_a_search_by_time_reads_no_other_batches(folder: Path) -> None:
    many_files(folder)
    with JournalReader(folder) as reader:
        found = list(find(reader, Wanted(since=30 * SECOND, until=45 * SECOND)))
    assert [event.seq for event in found if isinstance(event, StatusEvent)] == list(range(30, 46))


def test_the_newest_events_come_without_reading_the_old_ones(folder: Path) -> None:
    last = many_files(folder)
    for path in files(folder)[:-1]:
        path.write_bytes(b"")
    with JournalReader(folder) as reader:
        found = find(reader, Wanted(), newest_first=True)
        newest = [next(found) for _ in range(5)]
    assert [event.seq for event in newest if isinstance(event, StatusEvent)] == list(
        range(last, last - 5, -1)
    )


def test_every_file_is_synced_after_its_last_append_though_the_stream_is_never_calm(
    folder: Path, synced: dict[int, int]
) -> None:
    with Journal(folder, segment_bytes=20_000) as journal:

        def left_and_synced() -> bool:
            left = [path.stat() for path in files(folder)[:-1]]
            return len(left) > 2 and all(synced.get(s.st_ino) == s.st_size for s in left)

        append_until(journal, 0, left_and_synced)


def test_what_was_appended_is_on_the_disk_within_the_keepers_pace(
    folder: Path, synced: dict[int, int]
) -> None:
    with Journal(folder) as journal:
        append(journal, 1, 1)
        there = files(folder)[0].stat()
        eventually(lambda: synced.get(there.st_ino) == there.st_size)


def test_a_file_that_was_pruned_while_it_was_written_does_not_come_back(folder: Path) -> None:
    with Journal(folder, segment_bytes=20_000) as journal:
        append_until(journal, 0, lambda: len(files(folder)) > 2)
        pruned = files(folder)[:-1]
        for path in pruned:
            path.unlink()
    assert not any(path.exists() for path in pruned)


def test_events_are_named_as_one_reads_them() -> None:
    assert [span(4, 4), span(4, 9)] == ["event 4", "events 4 to 9"]
