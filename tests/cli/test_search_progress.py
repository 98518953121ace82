"""How far a search has come is for people at a terminal alone."""

from __future__ import annotations

import io

import pytest

from qehost.cli import search_progress
from qehost.cli.search_progress import SearchProgress


class Screen(io.StringIO):
    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def told(monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool, after: float = 0.0) -> str:
    screen = Screen(is_terminal=is_terminal)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr(search_progress, "AFTER", after)
    progress = SearchProgress()
    progress.note("main", 1_000, 3_000_000)
    progress.clear()
    progress.clear()
    return screen.getvalue()


def test_a_long_search_says_where_it_is_and_wipes_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    text = told(monkeypatch, is_terminal=True)
    assert "main: at event 1,000 of 3,000,000" in text
    assert text.endswith(search_progress.CLEAR)
    assert text.count(search_progress.CLEAR) == 2


def test_a_short_search_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, is_terminal=True, after=3600.0) == ""


def test_a_file_gets_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, is_terminal=False) == ""
