"""Dead letters: kept, listed, delivered again, removed, and never without bound."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from unwritable import unwritable
from waiting import PATIENCE

from qehost.errors import JournalError, NewerFormat
from qehost.storage.dead_letters import DETAIL_LIMIT, DeadLetters


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "dead-letters.db"


@pytest.fixture
def letters(path: Path) -> Iterator[DeadLetters]:
    with DeadLetters(path, limit=5, limit_bytes=1000) as letters:
        yield letters


def add(letters: DeadLetters, seq: int, **changes: Any) -> bool:
    fields: dict[str, Any] = {
        "account": "main",
        "plugin": "sink",
        "process": "main",
        "hook": "on_fill",
        "cause": "raised",
        "detail": "Traceback …\nValueError: no",
        "event": b"event",
    }
    return letters.add(seq=seq, **{**fields, **changes})


def test_a_letter_comes_back_as_it_was_kept(letters: DeadLetters) -> None:
    assert add(letters, 7)
    (letter,) = letters.letters()
    assert (letter.account, letter.plugin, letter.process, letter.seq) == (
        "main",
        "sink",
        "main",
        7,
    )
    assert (letter.hook, letter.cause, letter.count, letter.state) == (
        "on_fill",
        "raised",
        1,
        "dead",
    )
    assert letter.detail.endswith("ValueError: no")
    assert letter.event == b"event"


def test_the_same_event_plugin_and_hook_is_one_letter_that_counts(letters: DeadLetters) -> None:
    add(letters, 7)
    add(letters, 7, detail="ValueError: again")
    add(letters, 7, plugin="other")
    add(letters, 7, account="other")
    add(letters, 7, hook="on_batch")
    first, *rest = letters.letters()
    assert (first.count, first.detail) == (2, "ValueError: again")
    assert [letter.count for letter in rest] == [1, 1, 1]


def test_letters_are_found_by_what_is_asked(letters: DeadLetters) -> None:
    add(letters, 1)
    add(letters, 2, plugin="other", account="second")
    add(letters, 3, cause="died", detail="signal SIGSEGV", count=3)

    def seqs(**filters: Any) -> list[int]:
        return [letter.seq for letter in letters.letters(**filters)]

    assert seqs(plugin="other") == [2]
    assert seqs(account="main") == [1, 3]
    assert seqs(cause="died") == [3]
    assert seqs(limit=2) == [2, 3]
    assert seqs(state="retry") == []
    assert seqs(ids=[letters.letters()[0].id]) == [1]


def test_a_plugin_that_raises_at_every_event_does_not_fill_the_disk(letters: DeadLetters) -> None:
    assert [add(letters, seq) for seq in range(1, 9)] == [True] * 5 + [False] * 3
    assert add(letters, 1, plugin="other")
    assert letters.left_out() == {"sink": 3}
    assert len(letters.letters(plugin="sink")) == 5


def test_a_number_that_another_event_has_now_leads_to_that_event(letters: DeadLetters) -> None:
    """Journal and cursors were deleted, so the numbers began anew."""
    add(letters, 1, event=b"x" * 900)
    add(letters, 1, event=b"y" * 300)
    (letter,) = letters.letters()
    assert letter.event == b"y" * 300
    # Its size counts, and not that of the one before.
    assert add(letters, 2, event=b"z" * 600)
    assert not add(letters, 3, event=b"z" * 600)


def test_large_events_count_by_their_size(letters: DeadLetters) -> None:
    assert add(letters, 1, event=bytes(600))
    assert not add(letters, 2, event=bytes(600))
    assert add(letters, 3, event=bytes(300))


def test_an_event_that_killed_a_process_is_kept_beyond_the_bound(letters: DeadLetters) -> None:
    for seq in range(1, 9):
        add(letters, seq)
    assert add(letters, 9, cause="died", detail="signal SIGKILL", count=3)


def test_purging_makes_room_and_forgets_what_was_only_counted(letters: DeadLetters) -> None:
    for seq in range(1, 9):
        add(letters, seq)
    assert letters.purge(plugin="sink") == 5
    assert letters.left_out() == {}
    assert all(add(letters, seq) for seq in range(1, 6))
    ids = [letter.id for letter in letters.letters()]
    assert letters.purge(ids=ids[:2]) == 2
    assert letters.purge() == 3
    assert letters.letters() == []


def test_a_marked_letter_is_taken_once_by_the_plugins_that_are_there(letters: DeadLetters) -> None:
    for seq, plugin in ((1, "sink"), (2, "sink"), (3, "elsewhere")):
        add(letters, seq, plugin=plugin)
    ids = [letter.id for letter in letters.letters()]
    assert letters.take(["sink"]) == []
    assert letters.mark([*ids, 999]) == ids
    assert [letter.seq for letter in letters.take(["sink", "other"])] == [1, 2]
    assert letters.take(["sink"]) == []
    letters.delivered(ids[0])
    assert [letter.state for letter in letters.letters()] == ["delivered", "dead", "retry"]


def test_a_letter_that_fails_again_is_dead_again(letters: DeadLetters) -> None:
    add(letters, 1)
    (letter,) = letters.letters()
    letters.mark([letter.id])
    letters.take(["sink"])
    add(letters, 1)
    (again,) = letters.letters()
    assert (again.id, again.state, again.count) == (letter.id, "dead", 2)


def test_a_process_that_dies_of_a_letter_does_not_get_it_again(path: Path) -> None:
    with DeadLetters(path) as letters:
        add(letters, 1)
        letters.mark([1])
    program = (
        "import os, sys; from pathlib import Path\n"
        "from qehost.storage.dead_letters import DeadLetters\n"
        "assert len(DeadLetters(Path(sys.argv[1])).take(['sink'])) == 1\n"
        "os._exit(9)"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, str(path)], timeout=PATIENCE, check=False
    )
    assert process.returncode == 9
    with DeadLetters(path) as letters:
        assert letters.take(["sink"]) == []
        assert [letter.state for letter in letters.letters()] == ["dead"]


def test_events_that_killed_a_process_are_passed_over_after_the_cursor(
    letters: DeadLetters,
) -> None:
    add(letters, 4, cause="died")
    add(letters, 8, cause="died")
    add(letters, 9, cause="died", account="other")
    add(letters, 10)
    assert letters.quarantined("main", 4) == {("sink", 8)}


def test_a_traceback_is_kept_to_a_length_with_both_ends(letters: DeadLetters) -> None:
    add(letters, 1, detail="begin" + "x" * 100_000 + "end")
    (letter,) = letters.letters()
    assert len(letter.detail) < DETAIL_LIMIT + 100
    assert letter.detail.startswith("begin")
    assert letter.detail.endswith("end")


def test_several_processes_write_at_once(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from qehost.storage.dead_letters import DeadLetters\n"
        "with DeadLetters(Path(sys.argv[1]), busy_timeout=60) as letters:\n"
        "    for seq in range(1, 101):\n"
        "        letters.add(account='main', plugin=sys.argv[2], process='p', seq=seq,\n"
        "            hook='on_fill', cause='raised', detail='', event=b'')\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in "abc"
    ]
    assert [process.wait(PATIENCE) for process in processes] == [0, 0, 0]
    with DeadLetters(path) as letters:
        assert len(letters.letters()) == 300


def test_a_lock_that_is_held_too_long_is_a_clear_error(path: Path) -> None:
    with DeadLetters(path, busy_timeout=0.05) as letters:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="another process has it locked"):
            add(letters, 1)
        other.execute("ROLLBACK")
        other.close()
        assert add(letters, 1)


def test_a_damaged_file_is_set_aside_and_a_new_one_begun(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database, " * 1000)
    with DeadLetters(path) as letters:
        assert add(letters, 1)
    (aside,) = path.parent.glob("dead-letters.db.damaged-*")
    assert aside.read_bytes().startswith(b"no database")
    assert aside.name in caplog.text


def test_a_newer_format_and_another_database_are_refused(path: Path) -> None:
    DeadLetters(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(NewerFormat, match="update qehost"):
        DeadLetters(path)
    other = path.with_name("other.db")
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    with pytest.raises(JournalError, match="of qehost"):
        DeadLetters(other)


def test_the_files_are_the_users_alone(path: Path, letters: DeadLetters) -> None:
    add(letters, 1)
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert os.path.exists(f"{path}-journal")


USER = """
import sys
from pathlib import Path
from qehost.errors import JournalError
from qehost.storage.dead_letters import DeadLetters

fields = dict(account="main", plugin="sink", process="main", hook="on_fill", cause="raised")
with DeadLetters(Path(sys.argv[1])) as letters:
    letters.add(seq=1, detail="", event=b"", **fields)
    print("ready", flush=True)
    input()
    for what in (
        letters.counts,
        letters.letters,
        lambda: letters.take(["sink"]),
        lambda: letters.add(seq=2, detail="", event=b"", **fields),
        lambda: DeadLetters(Path(sys.argv[1])).counts(),
    ):
        try:
            print(what())
        except JournalError as error:
            print(error)
    print("refused", flush=True)
    input()
    letters.add(seq=3, detail="", event=b"", **fields)
    print([letter.seq for letter in letters.letters()])
"""


def test_a_folder_that_cannot_be_written_for_a_while_ends_nobody(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with unwritable(path.parent):
            print(file=process.stdin, flush=True)
            told = list(takewhile(lambda line: line != "refused\n", process.stdout))
        print(file=process.stdin, flush=True)
        assert process.stdout.read() == "[1, 3]\n"
        assert process.wait() == 0
    assert told[0] == told[4] == "{'sink': 1}\n"
    assert "dead-letters.db" in told[3]


def test_a_file_of_an_earlier_version_leaves_the_mode_that_maps_memory(
    path: Path, letters: DeadLetters
) -> None:
    add(letters, 1)
    letters.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("UPDATE letters SET count = 7")
    with DeadLetters(path) as beside:  # the earlier one is still open
        assert [letter.count for letter in beside.letters()] == [7]
    db.close()
    with DeadLetters(path) as again:
        assert [letter.count for letter in again.letters()] == [7]
        add(again, 2)
        assert sorted(file.name for file in path.parent.iterdir()) == [
            "dead-letters.db",
            "dead-letters.db-journal",
        ]


def test_letters_that_are_added_together_are_all_there_or_none(letters: DeadLetters) -> None:
    with suppress(ZeroDivisionError), letters.together():
        add(letters, 1)
        raise ZeroDivisionError
    assert letters.letters() == []
    with letters.together():
        add(letters, 2)
        add(letters, 3)
    assert [letter.seq for letter in letters.letters()] == [2, 3]
