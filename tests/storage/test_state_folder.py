"""The state folder: its paths, its modes, and that one qehost works in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.errors import JournalError, StateFolderBusy
from qehost.storage.private_files import private_folder
from qehost.storage.state_folder import StateFolder


def test_a_second_qehost_is_refused_with_the_firsts_process_id(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    lock = folder.lock()
    with pytest.raises(StateFolderBusy) as caught:
        StateFolder(tmp_path / "state").lock()
    assert caught.value.pid == os.getpid()
    lock.release()
    StateFolder(tmp_path / "state").lock().release()


def test_what_is_made_is_the_users_alone_and_what_exists_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    StateFolder(tmp_path).lock().release()
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "words"),
    [
        (0o700, 0, 0, []),
        (0o755, 0, 0, []),
        (0o775, 0, 0, []),
        (0o775, 0, 4711, ["other users may write"]),
        (0o777, 0, 0, ["other users may write"]),
        (0o1777, 0, 0, ["other users may write"]),
        (0o700, 4711, 0, ["another user (id 4711)"]),
        (0o777, 4711, 0, ["another user (id 4711)", "other users may write"]),
    ],
)
def test_who_else_can_change_the_folder_is_told_in_the_log(
    tmp_path: Path,
    mode: int,
    uid: int,
    gid: int,
    words: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    if os.geteuid():
        pytest.skip("giving a folder to another user takes root")
    os.chown(tmp_path, uid, gid)
    tmp_path.chmod(mode)
    StateFolder(tmp_path).lock().release()
    assert len(caplog.messages) == len(words)
    for message, word in zip(caplog.messages, words, strict=True):
        assert word in message
        assert str(tmp_path) in message


def test_the_folder_of_all_plugins_is_the_users_alone(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.plugins.mkdir(mode=0o755)
    folder.lock().release()
    assert folder.plugins.stat().st_mode & 0o777 == 0o700


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
        private_folder(folder.progress_file(name).parent)
    assert folder.accounts() == folder.processes() == ["..", "a/b", "main"]


def test_a_folder_that_this_user_may_not_look_into_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(JournalError, match="Permission denied"):
        StateFolder(tmp_path).has_dead_letters()
