"""The connection process of a service: kept running as `qehost run` keeps its own."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import threading
from contextlib import ExitStack

import pytest
from script import status, wait_for

from qehost.errors import WebsocketClientError
from qehost.processes import child, spawn
from qehost.service.process_monitor import ProcessMonitor


def test_a_connection_process_that_stands_still_is_killed_and_told_and_another_one_connects(
    service, calls, venue, children, monkeypatch
):
    service.connect()
    calls.wait("on_connected")
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)
    # From here on alone: a busy machine may let any process wait for so long.
    with monkeypatch.context() as shortened:
        shortened.setattr(child, "SILENT_AFTER", 3.0)
        calls.wait("on_disconnected")
    (error,) = calls.wait("on_error")
    assert "the connection process sent nothing for" in str(error)
    calls.wait("on_connected", 2)
    assert pid not in children()
    venue.push(status("after it"))
    assert calls.wait("on_status") == ["after it"]


def test_a_connection_process_that_dies_after_messages_have_come_is_started_again_at_once(
    service, calls, venue, children
):
    service.connect()
    for count in range(1, 9):
        calls.wait("on_connected", count)
        # When the second of them has come, it was reported that the first one had.
        for number in (1, 2):
            venue.push(status("a message", f"{count}-{number}"))
            calls.wait("on_status", 2 * (count - 1) + number)
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)
        calls.wait("on_error", count)
    delays = [re.search(r"again in ([\d.]+) s", str(error))[1] for error in calls.of("on_error")]
    assert delays == ["0.1"] * 8
    calls.wait("on_connected", 9)


def test_a_connection_process_that_dies_without_a_message_is_started_later_each_time(
    service, calls, children
):
    service.connect()
    for count in range(1, 4):
        calls.wait("on_connected", count)
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)
        calls.wait("on_error", count)
    delays = [re.search(r"again in ([\d.]+) s", str(error))[1] for error in calls.of("on_error")]
    assert delays == ["0.1", "0.2", "0.4"]


def test_while_the_system_has_no_file_to_give_it_is_told_and_tried_again(
    service, calls, children, monkeypatch
):
    service.connect()
    calls.wait("on_connected")
    with monkeypatch.context() as broken:

        def full(*_: object, **__: object) -> None:
            raise OSError(24, "Too many open files")

        broken.setattr(spawn, "Pipe", full)
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)
        errors = calls.wait("on_error", 3)
    assert "can't be started: Too many open files" in str(errors[1])
    calls.wait("on_connected", 2)


def test_a_program_may_have_more_than_a_thousand_files(service, calls, venue, children):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip("this user may not open so many")
    with ExitStack() as undo:
        if soft < 2000:
            resource.setrlimit(resource.RLIMIT_NOFILE, (2000, hard))
            undo.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            undo.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        service.connect()
        calls.wait("on_connected")
        venue.push(status("a message"))
        calls.wait("on_status")
        service.close()
        assert calls.names()[-1] == "on_disconnected"
        assert not calls.of("on_error")


def test_a_fault_of_the_monitor_s_own_is_logged_and_the_process_started_again(
    service, calls, children, monkeypatch, caplog
):
    service.connect()
    calls.wait("on_connected")
    faults = iter([ZeroDivisionError("our own")])
    turn = ProcessMonitor._obey

    def faulty(monitor: ProcessMonitor, now: float) -> None:
        for fault in faults:
            raise fault
        turn(monitor, now)

    monkeypatch.setattr(ProcessMonitor, "_obey", faulty)
    calls.wait("on_disconnected")
    assert "could not be attended to" in str(calls.wait("on_error")[0])
    calls.wait("on_connected", 2)
    assert "our own" in caplog.text


def test_a_process_that_stands_still_does_not_hold_up_close(service, calls, children, monkeypatch):
    monkeypatch.setattr("qehost.service.session.END_WITHIN", 3.0)
    service.connect()
    calls.wait("on_connected")
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)
    service.close()
    wait_for(lambda: children() == [], "its end")
    assert calls.names()[-1] == "on_disconnected"


def test_no_thread_is_left_after_close(service, calls):
    before = set(threading.enumerate())
    service.connect()
    calls.wait("on_connected")
    service.close()
    wait_for(lambda: set(threading.enumerate()) <= before, "the threads to end")


# --- trouble ------------------------------------------------------------------------------------


def test_a_connection_process_that_dies_is_told_and_started_again(service, calls, venue, children):
    service.connect()
    calls.wait("on_connected")
    venue.push(status("before"))
    calls.wait("on_status")
    (pid,) = children()
    os.kill(pid, signal.SIGKILL)
    calls.wait("on_connected", 2)
    venue.push(status("before"))  # a duplicate
    venue.push(status("after"))
    assert calls.wait("on_status", 2) == ["before", "after"]
    told = calls.names("on_raw_message", "on_status")
    assert told == ["on_connected", "on_disconnected", "on_error", "on_connected"]
    assert "SIGKILL" in str(calls.of("on_error")[0])


def test_what_a_dead_process_missed_is_read_over_rest(service, calls, venue, children):
    service.connect()
    calls.wait("on_connected")
    venue.step(4)
    calls.wait("on_raw_message", 4)
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)  # what is sent now reaches nobody
    venue.step(20)
    os.kill(pid, signal.SIGKILL)
    calls.wait("on_connected", 2)
    last = {}
    for sent in venue.sent:
        outer = json.loads(sent.text)
        if outer["type"] == "master_data":
            order = json.loads(outer["data"])
            last[order["masterOrderId"]] = order["status"]
    wait_for(lambda: {m.master_order_id: m.status for m in calls.of("on_master_order")} == last)


def test_a_process_that_cannot_work_is_told_and_tried_again(service_of, api, calls):
    service_of(api, calls, ca_file="/nowhere.pem").connect()
    errors = calls.wait("on_error", 2)
    assert "/nowhere.pem" in str(errors[0])
    assert isinstance(errors[0], WebsocketClientError)
    assert calls.names("on_error") == []
