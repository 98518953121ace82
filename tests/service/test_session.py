"""From connect() to close(), whoever calls them and whatever fails in between."""

from __future__ import annotations

import errno
import logging
import os
import signal
import threading
import time

import pytest
from script import status, wait_for
from waiting import PATIENCE

from qehost.processes.backoff import Restarts

# --- closing ------------------------------------------------------------------------------------


def test_close_ends_the_process_and_tells_it(service, calls, venue, children):
    service.connect()
    calls.wait("on_connected")
    assert len(children()) == 1
    service.close()
    assert children() == []
    assert not service.is_connected()
    assert calls.names()[-1] == "on_disconnected"
    service.close()
    assert calls.names().count("on_disconnected") == 1
    wait_for(lambda: not venue.connections)


def test_close_is_the_end_also_if_on_disconnected_connects(service, api, calls, children, caplog):
    calls.react["on_disconnected"] = lambda: service.connect(
        api.create_listen_key_v2()["listenKey"]
    )
    service.connect()
    calls.wait("on_connected")
    with caplog.at_level(logging.INFO, "qehost.service"):
        service.close()
    assert calls.names()[-1] == "on_disconnected"
    assert children() == []
    assert "closed by this program: on_disconnected does not connect it again" in caplog.text
    calls.react.clear()
    service.connect()
    calls.wait("on_connected", 2)


def test_the_last_on_disconnected_may_connect_another_service(service_of, api, calls):
    others = type(calls)()
    spare = service_of(api, others)
    service = service_of(api, calls)
    calls.react["on_disconnected"] = spare.connect
    service.connect()
    calls.wait("on_connected")
    service.close()
    others.wait("on_connected")


def test_close_before_connect_and_right_after_it(service, children):
    service.close()
    service.connect()
    service.close()
    assert children() == []


def test_close_in_a_handler_works(service, calls, venue, children):
    closed = threading.Event()

    def close(_: object) -> None:
        service.close()
        assert children() == []
        closed.set()

    calls.react["on_status"] = close
    service.connect()
    calls.wait("on_connected")
    venue.push(status("one"))
    venue.push(status("two"))
    assert closed.wait(PATIENCE)
    calls.wait("on_disconnected")
    (thread,) = calls.threads
    thread.join(PATIENCE)
    assert calls.of("on_status") == ["one"]
    assert not calls.of("on_error")


def test_closing_and_connecting_in_a_handler_keeps_handlers_one_at_a_time(service, calls, venue):
    inside = []

    def again(_: object) -> None:
        service.close()
        service.connect()
        time.sleep(0.5)  # the time that the new connection needs and must not use
        inside.append(calls.names().count("on_connected"))

    calls.react["on_status"] = again
    service.connect()
    calls.wait("on_connected")
    venue.push(status("one"))
    calls.wait("on_connected", 2)
    assert inside == [1]


def test_close_from_many_threads_at_once(service, calls, children):
    service.connect()
    calls.wait("on_connected")
    threads = [threading.Thread(target=service.close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert children() == []
    assert calls.names().count("on_disconnected") == 1


def test_close_does_not_wait_for_ever_for_a_handler(service, calls, venue, monkeypatch, caplog):
    monkeypatch.setattr("qehost.service.session.HANDLER_WITHIN", 0.2)
    release = threading.Event()
    calls.react["on_status"] = lambda _: release.wait(PATIENCE)
    service.connect()
    calls.wait("on_connected")
    venue.push(status("one"))
    venue.push(status("two"))
    calls.wait("on_status")
    service.close()
    assert "a handler is still running" in caplog.text
    before = calls.names()
    release.set()
    (thread,) = calls.threads
    thread.join(PATIENCE)
    assert calls.names() == before


def test_close_while_the_queue_is_full_does_not_wait(service_of, api, calls, venue, monkeypatch):
    # Whatever it waited for, it would wait for longer than the test may take.
    for limit in ("END_WITHIN", "HANDLER_WITHIN"):
        monkeypatch.setattr(f"qehost.service.session.{limit}", 1000.0)
    release = threading.Event()
    calls.react["on_status"] = lambda _: release.wait(PATIENCE)
    service = service_of(api, calls, queue_bytes=1 << 20)
    service.connect()
    calls.wait("on_connected")
    for number in range(60):
        venue.push(status("x" * 100_000, number))
    calls.wait("on_status")
    threading.Timer(0.1, release.set).start()
    service.close()


def test_a_service_whose_thread_has_failed_is_closed_and_connects_again(
    service, calls, venue, children, monkeypatch, caplog
):
    service.connect()
    calls.wait("on_connected")
    (pid,) = children()
    with monkeypatch.context() as broken:
        broken.setattr(Restarts, "died", lambda *_: 1 / 0)
        os.kill(pid, signal.SIGKILL)
        calls.wait("on_disconnected")
    assert not service.is_connected()
    assert "connect again" in caplog.text
    service.connect()
    calls.wait("on_connected", 2)


def fail(*_: object) -> None:
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize(
    "step",
    [
        "position.JournalReader",
        "position.Retention.start",
        "session.Inbox",
        "session.ProcessMonitor",
        "session.DeliveryThread",
        "process_monitor.socket.socketpair",
        "qehost-handlers",
        "qehost-monitor",
    ],
)
def test_a_connect_that_fails_half_way_leaves_nothing_and_the_next_one_connects(
    step, service_of, api, calls, venue, children, tmp_path, monkeypatch
):
    service = service_of(api, calls, state_dir=tmp_path)
    before = set(threading.enumerate())
    files = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as broken:
        if "." in step:
            broken.setattr(f"qehost.service.{step}", fail)
        else:
            start = threading.Thread.start
            broken.setattr(
                threading.Thread, "start", lambda self: (fail if self.name == step else start)(self)
            )
        for _ in range(2):
            with pytest.raises(OSError, match="Too many open files"):
                service.connect()
    service.close()
    wait_for(lambda: set(threading.enumerate()) <= before, "the threads to end")
    assert len(os.listdir("/proc/self/fd")) <= files
    assert not service.is_connected()
    service.connect()
    calls.wait("on_connected")
    service.close()
    assert children() == []
