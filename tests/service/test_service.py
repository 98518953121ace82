"""`WebSocketService` as a program sees it."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from traceback import TracebackException
from types import SimpleNamespace
from typing import Any

import pytest
from script import status, wait_for

from qehost import API, ClientPushMessage, WebSocketEventHandlers, WebSocketService
from qehost.errors import (
    Error,
    GapError,
    ListenKeyError,
    ParameterArgumentError,
    ParameterValueError,
    StateFolderBusy,
    VenueError,
    WebsocketClientError,
)
from qehost.restarts import Restarts
from qehost.service.logger import Guarded


def until_read(service: WebSocketService, events: int) -> None:
    """Until the connection process has received that many."""
    assert service._session is not None
    presence = service._session._presence
    wait_for(lambda: presence._status[0] > events, "the connection process to read everything")


# --- connecting and handlers --------------------------------------------------------------------


def test_connect_returns_at_once_and_handlers_get_what_the_venue_sends(service, calls, venue):
    begun = time.monotonic()
    service.connect(venue.new_listen_key())
    assert time.monotonic() - begun < 1
    assert not service.is_connected()
    assert calls.wait("on_connected") == [()]
    assert service.is_connected()
    venue.push(status("open"))
    venue.push('{"type":"error","messageId":"e","userId":"u","data":"no margin"}')
    assert calls.wait("on_status") == ["open"]
    (error,) = calls.wait("on_error")
    assert isinstance(error, VenueError)
    assert str(error) == "no margin"
    raw = calls.of("on_raw_message")
    assert raw[0] == ClientPushMessage("status", "open-0", "u", "open")
    assert calls.names() == [
        *("on_connected", "on_raw_message", "on_status", "on_raw_message", "on_error")
    ]


def test_without_a_listen_key_one_is_made_with_the_credentials(service, calls, venue):
    service.connect()
    calls.wait("on_connected")
    assert [seen.path for seen in venue.requests].count("/user/trading/v2/listen-key") == 1


@pytest.mark.parametrize("client", [None, SimpleNamespace(api_key="only half"), API("key")])
def test_without_listen_key_and_credentials_connect_raises(service_of, client):
    with pytest.raises(ListenKeyError, match="neither a listen key nor the credentials"):
        service_of(client).connect(None)


def test_a_listen_key_alone_is_enough(service_of, calls, venue):
    service_of(None, calls).connect(venue.new_listen_key())
    calls.wait("on_connected")


def test_any_client_with_the_venue_s_attributes_will_do(service_of, calls, venue):
    class Client:
        __slots__ = ("api_key", "api_secret", "base_url")  # nor can it be referred to weakly

    client = Client()
    client.api_key, client.api_secret = venue.api_key, venue.api_secret
    client.base_url = venue.rest_url
    service_of(client, calls).connect("")
    calls.wait("on_connected")


def test_a_subclass_of_api_will_do(service_of, calls, venue):
    class Client(API):
        def __init__(self) -> None:
            super().__init__(venue.api_key, venue.api_secret, venue.rest_url)

    service_of(Client(), calls).connect()
    calls.wait("on_connected")


def test_a_given_key_that_is_refused_is_replaced_at_once_by_one_that_is_made(service, calls):
    # The documented programs look after two seconds.
    service.set_reconnect_delay(600)
    service.connect("0123456789abcdef0123456789abcdef")
    calls.wait("on_connected")
    (error,) = calls.wait("on_error")
    assert isinstance(error, ListenKeyError)


def test_handlers_run_one_at_a_time_in_order_in_one_thread_that_is_not_connects(
    connected, calls, market
):
    for number in range(200):
        market.push(status(str(number)))
    assert calls.wait("on_status", 200) == [str(number) for number in range(200)]
    (thread,) = calls.threads
    assert thread is not threading.current_thread()


@pytest.mark.parametrize("name", ["on_connected", "on_raw_message", "on_status"])
def test_a_handler_that_raises_is_logged_and_told_and_the_next_message_comes(
    name, connected, calls, market, caplog
):
    def boom(*_: object) -> None:
        raise ValueError("boom")

    calls.react[name] = calls.react["on_error"] = boom
    if name == "on_connected":
        market.drop()
        calls.wait("on_connected")
    market.push(status("one", name))
    market.push(status("two", name))
    assert calls.wait("on_status", 2) == ["one", "two"]
    times = len(calls.of(name))
    assert [str(error) for error in calls.wait("on_error", times)] == ["boom"] * times
    wait_for(lambda: len(_errors(caplog)) == 2 * times)
    assert _errors(caplog) == [f"the handler {name} raised", "the handler on_error raised"] * times


def _errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


def test_sys_exit_in_a_handler_is_an_error_like_any_other(connected, calls, market, caplog):
    def leave(_: object) -> None:
        raise SystemExit(1)

    calls.react["on_raw_message"] = leave
    market.push(status("still here"))
    assert calls.wait("on_status") == ["still here"]
    assert isinstance(calls.of("on_error")[0], SystemExit)


def test_handlers_can_be_changed_while_the_service_runs(connected, calls, market):
    heard: list[str] = []
    connected.set_handlers(WebSocketEventHandlers(on_status=heard.append))
    market.push(status("to the new ones"))
    wait_for(lambda: heard)
    connected.handlers.on_status = None
    connected.handlers.on_error = heard.append
    market.push(status("to nobody"))
    market.push("no JSON at all")
    wait_for(lambda: len(heard) == 2)
    assert isinstance(heard[1], WebsocketClientError)


def test_a_service_without_handlers_just_runs(service_of, api, venue):
    service = service_of(api)
    service.connect()
    wait_for(service.is_connected)
    venue.step(3)


@pytest.mark.parametrize("handler", ["a text", lambda: None])
def test_handlers_that_could_never_work_are_refused(service, handler):
    if callable(handler):

        async def handler() -> None:
            pass

    with pytest.raises(ParameterArgumentError, match="on_fill"):
        service.set_handlers(WebSocketEventHandlers(on_fill=handler))


def test_messages_of_an_unknown_type_reach_on_raw_message_alone(connected, calls, market):
    market.push('{"type":"news","messageId":"n","userId":"u","data":"x"}')
    assert calls.wait("on_raw_message")[0].type == "news"
    market.push(status("after it"))
    calls.wait("on_status")
    assert calls.names() == ["on_raw_message", "on_raw_message", "on_status"]


def test_several_services_work_side_by_side(service_of, calls, venue):
    others = type(calls)()
    key = venue.new_listen_key()
    first = service_of(None, calls)
    second = service_of(None, others)
    first.connect(key)
    second.connect(key)
    venue.wait_connected(2)
    venue.push(status("to both"))
    calls.wait("on_status")
    others.wait("on_status")
    first.close()
    venue.push(status("to one"))
    assert others.wait("on_status", 2) == ["to both", "to one"]
    assert calls.threads.isdisjoint(others.threads)


# --- settings -----------------------------------------------------------------------------------


def test_the_setters_can_be_chained(api):
    service = WebSocketService(api)
    logger = logging.getLogger("mine")
    same = service.set_handlers(WebSocketEventHandlers()).set_reconnect_delay(1)
    same = same.set_ping_interval(2.5).set_pong_timeout(3).set_logger(logger)
    assert same is service


def test_the_documented_signature(api):
    service = WebSocketService(api, "wss://venue", "v1")
    assert (service.client, service.base_url, service.version) == (api, "wss://venue", "v1")
    default = WebSocketService(client=api)
    assert (default.base_url, default.version) == ("wss://test.quantumexecute.com", "v2")


@pytest.mark.parametrize("value", [0, -1, "x", None, float("nan"), 1e9])
def test_times_that_make_no_sense_are_refused(api, value):
    service = WebSocketService(api)
    for setter in (service.set_reconnect_delay, service.set_ping_interval):
        with pytest.raises(ParameterArgumentError, match="seconds"):
            setter(value)


@pytest.mark.parametrize("option", [{"version": "v3"}, {"heartbeat": "pulse"}])
def test_unknown_values_are_refused(api, option):
    with pytest.raises(ParameterValueError):
        WebSocketService(api, **option)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("base_url", url) for url in (None, "", "localhost:80", "http://venue", "wss://")),
        *(("base_url", url) for url in ("https://venue:443", "ws://venue:x", "ws://[", b"ws://v")),
        ("base_url", "wss://venue/?listen_key=it-is-secret"),
        *(("proxy", proxy) for proxy in ("gopher://it-is-secret@p", None, "http://p:x")),
        *(("account", account) for account in ("", None, 5)),
        *(("queue_bytes", size) for size in (0, -1, "x", None, 1.5, True)),
        *(("state_dir", path) for path in ("", 5, b"state")),
        ("ca_file", None),
    ],
)
def test_what_could_never_work_is_refused_where_it_is_given(api, option, value):
    with pytest.raises(ParameterArgumentError, match=option) as caught:
        WebSocketService(api, **{option: value})
    assert "secret" not in str(caught.value)


def test_a_traceback_with_locals_shows_no_secret(api, tmp_path):
    (tmp_path / "file").write_text("")
    service = WebSocketService(api, state_dir=tmp_path / "file")
    for call in (
        partial(WebSocketService, api, proxy="gopher://me:it-is-secret@p"),
        partial(service.connect, "it-is-secret"),
    ):
        with pytest.raises(Error) as caught:
            call()
        assert caught.value.__traceback__ is not None
        ours = caught.value.__traceback__.tb_next  # without the frame of this test
        shown = TracebackException(caught.type, caught.value, ours, capture_locals=True)
        text = "".join(shown.format())
        assert "File " in text
        assert "it-is-secret" not in text


@pytest.mark.parametrize("url", ["WSS://venue", "ws://[::1]:80/", "wss://me:pass@venue/prefix"])
def test_an_address_that_could_work_is_taken(api, url, tmp_path):
    service = WebSocketService(api, url, state_dir=tmp_path, proxy="socks5://p:1", account="é")
    assert service.base_url == url


def test_version_v1_uses_the_legacy_stream(service_of, api, calls, venue):
    service_of(api, calls, version="v1").connect()
    calls.wait("on_connected")
    paths = [seen.path for seen in venue.requests]
    assert paths[-2:] == ["/user/trading/listen-key", "/api/ws"]


def test_what_the_connection_says_goes_to_the_given_logger(service, calls, venue, caplog):
    service.set_logger(logging.getLogger("mine"))
    with caplog.at_level(logging.INFO, "mine"):
        service.connect()
        calls.wait("on_connected")
        venue.drop()
        calls.wait("on_connected", 2)
        lines = wait_for(lambda: [r for r in caplog.records if "disconnected" in r.getMessage()])
    assert lines[0].name == "mine"
    assert lines[0].levelno == logging.WARNING


def test_no_secret_is_shown(service, calls, venue, caplog):
    key = venue.new_listen_key()
    with caplog.at_level(logging.DEBUG):
        service.connect(key)
        calls.wait("on_connected")
        venue.inject("expire-key")
        calls.wait("on_connected", 2)
    shown = repr(service) + caplog.text + repr(calls.of("on_error"))
    for secret in (key, venue.api_key, venue.api_secret):
        assert secret not in shown


def test_no_secret_is_in_the_arguments_or_the_environment_of_the_process(
    service, calls, venue, children
):
    key = venue.new_listen_key()
    service.connect(key)
    calls.wait("on_connected")
    (pid,) = children()
    for name in ("cmdline", "environ"):
        with open(f"/proc/{pid}/{name}") as file:
            text = file.read()
        for secret in (key, venue.api_key, venue.api_secret):
            assert secret not in text


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


def test_connect_works_again_after_close(service, calls):
    service.connect()
    calls.wait("on_connected")
    service.close()
    service.connect()
    calls.wait("on_connected", 2)
    assert service.is_connected()


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
    assert closed.wait(10)
    calls.wait("on_disconnected")
    (thread,) = calls.threads
    thread.join(10)
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
        thread.join(10)
        assert not thread.is_alive()
    assert children() == []
    assert calls.names().count("on_disconnected") == 1


def test_close_does_not_wait_for_ever_for_a_handler(service, calls, venue, monkeypatch, caplog):
    monkeypatch.setattr("qehost.service.session.HANDLER_WITHIN", 0.2)
    release = threading.Event()
    calls.react["on_status"] = lambda _: release.wait(30)
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
    thread.join(10)
    assert calls.names() == before


def test_close_while_the_queue_is_full_does_not_wait(service_of, api, calls, venue):
    release = threading.Event()
    calls.react["on_status"] = lambda _: release.wait(30)
    service = service_of(api, calls, queue_bytes=1 << 20)
    service.connect()
    calls.wait("on_connected")
    for number in range(60):
        venue.push(status("x" * 100_000, number))
    calls.wait("on_status")
    threading.Timer(0.1, release.set).start()
    begun = time.monotonic()
    service.close()
    assert time.monotonic() - begun < 3


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


def test_is_connected_is_right_while_a_handler_blocks(service, calls, venue):
    release = threading.Event()
    calls.react["on_status"] = lambda _: release.wait(30)
    service.set_reconnect_delay(60)
    service.connect()
    calls.wait("on_connected")
    venue.push(status("one"))
    calls.wait("on_status")
    venue.drop()
    wait_for(lambda: not service.is_connected())
    assert calls.names()[-1] == "on_status"
    release.set()
    calls.wait("on_disconnected")


def test_handlers_that_are_too_slow_lose_events_only_with_a_word_about_it(
    service_of, api, calls, venue
):
    release = threading.Event()
    service = service_of(api, calls, queue_bytes=1 << 20)
    service.connect()
    calls.wait("on_connected")
    calls.react["on_status"] = lambda _: release.wait(30)
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
    lost = sum(int(str(error).partition(" events were lost")[0]) for error in errors)
    heard = [int(text.split()[-1]) for text in calls.of("on_status")]
    assert lost == heard[-1] - len(heard)
    assert heard == sorted(heard)


def test_another_listen_key_takes_the_place_of_the_first(service_of, calls, venue):
    service = service_of(None, calls)
    service.connect(venue.new_listen_key())
    calls.wait("on_connected")
    service.connect(venue.new_listen_key())
    calls.wait("on_connected", 2)
    venue.push(status("with the new key"))
    assert calls.wait("on_status") == ["with the new key"]
    assert "on_disconnected" not in calls.names()  # nothing that the program did not do itself


@pytest.mark.parametrize("with_journal", [False, True])
def test_a_handler_that_connects_with_a_new_key_when_the_stream_has_ended_comes_to_an_end(
    with_journal, service_of, api, calls, venue, tmp_path
):
    options = {"state_dir": tmp_path} if with_journal else {}
    service = service_of(api, calls, **options)

    def connect_again() -> None:
        # Meanwhile the service has connected by itself, and the new key ends that connection.
        until_read(service, 2)
        service.connect(api.create_listen_key_v2()["listenKey"])

    calls.react["on_disconnected"] = connect_again
    service.connect(api.create_listen_key_v2()["listenKey"])
    calls.wait("on_connected")
    venue.drop()
    calls.wait("on_connected", 2)
    venue.push(status("with the new key"))
    calls.wait("on_status")
    told = calls.names("on_raw_message", "on_status", "on_error")
    assert told == ["on_connected", "on_disconnected", "on_connected"]
    assert service.is_connected()


def test_connecting_again_changes_nothing(service, calls, venue, children):
    key = venue.new_listen_key()
    service.connect(key)
    calls.wait("on_connected")
    before = children()
    service.connect(key)
    service.connect()
    venue.push(status("one"))
    calls.wait("on_status")
    assert children() == before
    assert calls.names().count("on_connected") == 1


def test_a_process_that_cannot_work_is_told_and_tried_again(service_of, api, calls):
    service_of(api, calls, ca_file="/nowhere.pem").connect()
    errors = calls.wait("on_error", 2)
    assert "/nowhere.pem" in str(errors[0])
    assert isinstance(errors[0], WebsocketClientError)
    assert calls.names("on_error") == []


class FaultyHandler(logging.Handler):
    def __init__(self, fault: BaseException) -> None:
        super().__init__()
        self.fault = fault

    def emit(self, record: logging.LogRecord) -> None:
        raise self.fault


class FaultyFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        raise ValueError("the filter is faulty")


@pytest.fixture
def mine() -> Iterator[logging.Logger]:
    """A logger of the program's own."""
    logger = logging.getLogger("mine")
    logger.propagate = False
    yield logger
    logger.propagate = True
    logger.handlers.clear()
    logger.filters.clear()


@pytest.mark.parametrize(
    "fault",
    [RuntimeError("the chat is away"), OSError("no network"), SystemExit(1), None],
    ids=["Exception", "OSError", "SystemExit", "filter"],
)
def test_a_logger_that_raises_costs_the_stream_nothing(
    fault, service, calls, venue, children, mine, capsys
):
    if fault is None:
        mine.addFilter(FaultyFilter())
    else:
        mine.addHandler(FaultyHandler(fault))
    service.set_logger(mine)

    def boom(_: object) -> None:
        raise ValueError("boom")

    calls.react["on_status"] = calls.react["on_error"] = boom  # both are logged
    service.connect()
    calls.wait("on_connected")
    venue.drop()  # so is this, by the connection process
    calls.wait("on_connected", 2)
    (pid,) = children()
    os.kill(pid, signal.SIGKILL)
    calls.wait("on_connected", 3)
    venue.push(status("one"))
    venue.push(status("two"))
    assert calls.wait("on_status", 2) == ["one", "two"]
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("qehost: a line could not be logged: ") for line in lines)


def test_ctrl_c_while_a_line_is_logged_reaches_the_program(mine):
    mine.addHandler(FaultyHandler(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        Guarded(mine).warning("closed")


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
        "place.JournalReader",
        "place.Upkeep.start",
        "session.Inbox",
        "session.Keeper",
        "session.Courier",
        "keeper.children.prepare",
        "qehost-handlers",
        "qehost-keeper",
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
    thread.join(10)
    received = calls.of("on_status")
    assert received == ["1", "2", "3"]
    second = service_of(api, later, state_dir=tmp_path)
    second.connect()
    later.wait("on_connected")
    assert "on_disconnected" not in later.names()  # that of the first run
    venue.push(status("1"))  # a duplicate, over both runs
    venue.push(status("7"))
    assert later.wait("on_status", 4) == ["4", "5", "6", "7"]


def test_with_a_state_folder_slow_handlers_lose_nothing(service_of, api, calls, venue, tmp_path):
    release = threading.Event()
    service = service_of(api, calls, queue_bytes=1 << 20, state_dir=tmp_path)
    service.connect()
    calls.wait("on_connected")
    calls.react["on_status"] = lambda _: release.wait(30)
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
    shutil.rmtree(tmp_path / "state")
    (pid,) = children()
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


# --- documented names ---------------------------------------------------------------------------


def test_event_handlers_are_a_dataclass_of_eight_optional_handlers() -> None:
    assert WebSocketEventHandlers() == WebSocketEventHandlers(None, None, None, None)
    handlers: Any = WebSocketEventHandlers(on_fill=print)
    assert handlers.on_fill is print
    assert handlers.on_order is None
