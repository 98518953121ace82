"""Dead letters: listed, shown, delivered again, removed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from journalled import events, run

from qehost.events.codec import encode_events
from qehost.storage.dead_letters import DeadLetters
from qehost.storage.state_folder import StateFolder

# --- dead letters -----------------------------------------------------------------------------


@pytest.fixture
def letters(folder: StateFolder) -> StateFolder:
    """A letter for each of two plugins."""
    with DeadLetters(folder.dead_letters_file, limit=1) as letters:
        for seq, plugin, cause, detail in (
            (5, "sink", "raised", "Traceback (most recent call last):\n  …\nValueError: no disk"),
            (6, "console", "died", "signal SIGSEGV"),
            (12, "sink", "raised", "ValueError: no disk"),
        ):
            letters.add(
                account="main",
                plugin=plugin,
                process="main",
                seq=seq,
                hook="on_fill",
                cause=cause,  # type: ignore[arg-type]
                detail=detail,
                event=encode_events([events("main", 1, 10**18)[4]]),
            )
    return folder


def all_letters(folder: StateFolder) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(folder, "dead-letters", "--json").stdout)
    return found


def test_dead_letters_are_listed_with_their_cause(letters: StateFolder) -> None:
    result = run(letters, "dead-letters")
    header, first, second = result.stdout.splitlines()
    assert header.split()[0] == "Id"
    assert "sink" in first
    assert first.rstrip().endswith("raised: ValueError: no disk")
    assert second.rstrip().endswith("died: signal SIGSEGV")
    assert "plugin sink: 1 more was only counted" in result.stderr
    assert len(run(letters, "dead-letters", "--plugin", "sink").stdout.splitlines()) == 2


def test_a_letter_is_shown_whole(letters: StateFolder) -> None:
    text = run(letters, "dead-letters", "1").stdout
    assert "Traceback (most recent call last):" in text
    assert "BUY 0.5 @ 100.5" in text
    assert "no dead letter 9" in run(letters, "dead-letters", "9", code=2).stderr


def test_dead_letters_as_json_hold_their_events(letters: StateFolder) -> None:
    first, second = json.loads(run(letters, "dead-letters", "--json").stdout)
    assert (first["id"], first["plugin"], first["state"]) == (1, "sink", "dead")
    assert first["event"]["message"]["filled_qty"] == 0.5
    assert second["detail"] == "signal SIGSEGV"


def test_retry_marks_letters_for_the_host(letters: StateFolder) -> None:
    assert run(letters, "dead-letters", "--retry", "1").stdout == "1 to be delivered again\n"
    assert "no dead letter 9" in run(letters, "dead-letters", "--retry", "9", code=2).stderr
    assert "or all" in run(letters, "dead-letters", "--retry", "some", code=2).stderr
    with DeadLetters(letters.dead_letters_file) as store:
        assert [letter.id for letter in store.take(["sink", "console"])] == [1]
        assert run(letters, "dead-letters", "--retry", "all").stdout == "2 to be delivered again\n"
        assert len(store.take(["sink", "console"])) == 2


def test_purge_removes_letters(letters: StateFolder) -> None:
    assert run(letters, "dead-letters", "--purge", "delivered").stdout == "0 removed\n"
    with DeadLetters(letters.dead_letters_file) as store:
        store.delivered(1)
    assert run(letters, "dead-letters", "--purge", "delivered").stdout == "1 removed\n"
    assert run(letters, "dead-letters", "--purge", "2").stdout == "1 removed\n"
    assert run(letters, "dead-letters").stdout == f"No dead letters in {letters.path}.\n"
    assert "no dead letter 2" in run(letters, "dead-letters", "--purge", "2", code=2).stderr


@pytest.mark.parametrize("arguments", [("1", "--purge", "all"), ("1", "--retry", "2")])
def test_numbers_beside_retry_or_purge_are_refused_and_nothing_is_done(
    letters: StateFolder, arguments: tuple[str, ...]
) -> None:
    assert (
        "write --retry ID or --purge ID" in run(letters, "dead-letters", *arguments, code=2).stderr
    )
    assert [each["state"] for each in all_letters(letters)] == ["dead", "dead"]


@pytest.mark.parametrize(
    "arguments", [("1", "2"), ("--retry", "1", "--retry", "2"), ("--purge", "1", "--purge", "2")]
)
def test_with_a_plugin_named_no_letter_of_another_is_touched(
    letters: StateFolder, arguments: tuple[str, ...]
) -> None:
    told = run(letters, "dead-letters", *arguments, "--plugin", "sink", code=2).stderr
    assert "Not of plugin sink: dead letter 2 is one of plugin console." in told
    assert [each["state"] for each in all_letters(letters)] == ["dead", "dead"]


@pytest.mark.parametrize("number", ["9", "99999999999999999999999", "-99999999999999999999999"])
@pytest.mark.parametrize("option", ["--retry", "--purge"])
def test_where_one_letter_is_missing_nothing_is_done_to_the_others(
    letters: StateFolder, option: str, number: str
) -> None:
    told = run(letters, "dead-letters", option, "1", option, number, code=2).stderr
    assert f"There is no dead letter {number}." in told
    assert [each["state"] for each in all_letters(letters)] == ["dead", "dead"]


def test_no_dead_letters_are_no_error_and_no_file_is_made(folder: StateFolder) -> None:
    assert run(folder, "dead-letters").stdout == f"No dead letters in {folder.path}.\n"
    assert run(folder, "dead-letters", "--json").stdout == "[]\n"
    assert not folder.dead_letters_file.exists()
