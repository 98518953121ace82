"""Failures on their way into the dead letters, and letters on their way back; nothing raises."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from qehost.host import letterbox
from qehost.host.dead_letters import DeadLetters
from qehost.host.letterbox import LetterBox
from qehost.messages import StatusEvent
from qehost.records import decode_events


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
def box(file: Path) -> Iterator[LetterBox]:
    box = LetterBox("main", file)
    yield box
    box.close()


def test_a_failure_is_kept_with_its_traceback_and_the_event(box: LetterBox, file: Path) -> None:
    box.note("audit", "on_status", event(7), raised())
    assert not file.exists()
    box.write()
    with DeadLetters(file) as letters:
        (letter,) = letters.letters()
        assert letters.counts() == {"audit": 1}
    assert (letter.plugin, letter.process, letter.hook) == ("audit", "main", "on_status")
    assert (letter.seq, letter.cause, letter.state) == (7, "raised", "dead")
    assert letter.detail.endswith("ValueError: no such account\n")
    assert "test_letterbox.py" in letter.detail
    assert decode_events(letter.event) == [event(7)]


def test_outside_of_any_event_there_is_nothing_to_keep(box: LetterBox, file: Path) -> None:
    box.note("audit", "on_tick", None, raised())
    box.write()
    assert not file.exists()


def test_letters_come_back_one_by_one_and_for_the_plugins_that_are_there(
    box: LetterBox, file: Path
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


def test_a_death_is_passed_over_for_its_plugin(box: LetterBox, file: Path) -> None:
    assert box.quarantined("main", 0) == {}
    with DeadLetters(file) as letters:
        for plugin in ("audit", "other"):
            letters.add(
                account="main", plugin=plugin, process="main", seq=7, hook="on_status",
                cause="died", detail="signal SIGSEGV", event=b"",
            )  # fmt: skip
    assert box.quarantined("main", 6) == {7: {"audit", "other"}}
    assert box.quarantined("main", 7) == {}


def test_while_letters_can_not_be_written_failures_wait_up_to_a_bound(
    box: LetterBox, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(letterbox, "LIMIT", 3)
    monkeypatch.setattr(letterbox, "RETRY_EVERY", 0.0)
    file.mkdir()
    for seq in range(1, 6):
        box.note("audit", "on_status", event(seq), raised())
        box.write()
    assert box.take(["audit"]) is None
    assert box.quarantined("main", 0) == {}
    file.rmdir()
    caplog.clear()
    with caplog.at_level(logging.ERROR):
        box.write()
    assert "2 failures of plugins were not recorded" in caplog.text
    with DeadLetters(file) as letters:
        assert [letter.seq for letter in letters.letters()] == [1, 2, 3]


def test_an_exception_whose_text_raises_is_kept_all_the_same(box: LetterBox, file: Path) -> None:
    class Nasty(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    box.note("audit", "on_status", event(1), Nasty())
    box.write()
    with DeadLetters(file) as letters:
        assert "Nasty" in letters.letters()[0].detail


def test_a_state_folder_that_can_not_be_looked_into_raises_nothing(
    box: LetterBox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", refuse)
    assert box.take(["audit"]) is None
    assert box.quarantined("main", 0) == {}
