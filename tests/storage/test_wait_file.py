"""What a plugin waits for is there for the next process, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from limits import no_room

from qehost.storage.state_folder import StateFolder
from qehost.storage.wait_file import AccountWait, PluginWait, WaitFile

WAIT = PluginWait(
    123.5, 7, "the database is down", True, {"main": AccountWait(3, 9, 2, 9, 8, 3, {8: 1, 9: 7})}
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return StateFolder(tmp_path).wait_file("../large fills")


def test_what_is_written_is_read_until_it_is_removed(path: Path) -> None:
    file = WaitFile(path)
    assert file.read() is None
    file.remove()
    assert file.write(WAIT)
    assert WaitFile(path).read() == WAIT
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.name == "waiting"
    file.remove()
    assert file.read() is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_what_is_damaged_counts_as_not_known(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = WaitFile(path)
    assert file.write(WAIT)
    content = path.read_bytes()
    flipped = content.replace(b"7", b"6", 1)
    path.write_bytes({"cut": content[:-1], "flipped": flipped, "empty": b""}[damage])
    assert file.read() is None
    assert "counted anew" in caplog.text


def test_where_there_is_no_room_what_was_there_stays(path: Path) -> None:
    file = WaitFile(path)
    assert file.write(WAIT)
    with no_room():
        assert not file.write(PluginWait(1.0, 1))
    assert file.read() == WAIT
