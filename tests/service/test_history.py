"""A program with a state folder asks its journal as a plugin does."""

from __future__ import annotations

from pathlib import Path

import pytest
from script import status, wait_for

from qehost import WebSocketService
from qehost.errors import ParameterArgumentError


def texts(service: WebSocketService) -> list[str]:
    return [event.message for event in service.history(kinds=["status"])]


def test_its_history_is_all_that_it_has_handled(service_of, api, calls, venue, tmp_path: Path):
    past: list[list[str]] = []
    service = service_of(api, calls, state_dir=tmp_path)
    calls.react["on_status"] = lambda _: past.append(texts(service))
    service.connect()
    calls.wait("on_connected")
    for text in ("one", "two"):
        venue.push(status(text))
        wait_for(lambda text=text: text in calls.of("on_status"), text)
    service.close()
    assert past == [[], ["one"]]
    assert texts(service) == ["one", "two"]

    again = service_of(api, calls, state_dir=tmp_path)
    assert texts(again) == ["one", "two"], "before it is connected, too"
    (last,) = again.history(kinds=["status"], newest_first=True, limit=1)
    assert again.has(last.journal_id, last.seq)
    assert not again.has("00" * 8, last.seq)
    calls.react["on_status"] = lambda _: past.append(texts(again))
    again.connect()
    wait_for(again.is_connected, "the stream")
    venue.push(status("three"))
    wait_for(lambda: "three" in calls.of("on_status"), "three")
    again.close()
    assert past[-1] == ["one", "two"]
    assert texts(again) == ["one", "two", "three"]


def test_without_a_state_folder_there_is_none_and_it_says_so(service_of, api):
    service = service_of(api)
    with pytest.raises(ParameterArgumentError, match="state_dir"):
        service.history()
    with pytest.raises(ParameterArgumentError, match="state_dir"):
        service.has("00" * 8, 1)


def test_a_selection_that_cannot_be_one_is_refused(service_of, api, tmp_path: Path):
    with pytest.raises(ParameterArgumentError, match="no kind"):
        service_of(api, state_dir=tmp_path).history(kinds=["fil"])
