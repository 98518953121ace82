"""The operator sees the first of each kind, and how often it came."""

from __future__ import annotations

from qehost.events.notices import Counts, LastGap, Notices


def test_of_each_kind_the_first_the_tenth_and_the_hundredth_are_lines() -> None:
    notices = Notices()
    for _ in range(150):
        notices.warn("a", "it came")
    notices.warn("b", "another came")
    assert notices.warnings == [
        "it came",
        "it came (10 times so far)",
        "it came (100 times so far)",
        "another came",
    ]
    assert notices.is_known("b")
    assert not notices.is_known("c")


def test_the_kinds_are_bounded() -> None:
    notices = Notices()
    for number in range(5000):
        notices.warn(str(number), "it came")
    assert sum(notices.is_known(str(number)) for number in range(5000)) == 1000


def test_cleared_it_knows_nothing() -> None:
    notices = Notices()
    notices.warn("a", "it came")
    notices.note_gap("events were missed", 1.5)
    notices.clear()
    assert (notices.counts, notices.warnings, notices.is_known("a")) == (Counts(), [], False)
    assert (notices.last_gap, notices.take_gaps()) == (None, [])


def test_each_gap_is_counted_and_to_be_logged_once_and_the_last_is_known() -> None:
    notices = Notices()
    for number in range(3):
        notices.note_gap(f"gap {number}", 7.0 + number)
    assert notices.counts.gaps == 3
    assert notices.last_gap == LastGap("gap 2", 9.0)
    assert notices.take_gaps() == ["gap 0", "gap 1", "gap 2"]
    assert notices.take_gaps() == []
