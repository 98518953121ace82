"""Events of one account or of all, by time."""

from __future__ import annotations

import io
import json
import sys
import time

import pytest
from journalled import events, listed, run, write

from qehost.cli import event_search, journal_table, search_progress
from qehost.cli.event_search import EventSearch
from qehost.cli.json_output import pretty_json
from qehost.cli.search_progress import SearchProgress
from qehost.storage.journal.search import Wanted
from qehost.storage.state_folder import StateFolder


def test_accounts_are_shown_together_by_time_or_one_alone(folder: StateFolder) -> None:
    write(folder, "other", events("other", 1, time.time_ns() - 1800 * 10**9))
    header, *lines = run(folder, "list").stdout.splitlines()
    assert header.split()[2] == "Account"
    assert [line.split()[2] for line in lines] == ["main"] * 7 + ["other"] * 7 + ["main"] * 7
    assert listed(folder, "--account", "other") == list(range(1, 8))
    assert "main, other" in run(folder, "list", "--account", "third", code=2).stderr


def test_what_cannot_be_read_is_told_and_the_rest_is_shown(folder: StateFolder) -> None:
    first = min(folder.journal("main").glob("*.events"))
    first.write_bytes(b"no journal, " * 1000)
    result = run(folder, "list", "--json")
    assert [event["seq"] for event in json.loads(result.stdout)] == list(range(8, 15))
    assert "events 1 to 7 can't be read" in result.stderr


@pytest.mark.parametrize("limit", [1, 4, 5, 6, 9, 20, 21, 100, 0])
def test_of_a_long_list_few_events_are_held_and_it_is_the_same(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    write(folder, "other", events("other", 1, time.time_ns() - 1800 * 10**9))

    def listed_events() -> list[tuple[str, int]]:
        out = run(folder, "list", "--json", "-n", str(limit)).stdout
        assert out == f"{pretty_json(json.loads(out)).decode()}\n"
        return [(event["account"], event["seq"]) for event in json.loads(out)]

    before = listed_events()
    assert len(before) == min(limit or 21, 21)
    monkeypatch.setattr(event_search, "HELD", 5)
    assert listed_events() == before


def test_the_columns_of_a_long_list_stay_below_their_headings(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(folder, "list").stdout.splitlines()
    monkeypatch.setattr(journal_table, "PAGE", 7)
    lines = run(folder, "list").stdout.splitlines()
    assert [line.split() for line in lines] == [line.split() for line in whole]
    assert {line.index(" fill ") for line in lines if " fill " in line} == {
        whole[0].index("Kind") - 1
    }


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_long_search_shows_on_a_terminal_how_far_it_is(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_progress, "AFTER", 0.0)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    wanted = Wanted(kinds=frozenset(["fill"]), symbol="NONE")
    search = EventSearch(folder, "", wanted, newest_first=True, progress=SearchProgress())
    assert list(search) == []
    assert "main: at event 8 of 14\r" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize("prints_events", [False, True])
def test_it_makes_room_for_the_events_that_are_printed_there(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch, prints_events: bool
) -> None:
    monkeypatch.setattr(search_progress, "AFTER", 0.0)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    progress = SearchProgress(prints_events=prints_events)
    search = EventSearch(folder, "", Wanted(), newest_first=False, progress=progress)
    next(iter(search))
    assert terminal.getvalue().endswith("\r\x1b[K") is prints_events


def test_in_a_pipe_it_shows_nothing(folder: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_progress, "AFTER", 0.0)
    assert run(folder, "list", "--kind", "fill", "--symbol", "NONE").stderr == "No event fits.\n"
