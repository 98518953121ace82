"""The marks of a host process: cursors, and the call it is in, through its death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import no_room

from qehost.errors import JournalError
from qehost.host.cursors import Call, Marks, MarksView, cursors_of
from qehost.state import StateFolder

PLUGINS = ("console", "sink")
HOOKS = ("on_start", "on_order", "on_fill")
ACCOUNTS = ("main", "other")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hosts" / "main" / "marks"


def open_marks(path: Path) -> Marks:
    return Marks.open(path, PLUGINS, HOOKS, ACCOUNTS)


def test_a_cursor_is_none_until_it_is_set_and_then_what_was_set(path: Path) -> None:
    marks = open_marks(path)
    assert marks.cursor("main") is None
    marks.advance("main", 0)
    marks.advance("other", 2**40)
    assert (marks.cursor("main"), marks.cursor("other")) == (0, 2**40)
    assert MarksView(path).cursors() == {"main": 0, "other": 2**40}


def test_what_was_handed_over_is_known_to_the_next_process(path: Path) -> None:
    marks = open_marks(path)
    assert marks.handed("main") == 0
    marks.hand("main", 12)
    marks.advance("main", 10)
    again = open_marks(path)
    assert (again.cursor("main"), again.handed("main")) == (10, 12)


def test_the_call_that_is_going_on_is_seen_from_outside(path: Path) -> None:
    marks, view = open_marks(path), MarksView(path)
    assert view.current() is None
    marks.account("other")
    before = time.monotonic()
    marks.enter(1, 2, 77)
    call = view.current()
    assert call is not None
    assert call == Call("sink", "on_fill", "other", 77, call.since)
    assert before <= call.since <= time.monotonic()
    marks.enter(0, 2, 77)
    assert (view.current() or call).plugin == "console"
    marks.leave()
    assert view.current() is None
    marks.enter(0, 0, 0)
    call = view.current()
    assert call is not None
    assert call[:4] == ("console", "on_start", "", 0)


@pytest.mark.parametrize(
    ("death", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("ctypes.string_at(0)", -signal.SIGSEGV),
        ("os._exit(7)", 7),
    ],
)
def test_a_process_that_dies_in_a_call_leaves_its_last_words(
    path: Path, death: str, code: int
) -> None:
    program = (
        "import ctypes, os, signal, sys; from pathlib import Path\n"
        "from qehost.host.cursors import Marks\n"
        "marks = Marks.open(Path(sys.argv[1]), ['console', 'sink'], ['on_order'], ['main'])\n"
        "marks.account('main')\n"
        "for seq in range(1, 50):\n"
        "    marks.hand('main', seq)\n"
        "    for plugin in range(2):\n"
        "        marks.enter(plugin, 0, seq)\n"
        f"        if (plugin, seq) == (1, 42): {death}\n"
        "    marks.leave()\n"
        "    marks.advance('main', seq)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, str(path)], timeout=60, check=False, capture_output=True
    )
    assert process.returncode == code
    call = MarksView(path).current()
    assert call is not None
    assert call[:4] == ("sink", "on_order", "main", 42)
    assert MarksView(path).cursors() == {"main": 41}
    marks = open_marks(path)
    assert MarksView(path).current() is None
    assert (marks.cursor("main"), marks.handed("main")) == (41, 42)


def test_cursors_are_kept_through_other_plugins_and_other_accounts(path: Path) -> None:
    open_marks(path).advance("other", 5)
    without = Marks.open(path, ("new", "console", "sink"), HOOKS, ("main",))
    without.advance("main", 9)
    again = Marks.open(path, (), (), ("third", "other", "main"))
    assert [again.cursor(name) for name in ("third", "other", "main")] == [None, 5, 9]


def test_a_view_follows_a_host_that_was_started_again(path: Path) -> None:
    view = MarksView(path)
    assert (view.current(), view.cursors()) == (None, {})
    open_marks(path).advance("main", 1)
    assert view.cursors() == {"main": 1}
    open_marks(path).advance("main", 2)
    assert view.cursors() == {"main": 2}


@pytest.mark.parametrize("content", [b"", b"short", bytes(4096), b"\xff" * 4096])
def test_a_damaged_file_is_set_aside_and_everything_is_delivered_again(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    open_marks(path).advance("main", 100)
    path.write_bytes(content)
    with pytest.raises(JournalError, match="marks"):
        MarksView(path).cursors()
    open_marks(path).close()
    marks = open_marks(path)
    assert marks.lost
    assert (marks.cursor("main"), marks.cursor("other")) == (0, 0)
    assert marks.handed("main") == 0
    assert "delivered again" in caplog.text
    (aside,) = path.parent.glob("marks.damaged-*")
    assert aside.read_bytes() == content


def test_the_marks_of_a_newer_qehost_are_refused(path: Path) -> None:
    open_marks(path)
    content = bytearray(path.read_bytes())
    content[8] = 99
    path.write_bytes(content)
    with pytest.raises(JournalError, match="newer qehost"):
        open_marks(path)
    assert path.read_bytes() == content


def test_the_file_is_the_users_alone_and_takes_its_place_on_the_disk(path: Path) -> None:
    open_marks(path)
    state = path.stat()
    assert state.st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert state.st_blocks * 512 >= state.st_size
    assert [entry.name for entry in path.parent.iterdir()] == ["marks"]


def test_a_folder_that_cannot_be_written_is_a_clear_error_and_memory_does(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("in the way")
    with pytest.raises(JournalError):
        open_marks(tmp_path / "hosts" / "main" / "marks")
    marks = Marks.in_memory(PLUGINS, HOOKS, ACCOUNTS)
    marks.advance("main", 3)
    marks.enter(0, 0, 4)
    marks.leave()
    assert (marks.cursor("main"), marks.cursor("other")) == (3, None)


def test_on_a_full_disk_a_new_process_goes_on_in_the_file_that_is_there(path: Path) -> None:
    marks = Marks.open(path, PLUGINS, HOOKS, ("former", *ACCOUNTS))
    marks.advance("other", 10)
    marks.hand("other", 12)
    marks.close()
    with no_room():
        again = open_marks(path)
    assert (again.cursor("main"), again.cursor("other"), again.handed("other")) == (None, 10, 12)
    again.advance("other", 11)
    again.account("other")
    again.enter(1, 2, 12)
    call = MarksView(path).current()
    assert call is not None
    assert call[:4] == ("sink", "on_fill", "other", 12)
    assert MarksView(path).cursors() == {"other": 11}


@pytest.mark.parametrize(
    ("plugins", "hooks", "accounts"),
    [
        (("sink", "console"), HOOKS, ACCOUNTS),
        (PLUGINS, HOOKS[1:], ACCOUNTS),
        (PLUGINS, HOOKS, (*ACCOUNTS, "new")),
    ],
)
def test_where_that_file_has_no_room_for_the_names_memory_goes_on_from_its_cursors(
    path: Path, plugins: tuple[str, ...], hooks: tuple[str, ...], accounts: tuple[str, ...]
) -> None:
    marks = open_marks(path)
    marks.advance("main", 10)
    marks.hand("main", 12)
    marks.close()
    with no_room():
        with pytest.raises(JournalError, match="full"):
            Marks.open(path, plugins, hooks, accounts)
        memory = Marks.in_memory(plugins, hooks, accounts, after=path)
    assert (memory.cursor("main"), memory.handed("main"), memory.cursor("other")) == (10, 12, None)
    assert not memory.lost


def test_on_a_full_disk_a_damaged_file_brings_everything_again_too(path: Path) -> None:
    open_marks(path).advance("main", 10)
    path.write_bytes(b"rubbish")
    with no_room():
        with pytest.raises(JournalError, match="full"):
            open_marks(path)
        memory = Marks.in_memory(PLUGINS, HOOKS, ACCOUNTS, after=path)
    assert memory.lost
    assert memory.cursor("main") == 0


def test_syncing_and_closing_keep_what_was_marked(path: Path) -> None:
    marks = open_marks(path)
    marks.advance("main", 8)
    marks.sync()
    marks.close()
    assert MarksView(path).cursors() == {"main": 8}


def test_the_cursors_of_all_hosts_are_found(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    Marks.open(folder.marks("fast"), (), (), ("main",)).advance("main", 9)
    Marks.open(folder.marks("slow"), (), (), ("main", "other")).advance("main", 4)
    assert cursors_of(folder, "main") == {"fast": 9, "slow": 4}
    assert cursors_of(folder, "other") == {}


@given(
    st.lists(st.text(min_size=1, max_size=9), max_size=5, unique=True),
    st.lists(st.text(min_size=1, max_size=9), max_size=5, unique=True),
    st.integers(0, 2**62),
)
def test_any_names_and_numbers_survive(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], others: list[str], seq: int
) -> None:
    path = tmp_path_factory.mktemp("marks") / "marks"
    marks = Marks.open(path, names, others, names)
    for place, name in enumerate(names):
        marks.advance(name, max(0, seq - place))
    expected = {name: max(0, seq - place) for place, name in enumerate(names)}
    again = Marks.open(path, others, names, others)
    assert MarksView(path).cursors() == expected
    assert {n: again.cursor(n) for n in others if n in expected} == {
        n: expected[n] for n in others if n in expected
    }


def test_the_marks_of_a_living_process_read_whole_while_they_change(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from qehost.host.cursors import Marks\n"
        "marks = Marks.open(Path(sys.argv[1]), ['even', 'odd'], ['on_order'], ['main'])\n"
        "marks.account('main'); print(flush=True)\n"
        "seq = 0\n"
        "while True:\n"
        "    seq += 1\n"
        "    marks.enter(seq % 2, 0, seq)\n"
        "    marks.leave()\n"
        "    marks.advance('main', seq << 32 | seq)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            view = MarksView(path)
            for _ in range(2000):
                for seq in view.cursors().values():
                    assert seq >> 32 == seq & 0xFFFFFFFF
                if call := view.current():
                    assert call.plugin == ("even", "odd")[call.seq % 2]
        finally:
            os.kill(process.pid, signal.SIGKILL)
