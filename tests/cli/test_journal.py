"""`qehost journal`: what people see, and what other programs get."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from journalled import events, listed, run

from qehost.events.codec import encode_events
from qehost.storage.cursor_file import Cursor, own_key
from qehost.storage.cursors import Cursors
from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder


def test_the_list_is_limited_to_the_newest(folder: StateFolder) -> None:
    assert listed(folder, "-n", "3") == [12, 13, 14]
    assert listed(folder, "-n", "0") == list(range(1, 15))


@pytest.mark.parametrize(
    ("args", "seqs"),
    [
        (("--kind", "fill"), [5, 12]),
        (("--kind", "fill", "--kind", "status"), [2, 5, 9, 12]),
        (("--symbol", "BTCUSDT"), [3, 4, 5, 10, 11, 12]),
        (("--symbol", "BTC"), []),
        (("--order-id", "O-1"), [4, 5, 11, 12]),
        (("--order-id", "MO-1", "--kind", "master_order"), [3, 10]),
        (("--order-id", "C-1"), [3, 10]),
        (("--since", "30m"), list(range(8, 15))),
        (("--until", "30m"), list(range(1, 8))),
        (("--since", "2h", "--until", "30m", "--kind", "order"), [4]),
    ],
)
def test_the_list_is_filtered(folder: StateFolder, args: tuple[str, ...], seqs: list[int]) -> None:
    assert listed(folder, *args) == seqs


def test_the_list_as_json_has_the_exact_figures(folder: StateFolder) -> None:
    (order, _) = json.loads(run(folder, "list", "--json", "--kind", "order").stdout)
    assert order["detail"]["price"] == "100.5"


def test_the_list_works_while_the_journal_is_written(folder: StateFolder) -> None:
    with Journal(folder.journal("main")) as journal:
        batch = events("main", 15, time.time_ns())
        journal.append(encode_events(batch), 15, 21, 0, time.time_ns())
        assert listed(folder, "-n", "1") == [21]


def test_an_empty_and_a_missing_journal_are_told_in_words(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    assert "`qehost run` begins one" in run(folder, "list", code=3).stderr
    Journal(folder.journal("main")).close()
    result = run(folder, "list")
    assert result.stdout == ""
    assert "No event has been received yet" in result.stderr
    assert json.loads(run(folder, "list", "--json").stdout) == []
    assert run(folder, "list", "--kind", "fill").stderr == "No event fits.\n"


# --- prune ------------------------------------------------------------------------------------


def deliver(folder: StateFolder, process: str, seq: int) -> None:
    cursors = Cursors.open(folder.progress_file(process), (), ("main",))
    cursors.advance("main", seq)
    cursors.close()


def test_pruning_says_what_was_deleted(folder: StateFolder) -> None:
    deliver(folder, "main", 14)
    result = run(folder, "prune", "--keep", "30m")
    assert "main: events up to 7 deleted" in result.stdout
    assert listed(folder) == list(range(8, 15))
    assert "nothing to delete" in run(folder, "prune", "--keep", "30m").stdout


def test_pruning_by_age_names_the_process_that_holds_it_back(folder: StateFolder) -> None:
    deliver(folder, "fast", 14)
    deliver(folder, "slow", 3)
    result = run(folder, "prune", "--keep", "30m")
    assert "host process slow has come to event 3 only" in result.stderr
    assert listed(folder) == list(range(1, 15))
    assert "events up to 7 deleted" in run(folder, "prune", "--keep", "30m", "--undelivered").stdout


def test_pruning_by_age_keeps_what_a_plugin_waits_for_and_names_it(folder: StateFolder) -> None:
    path = folder.progress_file("main")
    cursors = Cursors.open(path, ("sink",), ("main",))
    cursors.place("main", Cursor(14, 14))
    cursors.place(own_key("sink", "main"), Cursor(3, 3))
    cursors.close()
    result = run(folder, "prune", "--keep", "30m")
    assert "plugin sink of host process main has come to event 3 only" in result.stderr
    assert listed(folder) == list(range(1, 15))


def test_pruning_by_size_says_how_much_was_not_delivered(folder: StateFolder) -> None:
    deliver(folder, "main", 3)
    result = run(folder, "prune", "--keep-size", "1k")
    assert "4 of them had not been delivered" in result.stderr
    assert listed(folder) == list(range(8, 15))


def test_pruning_asks_what_to_keep(folder: StateFolder) -> None:
    assert "--keep 7d" in run(folder, "prune", code=2).stderr
    assert "write 90s, 15m" in run(folder, "prune", "--keep", "a week", code=2).stderr


# --- what people type -------------------------------------------------------------------------


HUGE = "9" * 400


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "0001-01-01"),
        ("--since", "0001-01-01T00:00+14:00"),
        ("--since", f"{HUGE}d"),
        ("--until", "9999-12-31T23:59:59-12:00"),
        ("--since", "1960-01-01"),
    ],
)
def test_a_time_beyond_all_clocks_means_everything(
    folder: StateFolder, arguments: tuple[str, str]
) -> None:
    assert listed(folder, *arguments) == list(range(1, 15))


@pytest.mark.parametrize("text", ["0001-01-01", "1970-01-01T00:00Z", f"{HUGE}d"])
def test_until_a_time_before_all_clocks_is_nothing(folder: StateFolder, text: str) -> None:
    assert listed(folder, "--until", text) == []


@pytest.mark.parametrize("option", [("--keep", f"{HUGE}d"), ("--keep-size", f"{HUGE}T")])
def test_to_keep_more_than_there_can_be_deletes_nothing(
    folder: StateFolder, option: tuple[str, str]
) -> None:
    deliver(folder, "main", 14)
    assert "nothing to delete" in run(folder, "prune", *option).stdout
