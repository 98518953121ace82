"""One qehost works in a state folder, whatever becomes of it meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

from qehost.storage.state_folder import StateFolder
from qehost.supervisor.folder_guard import keep_folder


def test_a_folder_that_is_gone_is_locked_anew_and_one_that_another_took_is_told(
    tmp_path: Path,
) -> None:
    folder = StateFolder(tmp_path / "state")
    lock = folder.lock()
    assert keep_folder(folder, lock)
    assert keep_folder(folder, None)
    shutil.rmtree(folder.path)
    assert keep_folder(folder, lock)
    assert lock.is_ours()
    shutil.move(folder.path, tmp_path / "elsewhere")
    other = folder.lock()
    assert not keep_folder(folder, lock)
    other.release()
    lock.release()
