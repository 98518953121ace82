"""The number of the last event, through full disks, dead processes and flipped bits."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from journals import many_files
from unwritable import unwritable

from qehost.errors import JournalError
from qehost.storage.journal import Journal, JournalReader
from qehost.storage.journal.high_water import HighWater, raise_high_water, read_high_water

SEQ = 0x0123_4567_89AB


def test_what_was_noted_is_read_and_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    assert read_high_water(tmp_path) == 0
    high_water = HighWater(tmp_path)
    high_water.note(SEQ)
    assert read_high_water(tmp_path) == SEQ
    assert high_water.is_in(tmp_path)
    (tmp_path / "last-seq").unlink()
    assert read_high_water(tmp_path) == 0
    assert not high_water.is_in(tmp_path)
    high_water.close()


def test_it_is_raised_and_never_lowered(tmp_path: Path) -> None:
    raise_high_water(tmp_path, 12)
    raise_high_water(tmp_path, 7)
    assert read_high_water(tmp_path) == 12


def test_no_flipped_bit_gives_another_number(tmp_path: Path) -> None:
    raise_high_water(tmp_path, SEQ)
    path = tmp_path / "last-seq"
    whole = path.read_bytes()
    for place in range(len(whole) * 8):
        spoiled = bytearray(whole)
        spoiled[place // 8] ^= 1 << place % 8
        path.write_bytes(spoiled)
        assert read_high_water(tmp_path) == 0


def test_the_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "last-seq").write_bytes(SEQ.to_bytes(8, "little"))
    assert read_high_water(tmp_path) == SEQ
    raise_high_water(tmp_path, SEQ + 1)
    assert read_high_water(tmp_path) == SEQ + 1


WRITER = """
import os, signal, sys
from pathlib import Path
from qehost.errors import JournalError
from qehost.storage.journal import Journal

journal = Journal(Path(sys.argv[1]), retry_interval=0.05)
seq = 0

def append():
    global seq
    seq += 1
    try:
        journal.append(b"x", seq, seq, seq, seq)
    except JournalError:
        return False
    return True

for _ in range(10):
    assert append()
print(seq, flush=True)
input()
while append():
    pass
print(seq, flush=True)
if len(sys.argv) > 2:
    os.kill(os.getpid(), signal.SIGKILL)
input()
while not append():
    pass
print(seq, flush=True)
journal.close()
"""


@pytest.mark.parametrize("dies", [False, True])
def test_a_folder_that_cannot_be_written_for_a_while_neither_ends_the_writer_nor_its_numbers(
    tmp_path: Path, dies: bool
) -> None:
    folder = tmp_path / "journal"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), *(["dies"] if dies else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert int(process.stdout.readline()) == 10
        with unwritable(folder):
            print(file=process.stdin, flush=True)
            refused = int(process.stdout.readline())
        assert refused == 11
        if dies:
            assert process.wait() == -signal.SIGKILL
        else:
            print(file=process.stdin, flush=True)
            last = int(process.stdout.readline())
            assert process.wait() == 0
            assert read_high_water(folder) == last
    with JournalReader(folder) as reader:
        assert [batch.first_seq for batch in reader.read()][:10] == list(range(1, 11))
        # Of the one that was refused nothing could be noted anywhere.
        assert reader.last_seq() >= 10
    os.sync()
    with Journal(folder) as journal:
        assert journal.last_seq() >= 10


def test_a_journal_whose_last_number_cannot_be_told_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_files(folder, 1)

    def refusing(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "pread", refusing)
    with pytest.raises(JournalError, match="Permission denied"):
        Journal(folder)
