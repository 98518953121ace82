"""Where host processes begin to read, by their own progress files and by those of others."""

from __future__ import annotations

import shutil
import struct
import time
from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from qehost.config.settings import HostSettings, JournalSettings
from qehost.processes.control import HostTask
from qehost.processes.logs import LogSettings
from qehost.storage import cursor_file
from qehost.storage.cursor_file import Cursor, own_key, read_cursors
from qehost.storage.cursors import Cursors
from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder
from qehost.supervisor import initial_cursors
from qehost.supervisor.children import HostChild
from qehost.supervisor.initial_cursors import place_cursors


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """A state folder with a journal of 100 events."""
    folder = StateFolder(tmp_path)
    with Journal(folder.journal("main")) as journal:
        journal.append(b"", 1, 100, 1, 2)
    return folder


def stood(folder: StateFolder, host: str, plugins: str, cursor: int, in_flight: int = 0) -> None:
    """A process that had these plugins."""
    cursors = Cursors.open(folder.progress_file(host), plugins.split(), ["main"])
    cursors.advance("main", cursor)
    cursors.put_in_flight("main", in_flight or cursor)
    cursors.close()


def placed(folder: StateFolder, **wanted: str) -> dict[str, tuple[int, int]]:
    """Cursor and last event in flight of each process, once these have been placed."""
    place_cursors(folder, [host(folder, name, each) for name, each in wanted.items()])
    return {name: of(folder, name) for name in folder.processes()}


def of(folder: StateFolder, name: str) -> tuple[int, int]:
    """The head of a process."""
    stored = read_cursors(folder.progress_file(name))
    assert stored is not None
    return tuple(stored.cursors["main"])


def own(folder: StateFolder, name: str) -> dict[str, tuple[int, int]]:
    """The plugins of a process that don't stand at its head, with their own cursors."""
    stored = read_cursors(folder.progress_file(name))
    assert stored is not None
    slots = {plugin: stored.cursors.get(own_key(plugin, "main")) for plugin in stored.plugins}
    return {plugin: tuple(cursor) for plugin, cursor in slots.items() if cursor is not None}


def waits(folder: StateFolder, host: str, plugin: str, cursor: int, in_flight: int = 0) -> None:
    """The plugin was apart from the head of the process, as far as that had come."""
    stored = read_cursors(folder.progress_file(host))
    assert stored is not None
    cursors = Cursors.open(folder.progress_file(host), stored.plugins, ["main"])
    cursors.place(own_key(plugin, "main"), Cursor(cursor, in_flight or cursor))
    cursors.close()


def host(
    folder: StateFolder, name: str, wanted: str, starts: dict[str, str] | None = None
) -> HostChild:
    return HostChild(
        HostTask(
            name=name,
            accounts=["main"],
            specs=[],
            plugins={},
            host=HostSettings(),
            journal=JournalSettings(),
            state_dir=str(folder.path),
            strict=False,
            log=LogSettings(),
            wanted=wanted.split(),
            starts=starts or {},
        )
    )


def test_a_process_goes_on_where_it_stood(folder: StateFolder) -> None:
    stood(folder, "main", "a b", 40, 44)
    assert placed(folder, main="a b c") == {"main": (40, 44)}


def test_no_number_is_given_again_that_a_plugin_has_had(
    folder: StateFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """A power cut took the journal's last second, or somebody deleted it: new events with those
    numbers would be dropped as delivered ones."""
    stood(folder, "main", "a", 120, 130)
    assert placed(folder, main="a") == {"main": (120, 130)}
    assert "ends with event 100, but event 130 was delivered" in caplog.text
    with Journal(folder.journal("main")) as journal:
        assert journal.last_seq() == 130


def test_a_journal_that_was_deleted_takes_no_new_events_with_it(folder: StateFolder) -> None:
    stood(folder, "gone", "a", 120)
    shutil.rmtree(folder.journal("main"))
    assert placed(folder, main="a") == {"main": (120, 120)}
    with Journal(folder.journal("main")) as journal:
        assert journal.last_seq() == 120


def test_what_is_new_begins_at_the_end_of_the_journal(folder: StateFolder) -> None:
    assert placed(folder, main="a", own="b") == {"main": (100, 0), "own": (100, 0)}


def test_a_new_process_begins_where_its_plugins_former_one_stood(folder: StateFolder) -> None:
    stood(folder, "main", "a b", 40, 44)
    assert placed(folder, main="a", own="b") == {"main": (40, 44), "own": (40, 44)}


def test_a_plugin_takes_its_position_along_and_those_that_were_there_keep_theirs(
    folder: StateFolder,
) -> None:
    stood(folder, "main", "a", 90)
    stood(folder, "own", "b", 40)
    assert placed(folder, main="a b") == {"main": (90, 90)}
    assert own(folder, "main") == {"b": (40, 40)}
    # The process that is gone leaves nothing that misleads.
    assert placed(folder, main="a", own="b") == {"main": (90, 90), "own": (40, 40)}
    assert own(folder, "main") == own(folder, "own") == {}


def test_plugins_that_change_places_miss_nothing_and_get_nothing_again(
    folder: StateFolder,
) -> None:
    stood(folder, "one", "a", 90)
    stood(folder, "two", "b", 40, 45)
    assert placed(folder, main="", one="b", two="a") == {
        "main": (100, 0),
        "one": (40, 45),
        "two": (90, 90),
    }
    assert own(folder, "one") == own(folder, "two") == {}


def test_plugins_of_several_processes_that_come_to_a_new_one_stand_where_each_was(
    folder: StateFolder,
) -> None:
    stood(folder, "one", "a c", 90)
    waits(folder, "one", "c", 20, 33)
    stood(folder, "two", "b", 40)
    assert placed(folder, three="a b c") == {"three": (90, 90)}
    assert own(folder, "three") == {"b": (40, 40), "c": (20, 33)}


def test_a_plugin_that_waits_stays_where_it_was(folder: StateFolder) -> None:
    stood(folder, "main", "a b", 90)
    waits(folder, "main", "b", 20, 33)
    assert placed(folder, main="a b") == {"main": (90, 90)}
    assert own(folder, "main") == {"b": (20, 33)}


def test_what_a_crash_left_of_a_move_by_half_costs_no_event(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor dies when the plugin's new process is placed and its old one is not removed,
    or when nothing of it is written."""
    stood(folder, "main", "a", 90)
    stood(folder, "own", "b", 40)

    def die(*_: object, **options: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(initial_cursors, "forget_moved", die)
        with pytest.raises(SystemExit):
            placed(folder, main="a b")
    assert placed(folder, main="a b") == {"main": (90, 90)}
    assert own(folder, "main") == {"b": (40, 40)}
    stood(folder, "own", "c", 30)
    with monkeypatch.context() as patch:
        patch.setattr(cursor_file, "replace_file", die)
        with pytest.raises(SystemExit):
            placed(folder, main="a b c")
    assert own(folder, "main") == {"b": (40, 40)}
    placed(folder, main="a b c")
    assert own(folder, "main") == {"b": (40, 40), "c": (30, 30)}


@pytest.mark.parametrize(
    ("start", "cursor"), [("now", 100), ("beginning", 10), ("2h", 60), ("1s", 100)]
)
def test_a_plugin_that_is_new_begins_where_its_setting_says(
    tmp_path: Path, start: str, cursor: int
) -> None:
    folder = StateFolder(tmp_path)
    now = time.time_ns()
    with Journal(folder.journal("main")) as journal:  # of which the first events were pruned
        for first, hours in ((11, 4), (61, 1)):
            at = now - hours * 3600 * 10**9
            journal.append(b"", first, first + 49 if hours == 4 else 100, at, at)
    stood(folder, "main", "a", 100)
    place_cursors(folder, [host(folder, "main", "a b", {"b": start})])
    assert of(folder, "main") == (100, 100)
    assert own(folder, "main") == ({} if cursor == 100 else {"b": (cursor, 0)})


def test_a_new_plugin_of_a_process_that_is_behind_gets_nothing_old(folder: StateFolder) -> None:
    stood(folder, "main", "a", 40)
    placed(folder, main="a b")
    assert own(folder, "main") == {"b": (100, 0)}


def test_a_state_folder_of_before_has_all_plugins_at_their_processs_cursor(
    folder: StateFolder,
) -> None:
    path = folder.progress_file("main")
    path.parent.mkdir(parents=True)
    names = msgspec.json.encode({"plugins": ["a", "b"], "accounts": ["main"]})
    words = (0x736B72616D6571, 2, 1, len(names))
    check = crc32(names, crc32(struct.pack("=4q", *words)))
    pair = struct.pack("=qq", 40, 44)
    slot = 2 * (pair + struct.pack("=I4x", crc32(pair, crc32(b"main"))))
    path.write_bytes(struct.pack("=5q88x", *words, check) + slot + names)
    assert placed(folder, main="a", own="b") == {"main": (40, 44), "own": (40, 44)}
    assert own(folder, "main") == own(folder, "own") == {}


def test_a_plugin_that_is_disabled_for_a_while_keeps_its_place(folder: StateFolder) -> None:
    stood(folder, "main", "a", 90)
    stood(folder, "own", "b", 40)
    assert placed(folder, main="a") == {"main": (90, 90), "own": (40, 40)}
    assert placed(folder, main="a", own="b")["own"] == (40, 40)


def test_where_a_process_stood_is_not_forgotten_before_its_plugins_have_another_place(
    folder: StateFolder,
) -> None:
    stood(folder, "own", "b", 40)
    # There is no room for it.
    folder.progress_file("main").parent.write_text("in the way")
    place_cursors(folder, [host(folder, "main", "a b")])
    folder.progress_file("main").parent.unlink()
    assert placed(folder, main="a b") == {"main": (40, 40)}
