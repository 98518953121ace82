"""The state folder under hands that are not qehost's: locks, links, whole folders."""

from __future__ import annotations

import shutil
from pathlib import Path

from promise import Numbers, check
from running import QUICK, Run
from unwritable import unwritable

from qehost.simulator import Venue
from qehost.storage.folder_lock import FolderLock
from qehost.storage.state_folder import StateFolder

LINKS = (
    "status.json.new",
    "accounts/main/journal/next",
    "accounts/main/journal/checkpoint",
    "accounts/main/journal/checkpoint.2",
    "hosts/main/marks.new",
    "hosts/main/boot.new",
)


def test_links_that_were_planted_have_no_other_file_written(tmp_path: Path, venue: Venue) -> None:
    state = tmp_path / "state"
    for number, name in enumerate(LINKS):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"precious-{number}").write_text("precious")
        (state / name).symlink_to(tmp_path / f"precious-{number}")
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(5)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
    assert not run.logged("NOT PROTECTED|can't be written")
    assert all((tmp_path / f"precious-{n}").read_text() == "precious" for n in range(len(LINKS)))


def test_a_link_in_the_locks_place_refuses_the_start(tmp_path: Path, venue: Venue) -> None:
    (target := tmp_path / "precious").write_text("precious")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "lock").symlink_to(target)
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        assert run.wait() == 3
        run.wait_for_line("symbolic link")
    assert target.read_text() == "precious"


def test_a_lock_file_that_was_removed_lets_no_second_qehost_in(
    tmp_path: Path, venue: Venue
) -> None:
    (second := tmp_path / "second").mkdir()
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        (run.state / "lock").unlink()
        (run.state / "accounts" / "main" / "journal" / "lock").unlink()
        with Run(second, venue=venue, settings=QUICK, state=run.state) as other:
            assert other.wait() == 3
            other.wait_for_line("in use")
            assert not other.records()
        numbers = Numbers(venue, rate=1)
        numbers.push(5)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)


def test_no_plugin_is_started_while_another_process_writes_the_journal(
    tmp_path: Path, venue: Venue
) -> None:
    """As one of an earlier qehost that has not ended yet: its plugins may be at work, too."""
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        assert run.stop() == 0
    known = len(run.records())
    lock = FolderLock(StateFolder(run.state).journal("main"))
    assert lock.acquire()
    with Run(tmp_path, venue=venue, settings=QUICK) as other:
        assert other.wait() == 3
        other.wait_for_line("writes here already")
        assert len(other.records()) == known
    lock.release()


def test_where_another_one_has_a_new_folder_of_that_name_the_first_ends(
    tmp_path: Path, venue: Venue
) -> None:
    # By links, since those can be changed in one step.
    (tmp_path / "first").mkdir()
    (tmp_path / "state").symlink_to("first")
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        lock = StateFolder(tmp_path / "second").lock()
        (tmp_path / "link").symlink_to("second")
        (tmp_path / "link").rename(tmp_path / "state")
        assert run.wait() == 5
        run.wait_for_line("another qehost works in the state folder now")
        lock.release()


def test_a_folder_that_was_deleted_is_begun_anew(tmp_path: Path, venue: Venue) -> None:
    (second := tmp_path / "second").mkdir()
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(5)
        numbers.wait_for_all(run)
        # At once: what is taken away piece by piece is put back meanwhile.
        run.state.rename(tmp_path / "deleted")
        shutil.rmtree(tmp_path / "deleted", ignore_errors=True)
        run.wait_for(lambda: run.logged("going on in a new one"), "the lock")
        with Run(second, venue=venue, settings=QUICK, state=run.state) as other:
            assert other.wait() == 3
        numbers.push(5)
        numbers.wait_for_all(run)
        assert run.stop() == 0


def test_a_folder_that_is_unwritable_for_some_seconds_does_not_end_a_start(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        assert run.stop() == 0
    # For longer than this test may take.
    patient = "import qehost.storage.patience as patience; patience.PATIENCE = 1000.0"
    with unwritable(run.state):
        again = Run(tmp_path, venue=venue, settings=QUICK, before=patient)
        try:
            again.wait_for(lambda: again.logged("it is tried again for"), "the first try")
        except BaseException:
            again.kill()
            raise
    with again:
        again.wait_for_connections(2)
        assert again.stop() == 0
