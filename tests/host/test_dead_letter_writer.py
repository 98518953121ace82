"""Failures on their way into the dead letters, and letters on their way back; nothing raises."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from limits import no_descriptors

from qehost.events.codec import decode_events
from qehost.host import dead_letter_writer
from qehost.host.dead_letter_writer import DeadLetterWriter
from qehost.messages import StatusEvent
from qehost.storage.dead_letters import DeadLetters


def event(seq: int) -> StatusEvent:
    return StatusEvent(seq, "main", "", 0, "stream", False, f"text {seq}", "hello")


def raised(text: str = "no such account") -> ValueError:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dead-letters.db"


@pytest.fixture
def box(file: Path) -> Iterator[DeadLetterWriter]:
    box = DeadLetterWriter("main", file)
    yield box
    box.close()


def test_a_failure_is_kept_with_its_traceback_and_the_event(
    box: DeadLetterWriter, file: Path
) -> None:
    box.note("audit", "on_status", event(7), raised())
    assert box.write() == set()
    with DeadLetters(file) as letters:
        (letter,) = letters.letters()
        assert letters.counts() == {"audit": 1}
    assert (letter.plugin, letter.process, letter.hook) == ("audit", "main", "on_status")
    assert (letter.seq, letter.cause, letter.state) == (7, "raised", "dead")
    assert letter.detail.endswith("ValueError: no such account\n")
    assert "test_dead_letter_writer.py" in letter.detail
    assert decode_events(letter.event) == [event(7)]


def test_outside_of_any_event_there_is_nothing_to_keep(box: DeadLetterWriter, file: Path) -> None:
    box.note("audit", "on_tick", None, raised())
    box.write()
    with DeadLetters(file) as letters:
        assert letters.letters() == []


def test_letters_come_back_one_by_one_and_for_the_plugins_that_are_there(
    box: DeadLetterWriter, file: Path
) -> None:
    for plugin, seq in (("audit", 1), ("other", 2), ("audit", 3)):
        box.note(plugin, "on_status", event(seq), raised())
    box.write()
    assert box.take(["audit"]) is None
    with DeadLetters(file) as letters:
        letters.mark([1, 2, 3])
        first = box.take(["audit"])
        assert first is not None
        box.delivered(first)
        second = box.take(["audit"])
        assert second is not None
        assert (first.seq, second.seq) == (1, 3)
        assert box.take(["audit"]) is None
        assert [x.state for x in letters.letters()] == ["delivered", "retry", "dead"]


def test_a_death_is_passed_over_for_its_plugin(box: DeadLetterWriter, file: Path) -> None:
    assert box.quarantined("main", 0) == {}
    with DeadLetters(file) as letters:
        for plugin in ("audit", "other"):
            letters.add(
                account="main", plugin=plugin, process="main", seq=7, hook="on_status",
                cause="died", detail="signal SIGSEGV", event=b"",
            )  # fmt: skip
    assert box.quarantined("main", 6) == {7: {"audit", "other"}}
    assert box.quarantined("main", 7) == {}


def test_what_cannot_be_written_is_kept_and_its_plugin_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letter_writer, "RETRY_EVERY", 0.0)
    file.mkdir()
    box = DeadLetterWriter("main", file)
    for seq in range(1, 6):
        box.note("audit", "on_status", event(seq), raised())
        assert box.write() == {"audit"}
    assert box.take(["audit"]) is None
    assert box.quarantined("main", 0) == {}
    assert str(file) in box.problem
    file.rmdir()
    box.note("other", "on_status", event(6), raised())
    assert box.write() == set()
    with DeadLetters(file) as letters:
        assert [letter.seq for letter in letters.letters()] == [1, 2, 3, 4, 5, 6]
    box.close()


def test_a_file_that_was_deleted_is_made_anew(box: DeadLetterWriter, file: Path) -> None:
    file.unlink()
    box.note("audit", "on_status", event(1), raised())
    assert box.write() == set()
    with DeadLetters(file) as letters:
        assert letters.counts() == {"audit": 1}


def test_a_failure_is_written_although_a_plugin_has_taken_all_file_descriptors(
    box: DeadLetterWriter, file: Path
) -> None:
    box.note("audit", "on_status", event(1), raised())
    with no_descriptors():
        assert box.write() == set()
    with DeadLetters(file) as letters:
        assert letters.counts() == {"audit": 1}


def test_what_there_is_no_room_for_is_counted_for_each_plugin(
    box: DeadLetterWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeadLetters, "_has_room", lambda *_: False)
    for seq in (1, 2):
        box.note("audit", "on_status", event(seq), raised())
    assert box.write() == set()
    assert box.dropped() == {"audit": 2}
    assert box.dropped() == {}


def test_an_exception_whose_text_raises_is_kept_all_the_same(
    box: DeadLetterWriter, file: Path
) -> None:
    class Nasty(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    box.note("audit", "on_status", event(1), Nasty())
    box.write()
    with DeadLetters(file) as letters:
        assert "Nasty" in letters.letters()[0].detail


def test_a_state_folder_that_can_not_be_looked_into_raises_nothing(
    box: DeadLetterWriter, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", refuse)
    assert box.take(["audit"]) is None
    assert box.quarantined("main", 0) == {}
