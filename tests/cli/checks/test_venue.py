"""What is asked of the venue."""

from __future__ import annotations

import re
from contextlib import nullcontext

import pytest
from checking import check, state_of
from limits import no_room

from qehost.simulator import Venue
from qehost.simulator.faults import parse
from qehost.storage.state_folder import StateFolder

pytestmark = pytest.mark.usefixtures("ready_to_run")


def test_no_listen_key_is_made_unless_it_is_asked_for(venue: Venue) -> None:
    key = venue.new_listen_key()
    assert "HTTP 401 without a listen key" in state_of("stream main")[1]
    assert venue.accounts[0].listen_key == key
    state, text = state_of("stream main", "--listen-key-test")
    assert (state, text) == ("ok", "connected with a new listen key")
    assert venue.accounts[0].listen_key != key


@pytest.mark.parametrize("disk", ["with room", "full"])
def test_no_listen_key_is_made_while_a_run_uses_the_state_folder(disk: str) -> None:
    with no_room() if disk == "full" else nullcontext():
        lock = StateFolder("state").lock()
    try:
        state, text = state_of("stream main", "--listen-key-test")
        assert state == "skipped"
        assert text.startswith("a qehost runs" if disk == "full" else "process")
        assert "in use by the qehost with process id" in state_of("state folder")[1]
    finally:
        lock.release()


def test_wrong_credentials_are_told_with_what_to_look_at_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QEHOST_API_SECRET", "not-the-secret-at-all")
    checked = check()
    assert checked.code == 1
    assert checked.found["REST main"][0][0] == "ok"
    assert checked.found["credentials main"][0][0] == "failed"
    assert "check api_key, api_secret and rest_url" in checked.output
    assert "not-the-secret-at-all" not in checked.output


def test_without_credentials_the_way_to_the_venue_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("QEHOST_API_KEY")
    monkeypatch.delenv("QEHOST_API_SECRET")
    checked = check()
    assert checked.code == 1
    assert "no credentials" in checked.found["settings"][0][1]
    assert checked.found["credentials main"] == [("skipped", "there are none")]
    assert checked.found["REST main"][0][0] == checked.found["stream main"][0][0] == "ok"


def test_a_venue_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = check("--ws-url", "ws://127.0.0.1:1", "--rest-url", "http://127.0.0.1:1")
    assert checked.code == 1
    assert checked.found["REST main"][0][0] == "failed"
    assert checked.found["stream main"][0][0] == "failed"
    assert "clock main" not in checked.found


def test_a_wrong_path_of_the_stream_is_told(venue: Venue) -> None:
    state, text = state_of("stream main", "--ws-url", f"{venue.ws_url}/elsewhere")
    assert state == "failed"
    assert "is ws_url right?" in text


def test_a_clock_that_is_off_is_told_and_no_failure() -> None:
    with Venue(port=0, faults=[parse("clock=+120s")]) as venue:
        arguments = ["--ws-url", venue.ws_url, "--rest-url", venue.rest_url]
        state, text = state_of("clock main", *arguments)
    assert state == "warning"
    # As exactly as half of a round trip, which may take long.
    assert re.search(r"1[12]\d\.\d s", text)
