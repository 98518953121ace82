"""What is lost and what is not: slow handlers, with and without a state folder."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
import threading
import time
from typing import Any

import pytest
from limits import unopenable
from script import status, wait_for
from waiting import PATIENCE

from qehost import WebSocketService
from qehost.errors import (
    GapError,
    StateFolderBusy,
)
from qehost.storage.state_folder import StateFolder


def until_read(service: WebSocketService, events: int) -> None:
    """Until the connection process has received that many."""
    assert service._session is not None
    presence = service._session._state
    wait_for(lambda: presence._status[0] > events, "the connection process to read everything")


def test_handlers_that_are_too_slow_lose_events_only_with_a_word_about_it(
    service_of, api, calls, venue
):
    release = threading.Event()
    service = service_of(api, calls, queue_bytes=1 << 20)
    service.connect()
    calls.wait("on_connected")
    calls.react["on_status"] = lambda _: release.wait(PATIENCE)
    sent = 80
    for number in range(1, sent + 1):
        venue.push(status(f"{number:<100000}"))
    calls.wait("on_status")
    until_read(service, sent)
    release.set()
    errors = calls.wait("on_error")
    while not calls.of("on_status")[-1].startswith("after"):
        sent += 1
        venue.push(status(f"after {sent}"))
        time.sleep(0.05)
    errors = calls.of("on_error")
    assert all(isinstance(error, GapError) for error in errors)
    lost = sum(int(str(error).partition(" ")[0]) for error in errors)
    heard = [int(text.split()[-1]) for text in calls.of("on_status")]
    assert lost == heard[-1] - len(heard)
    assert heard == sorted(heard)


# --- with a journal -----------------------------------------------------------------------------


def test_with_a_state_folder_what_was_not_handled_comes_at_the_next_start(
    service_of, api, calls, venue, tmp_path
):
    later = type(calls)()
    service = service_of(api, calls, state_dir=tmp_path)

    def close_at_3(text: str) -> None:
        if text == "3":
            until_read(service, 6)
            service.close()

    calls.react["on_status"] = close_at_3
    service.connect()
    calls.wait("on_connected")
    (thread,) = calls.threads
    for number in range(1, 7):
        venue.push(status(str(number)))
    thread.join(PATIENCE)
    received = calls.of("on_status")
    assert received == ["1", "2", "3"]
    second = service_of(api, later, state_dir=tmp_path)
    second.connect()
    later.wait("on_connected")
    assert "on_disconnected" not in later.names()  # that of the first run
    venue.push(status("1"))  # a duplicate, over both runs
    venue.push(status("7"))
    assert later.wait("on_status", 4) == ["4", "5", "6", "7"]


@pytest.mark.parametrize("looks", [3, 8])
def test_a_journal_that_cannot_be_opened_for_a_moment_is_no_gap(
    looks, service_of, api, calls, venue, tmp_path, monkeypatch, caplog
):
    """The program has no file left to open, say, while what it had not handled is in the journal
    alone."""
    later = type(calls)()
    service = service_of(api, calls, state_dir=tmp_path)

    def close_at_1(text: str) -> None:
        if text == "1":
            until_read(service, 9)
            service.close()

    calls.react["on_status"] = close_at_1
    service.connect()
    calls.wait("on_connected")
    (thread,) = calls.threads
    for number in range(1, 10):
        venue.push(status(str(number)))
    thread.join(60)
    assert calls.of("on_status") == ["1"]

    real, tries = os.open, itertools.count(1)

    def open_none(path: Any, *arguments: Any, **options: Any) -> int:
        in_handlers_thread = threading.current_thread().name == "qehost-handlers"
        if in_handlers_thread and str(path).endswith(".events") and next(tries) <= looks:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_none)
    second = service_of(api, later, state_dir=tmp_path)
    second.connect()
    wait_for(second.is_connected)
    venue.wait_connected()
    venue.push(status("10"))
    assert later.wait("on_status", 9) == [str(number) for number in range(2, 11)]
    assert next(tries) > looks
    assert "Too many open files" in caplog.text
    assert not later.of("on_error")


def test_a_journal_that_cannot_be_opened_holds_up_neither_close_nor_the_next_start(
    service_of, api, calls, venue, tmp_path, monkeypatch
):
    monkeypatch.setattr("qehost.service.session.HANDLER_WITHIN", 60.0)
    later = type(calls)()
    release = threading.Event()
    service = service_of(api, calls, queue_bytes=1 << 20, state_dir=tmp_path)
    service.connect()
    calls.wait("on_connected")
    calls.react["on_status"] = lambda _: release.wait(30)
    for number in range(60):
        venue.push(status(f"{number:<100000}"))
    calls.wait("on_status")
    until_read(service, 60)
    with unopenable(StateFolder(tmp_path).journal("main")):
        release.set()
        # What the queue has comes, and then it looks into the journal for the rest.
        wait_for(lambda: service._session._delivery._delivery.due)
        service.close()
        (thread,) = calls.threads
        assert not thread.is_alive()
    heard = [int(text) for text in calls.of("on_status")]
    assert 0 < len(heard) < 60
    second = service_of(api, later, state_dir=tmp_path)
    second.connect()
    heard += [int(text) for text in later.wait("on_status", 60 - len(heard))]
    assert heard == list(range(60))
    assert not calls.of("on_error")
    assert not later.of("on_error")


def test_what_on_raw_message_closes_before_the_handler_for_its_type_comes_again(
    service_of, api, calls, venue, tmp_path
):
    later = type(calls)()
    service = service_of(api, calls, state_dir=tmp_path)
    calls.react["on_raw_message"] = lambda _: service.close()
    service.connect()
    calls.wait("on_connected")
    (thread,) = calls.threads
    venue.push(status("one"))
    thread.join(60)
    assert calls.of("on_status") == []
    service_of(api, later, state_dir=tmp_path).connect()
    assert later.wait("on_status") == ["one"]
    assert len(later.of("on_raw_message")) == 1


def test_what_on_raw_message_closes_is_handled_if_there_is_no_handler_for_its_type(
    service_of, api, calls, venue, tmp_path
):
    later = type(calls)()
    service = service_of(api, calls, state_dir=tmp_path)
    service.handlers.on_status = None
    calls.react["on_raw_message"] = lambda _: service.close()
    service.connect()
    calls.wait("on_connected")
    (thread,) = calls.threads
    venue.push(status("one"))
    thread.join(60)
    service_of(api, later, state_dir=tmp_path).connect()
    later.wait("on_connected")
    venue.push(status("two"))
    assert later.wait("on_status") == ["two"]


def test_with_a_state_folder_slow_handlers_lose_nothing(service_of, api, calls, venue, tmp_path):
    release = threading.Event()
    service = service_of(api, calls, queue_bytes=1 << 20, state_dir=tmp_path)
    service.connect()
    calls.wait("on_connected")
    calls.react["on_status"] = lambda _: release.wait(PATIENCE)
    for number in range(60):
        venue.push(status(f"{number:<100000}"))
    calls.wait("on_status")
    until_read(service, 60)
    release.set()
    heard = calls.wait("on_status", 60)
    assert [int(text) for text in heard] == list(range(60))
    assert not calls.of("on_error")


def test_a_state_folder_that_is_deleted_costs_nothing_that_comes_after_it(
    service_of, api, calls, venue, children, tmp_path
):
    service = service_of(api, calls, state_dir=tmp_path / "state")
    service.connect()
    calls.wait("on_connected")
    for number in range(5):
        venue.push(status("before", number))
    calls.wait("on_status", 5)
    # It dies before it can put back what it has in mind.
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)
    # At once: what is taken away piece by piece is put back meanwhile.
    (tmp_path / "state").rename(tmp_path / "deleted")
    shutil.rmtree(tmp_path / "deleted", ignore_errors=True)
    os.kill(pid, signal.SIGKILL)
    calls.wait("on_connected", 2)
    venue.push(status("before", 4))  # a duplicate
    for number in range(3):
        venue.push(status("after", number))
    assert calls.wait("on_status", 8) == ["before"] * 5 + ["after"] * 3
    told = calls.names("on_raw_message", "on_status")
    assert told == ["on_connected", "on_disconnected", "on_error", "on_connected"]


def test_a_state_folder_belongs_to_one_service(service_of, api, calls, tmp_path):
    service_of(api, calls, state_dir=tmp_path).connect()
    with pytest.raises(StateFolderBusy, match=str(os.getpid())):
        service_of(api, state_dir=tmp_path).connect()


def test_a_state_folder_is_free_after_close(service_of, api, calls, tmp_path):
    first = service_of(api, calls, state_dir=tmp_path)
    first.connect()
    calls.wait("on_connected")
    first.close()
    service_of(api, calls, state_dir=tmp_path).connect()
    calls.wait("on_connected", 2)
