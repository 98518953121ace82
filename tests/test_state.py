"""The state folder: its paths, its modes, and that one qehost works in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import no_room

from qehost.errors import JournalError, StateFolderBusy
from qehost.state import StateFolder, private_folder


def test_a_second_qehost_is_refused_with_the_firsts_process_id(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    lock = folder.lock()
    with pytest.raises(StateFolderBusy) as caught:
        StateFolder(tmp_path / "state").lock()
    assert caught.value.pid == os.getpid()
    lock.release()
    StateFolder(tmp_path / "state").lock().release()


def test_on_a_full_disk_it_is_seen_that_one_works_there_though_not_which(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert folder.holder() is None
    with no_room():
        lock = folder.lock()
    assert folder.holder() == 0
    with pytest.raises(StateFolderBusy, match="in use by another process"):
        folder.lock()
    lock.release()
    assert folder.holder() is None
    lock = folder.lock()
    assert folder.holder() == os.getpid()
    lock.release()


def test_the_lock_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from qehost.state import StateFolder\n"
        "lock = StateFolder(sys.argv[1]).lock()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "state")], timeout=60, check=False
    )
    assert process.returncode == -signal.SIGKILL
    lock = StateFolder(tmp_path / "state").lock()
    assert lock.holder() == os.getpid()
    lock.release()


@pytest.fixture
def fork() -> Iterator[Callable[[], None]]:
    """Makes forks of this process that stay until the test ends."""
    children: list[int] = []

    def make() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other tests of this process may have left threads
            if (pid := os.fork()) == 0:
                time.sleep(60)
                os._exit(0)
        children.append(pid)

    yield make
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_fork_does_not_hold_the_lock_that_its_parent_releases(
    tmp_path: Path, fork: Callable[[], None]
) -> None:
    lock = StateFolder(tmp_path).lock()
    fork()
    assert StateFolder(tmp_path).holder() == os.getpid()  # the fork has not given it away either
    lock.release()
    StateFolder(tmp_path).lock().release()


def test_a_fork_does_not_hold_the_lock_of_a_parent_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, time; from qehost.state import StateFolder\n"
        "lock = StateFolder(sys.argv[1]).lock()\n"
        "if (pid := os.fork()) == 0: os.write(1, b'forked\\n'); time.sleep(60)\n"
        "os.write(1, b'%d\\n' % pid); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = {process.stdout.readline().strip() for _ in range(2)}
        (fork,) = lines - {"forked"}
        try:
            process.kill()
            process.wait()
            StateFolder(tmp_path).lock().release()
        finally:
            os.kill(int(fork), signal.SIGKILL)


def test_what_is_made_is_the_users_alone_and_what_exists_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    StateFolder(tmp_path).lock().release()
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    private_folder(tmp_path / "a" / "b")
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b")} == {0o700}


def test_a_file_in_the_way_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(JournalError, match="must be a folder"):
        StateFolder(tmp_path / "state").create()


@given(st.text(min_size=1, max_size=20))
def test_no_name_leads_out_of_the_folder_and_names_come_back(name: str) -> None:
    folder = StateFolder("/state")
    path = folder.plugin(name)
    assert path.parent == Path("/state/plugins")
    assert ".." not in path.parts


def test_accounts_and_processes_are_found_by_their_names(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert (folder.accounts(), folder.processes()) == ([], [])
    for name in ("main", "..", "a/b"):
        private_folder(folder.journal(name))
        private_folder(folder.marks(name).parent)
    assert folder.accounts() == folder.processes() == ["..", "a/b", "main"]


def test_a_folder_that_this_user_may_not_look_into_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(JournalError, match="can't be made: Permission denied"):
        private_folder(tmp_path / "a" / "b")
    with pytest.raises(JournalError, match="Permission denied"):
        StateFolder(tmp_path).has_dead_letters()
