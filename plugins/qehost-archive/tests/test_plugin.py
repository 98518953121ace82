"""The plugin in a host of qehost's own."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from archives import stored
from qehost.errors import Error, PluginError
from qehost.testing import Events, PluginHost

from qehost_archive import Archive, Config
from qehost_archive.dataset import Dataset


def test_a_batch_is_on_the_disk_when_it_was_taken(tmp_path: Path, events: Events) -> None:
    with PluginHost(Archive, {"folder": str(tmp_path / "archive")}) as host:
        host.deliver(events.order(), events.fill())
        assert len(stored(tmp_path / "archive", "order")) == 1
        assert len(stored(tmp_path / "archive", "fill")) == 1


def test_without_a_folder_it_is_in_the_plugins_own(events: Events) -> None:
    with PluginHost(Archive) as host:
        host.deliver(events.order())
        assert len(stored(host.context.state_dir / "archive", "order")) == 1


def test_its_settings_say_how_many_events_it_gets_at_once() -> None:
    archive = Archive(Archive.Config(flush_rows=7, flush_minutes=0.5))
    assert (archive.max_events, archive.max_wait) == (7, 30.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("flush_rows", 0), ("flush_minutes", 0), ("flush_minutes", 90), ("raw", "some"), ("rows", 1)],
)
def test_a_wrong_setting_is_refused_with_its_place(name: str, value: object) -> None:
    with pytest.raises(PluginError, match=rf"plugins\.\w+\.{name}: "):
        PluginHost(Archive, {name: value})


def test_what_can_not_be_written_waits_and_is_written_once(tmp_path: Path, events: Events) -> None:
    folder = tmp_path / "archive"
    with PluginHost(Archive, {"folder": str(folder)}) as host:
        host.deliver(events.order())
        folder.rename(tmp_path / "away")
        host.deliver(events.order(), events.order())
        assert "the archive can't be written" in str(host.waiting)
        (tmp_path / "away").rename(folder)
        host.retry()
        assert not host.waiting
    assert [row["seq"] for row in stored(folder, "order")] == [1, 2, 3]


def test_an_archive_that_another_process_has_is_waited_for(tmp_path: Path, events: Events) -> None:
    other = Dataset(tmp_path / "archive")
    other.open()
    host = PluginHost(Archive, {"folder": str(other.folder)})
    with host:
        assert "in use by another process" in str(host.waiting)
        other.close()
        host.retry()
        host.deliver(events.order())
    assert len(stored(other.folder, "order")) == 1


def test_after_its_end_another_process_can_have_it(tmp_path: Path, events: Events) -> None:
    for _ in range(2):
        with PluginHost(Archive, {"folder": str(tmp_path / "archive")}) as host:
            host.deliver(events.order())
    assert len(stored(tmp_path / "archive", "order")) == 2


def test_qehost_check_says_whether_the_folder_can_be_written(tmp_path: Path) -> None:
    with PluginHost(Archive) as host:
        context = host.context

    def checked(folder: str) -> str:
        config = Config(folder=folder)
        return config.check(replace(context, config=config))

    assert checked(str(tmp_path / "a" / "b")) == f"the archive {tmp_path}/a/b can be written"
    assert not (tmp_path / "a").exists()
    assert checked("") == "the archive is in its own state folder"
    (tmp_path / "file").write_text("")
    with pytest.raises(Error, match=f"{tmp_path}/file does not allow it"):
        checked(str(tmp_path / "file" / "archive"))


def test_a_full_disk_is_waited_for_and_nothing_is_lost_or_twice(
    tmp_path: Path, events: Events
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can make a small disk")
    try:
        with PluginHost(Archive, {"folder": str(disk)}) as host:
            count = 0
            while not host.waiting:
                assert count < 1_000
                host.deliver(events.order(), events.fill())
                count += 2
            assert "No space left on device" in str(host.waiting)
            host.deliver(events.order())
            host.retry()
            assert host.waiting
            larger = ["mount", "-o", "remount,size=64m", str(disk)]
            subprocess.run(larger, check=True, capture_output=True)
            host.retry()
            assert not host.waiting
        found = [row["seq"] for kind in ("order", "fill") for row in stored(disk, kind)]
        assert sorted(found) == list(range(1, count + 2))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
