"""Writing a journal: nothing that was acknowledged is lost, whatever the disk does."""

from __future__ import annotations

import errno
import itertools
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from journals import append, append_until, damages, files, many_files, numbers, seqs
from limits import full
from small_disk import fill, small_disk
from waiting import PATIENCE, wait_for

from qehost.errors import JournalError
from qehost.storage.journal import Batch, Damage, Journal, JournalReader
from qehost.storage.journal.layout import HEADER_SIZE, segments


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
        "import os, sys, signal; from pathlib import Path\n"
        "from qehost.storage.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for seq in range(1, 501): journal.append(b'\\x90', seq, seq, seq, seq)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(folder)], timeout=PATIENCE, check=False
    )
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


def test_power_durability_syncs_each_append_before_it_returns(
    folder: Path, synced: dict[int, int]
) -> None:
    with Journal(folder, "power") as journal:
        for seq in range(1, 4):
            append(journal, seq, seq)
            there = files(folder)[0].stat()
            assert synced[there.st_ino] == there.st_size
    assert seqs(folder) == [1, 2, 3]


def test_a_second_writer_is_refused_with_the_firsts_process_id(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qehost.storage.journal.writer.WRITER_WAIT", 0.05)
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
        wait_for(lambda: journal.problem is None)
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
    with (
        small_disk(tmp_path, "2m") as disk,
        Journal(disk / "journal", segment_bytes=100_000, retry_interval=0.05) as journal,
    ):
        append(journal, 1, 1)
        ballast = fill(disk)
        seq = 1
        with suppress(JournalError):
            for seq in range(2, 1000):
                append(journal, seq, seq, "x" * 2000)
        assert "full" in str(journal.problem)
        # Each fails at once: 100 waits would take longer than the test may.
        for _ in range(100):
            with pytest.raises(JournalError):
                append(journal, seq := seq + 1, seq)
        assert journal.last_seq() == seq
        ballast.unlink()
        wait_for(lambda: journal.problem is None)
        append(journal, seq + 1, seq + 1)
        assert seqs(disk / "journal")[-1] == seq + 1
        assert seqs(disk / "journal")[0] == 1


def test_a_limit_on_file_sizes_is_a_clear_error_too(folder: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from qehost.errors import JournalError; from qehost.storage.journal import Journal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "journal = Journal(Path(sys.argv[1]), retry_interval=60)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "for seq in range(1, 1000):\n"
        "    try: journal.append(bytes(1000), seq, seq, seq, seq)\n"
        "    except JournalError as error: print(error); break"
    )
    args = [sys.executable, "-c", code, str(folder)]
    process = subprocess.run(args, timeout=PATIENCE, check=True, capture_output=True, text=True)
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
        wait_for(lambda: journal._spare is not None)
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

    wait_for(one_more_is_there)
    return number


def test_a_folder_that_was_taken_away_comes_back_with_its_lock(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qehost.storage.journal.writer.WRITER_WAIT", 0.05)
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
        wait_for(lambda: journal.problem is not None)
        with pytest.raises(JournalError):
            append(journal, 2, 2)
        other = folder.with_name("other")
        with Journal(other) as second:
            append(second, 1, 9)
        folder.unlink()
        other.rename(folder)
        # However often it is tried.
        wait_for(lambda: caplog.text.count("numbers would be given twice") >= 3)
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
        wait_for(lambda: journal.problem is not None)
        with pytest.raises(JournalError, match="must be a folder"):
            append(journal, 2, 2)
        folder.unlink()
        wait_for(lambda: journal.problem is None)
        append(journal, 3, 3)
        assert seqs(folder) == [3]


def test_a_folder_that_can_be_made_later_is(tmp_path: Path) -> None:
    (tmp_path / "accounts").write_text("in the way")
    folder = tmp_path / "accounts" / "main"
    with Journal(folder, retry_interval=0.05) as journal:
        with pytest.raises(JournalError):
            append(journal, 1, 1)
        (tmp_path / "accounts").unlink()
        wait_for(lambda: journal.problem is None)
        append(journal, 2, 2)
        assert seqs(folder) == [2]
    with Journal(folder) as journal:
        assert journal.last_seq() == 2


def test_an_empty_file_that_was_deleted_takes_its_successor_of_the_same_name_not_with_it(
    folder: Path,
) -> None:
    with Journal(folder, retry_interval=0.05) as journal:
        journal._switch()
        (empty,) = files(folder)
        empty.unlink()
        there = append_until_one_is_there(journal, 1)
        assert files(folder) == [empty]
        wait_for(lambda: not journal._retired)
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

    monkeypatch.setattr("qehost.storage.journal.appending._sync", failing)
    with Journal(folder, retry_interval=60) as journal:
        last = append_until(journal, 0, lambda: len(tried) > 20)
        assert len(files(folder)) <= 2
        assert journal.problem is None
    assert caplog.text.count("going on in another file") == 1
    assert seqs(folder) == list(range(1, last + 1))


def test_a_fault_in_the_maintenance_itself_is_logged_and_it_goes_on(
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


def test_a_damaged_newest_file_is_left_behind_and_the_sequence_goes_on(folder: Path) -> None:
    last = many_files(folder)
    files(folder)[-1].write_bytes(b"not a journal at all, " * 1000)
    with Journal(folder) as journal:
        assert journal.problem is None
        assert journal.last_seq() == last
        append(journal, last + 1, last + 1)
    assert seqs(folder) == [*range(1, 41), last + 1]
    assert [item[:2] for item in damages(folder)] == [(41, 60)]


def test_every_file_is_synced_after_its_last_append_though_the_stream_is_never_calm(
    folder: Path, synced: dict[int, int]
) -> None:
    with Journal(folder, segment_bytes=20_000) as journal:

        def left_and_synced() -> bool:
            left = [path.stat() for path in files(folder)[:-1]]
            return len(left) > 2 and all(synced.get(s.st_ino) == s.st_size for s in left)

        append_until(journal, 0, left_and_synced)


def test_what_was_appended_is_on_the_disk_within_a_round_of_maintenance(
    folder: Path, synced: dict[int, int]
) -> None:
    with Journal(folder) as journal:
        append(journal, 1, 1)
        there = files(folder)[0].stat()
        wait_for(lambda: synced.get(there.st_ino) == there.st_size)


def test_a_file_that_was_pruned_while_it_was_written_does_not_come_back(folder: Path) -> None:
    with Journal(folder, segment_bytes=20_000) as journal:
        append_until(journal, 0, lambda: len(files(folder)) > 2)
        pruned = files(folder)[:-1]
        for path in pruned:
            path.unlink()
    assert not any(path.exists() for path in pruned)


WRITER = """
import sys
from pathlib import Path
from qehost.storage.journal import Journal
journal = Journal(Path(sys.argv[1]), segment_bytes=3_000_000)
seq = journal.last_seq()
while True:
    journal.append(bytes([seq % 251]) * 300_000, seq + 1, seq + 10, 1, 1)
    seq += 10
    print(seq, flush=True)
"""


def test_a_writer_killed_in_mid_append_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    last = 0
    for kill_after in (1, 3, 7, 12, 20):
        args = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(args, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(kill_after):
                last = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            # What it still said before it died.
            last = max([last, *(int(line) for line in process.stdout if line.endswith("\n"))])
        with JournalReader(tmp_path) as reader:
            found = list(reader.read(0))
            assert not numbers(found, Damage)
            read = numbers(found, Batch)
            assert read == list(range(1, len(read) + 1))
            assert len(read) >= last
            assert reader.last_seq() in (len(read), len(read) - 10)
    with Journal(tmp_path) as journal:
        assert journal.last_seq() == len(read)
    assert all(path.stat().st_size > HEADER_SIZE for path in segments(tmp_path))
