"""A lock on a folder: one process at a time, however the one before it ended."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from limits import no_room

from qehost.errors import JournalError, StateFolderBusy
from qehost.storage.folder_lock import FolderLock
from qehost.storage.state_folder import StateFolder


def test_without_its_file_the_folder_is_still_locked(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    assert lock.acquire()
    (tmp_path / "lock").unlink()
    assert lock.is_ours()
    assert FolderLock(tmp_path).is_held()
    assert not FolderLock(tmp_path).acquire()
    lock.release()
    assert not FolderLock(tmp_path).is_held()
    assert FolderLock(tmp_path).acquire()


def test_who_locked_the_file_alone_as_earlier_versions_do_is_seen(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert FolderLock(tmp_path).is_held()
        assert not FolderLock(tmp_path).acquire()


def test_a_folder_that_was_moved_away_is_not_ours_any_more(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    lock = FolderLock(folder)
    assert not lock.is_ours()
    assert lock.acquire()
    assert lock.is_ours()
    folder.rename(tmp_path / "moved")
    assert not lock.is_ours()
    folder.mkdir()
    assert not lock.is_ours()
    lock.release()


def test_a_link_in_the_files_place_is_not_followed(tmp_path: Path) -> None:
    (target := tmp_path / "precious").write_text("precious")
    (tmp_path / "lock").symlink_to(target)
    with pytest.raises(JournalError, match="symbolic link"):
        FolderLock(tmp_path).acquire()
    assert target.read_text() == "precious"
    assert not FolderLock(tmp_path).is_held()


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
        "import os, signal, sys; from qehost.storage.state_folder import StateFolder\n"
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
        "import os, signal, sys, time; from qehost.storage.state_folder import StateFolder\n"
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
