"""Where host processes begin to read, by what stood in their marks and in those of others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from qehost.control import HostTask
from qehost.host.cursors import Marks, MarksView
from qehost.journal import Journal
from qehost.logs import LogSettings
from qehost.settings import HostSettings, JournalSettings
from qehost.state import StateFolder
from qehost.supervision.placing import place_cursors


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """A state folder with a journal of 100 events."""
    folder = StateFolder(tmp_path)
    with Journal(folder.journal("main")) as journal:
        journal.append(b"", 1, 100, 1, 2)
    return folder


def stood(folder: StateFolder, host: str, plugins: str, cursor: int, handed: int = 0) -> None:
    """A process that had these plugins."""
    marks = Marks.open(folder.marks(host), plugins.split(), (), ["main"])
    marks.advance("main", cursor)
    marks.hand("main", handed or cursor)
    marks.close()


def placed(folder: StateFolder, **wanted: str) -> dict[str, tuple[int, int]]:
    """Cursor and last event handed of each process, once these have been placed."""
    place_cursors(folder, [task(folder, name, each) for name, each in wanted.items()])
    found = {}
    for name in folder.processes():
        standing = MarksView(folder.marks(name)).standing()
        assert standing is not None
        found[name] = standing.cursors["main"], standing.handed["main"]
    return found


def task(folder: StateFolder, name: str, wanted: str) -> HostTask:
    return HostTask(
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
    assert "ends with event 100, but event 130 was handed" in caplog.text
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


def test_a_process_that_a_plugin_comes_to_goes_back_to_where_that_one_stood(
    folder: StateFolder,
) -> None:
    stood(folder, "main", "a", 90)
    stood(folder, "own", "b", 40)
    # What main's plugins had is marked; the process that is gone leaves nothing that misleads.
    assert placed(folder, main="a b") == {"main": (40, 90)}
    assert placed(folder, main="a", own="b") == {"main": (40, 90), "own": (40, 90)}


def test_plugins_that_change_places_miss_nothing(folder: StateFolder) -> None:
    stood(folder, "one", "a", 90)
    stood(folder, "two", "b", 40)
    assert placed(folder, main="", one="b", two="a") == {
        "main": (100, 0),
        "one": (40, 90),
        "two": (40, 90),
    }


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
    folder.marks("main").parent.write_text("in the way")
    place_cursors(folder, [task(folder, "main", "a b")])
    folder.marks("main").parent.unlink()
    assert placed(folder, main="a b") == {"main": (40, 40)}
