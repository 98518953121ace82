"""The service as a program has it: connecting, messages, settings."""

from __future__ import annotations

import logging
import socket
import threading
from functools import partial
from traceback import TracebackException

import pytest
from script import status, wait_for

from qehost import API, ClientPushMessage, WebSocketEventHandlers, WebSocketService
from qehost.errors import (
    Error,
    ListenKeyError,
    ParameterArgumentError,
    ParameterValueError,
    VenueError,
    WebsocketClientError,
)


def until_read(service: WebSocketService, events: int) -> None:
    """Until the connection process has received that many."""
    assert service._session is not None
    presence = service._session._state
    wait_for(lambda: presence._status[0] > events, "the connection process to read everything")


# --- connecting and handlers --------------------------------------------------------------------


def test_connect_does_not_wait_for_the_venue(service_of, api, calls):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        service = service_of(api, calls, base_url=address)
        service.connect("key")
        assert not service.is_connected()
        assert calls.calls == []
        service.close()


def test_handlers_get_what_the_venue_sends(service, calls, venue):
    service.connect(venue.new_listen_key())
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


def test_a_listen_key_alone_is_enough(service_of, calls, venue):
    service_of(None, calls).connect(venue.new_listen_key())
    calls.wait("on_connected")


def test_a_subclass_of_api_will_do(service_of, calls, venue):
    class Client(API):
        def __init__(self) -> None:
            super().__init__(venue.api_key, venue.api_secret, venue.rest_url)

    service_of(Client(), calls).connect()
    calls.wait("on_connected")


def test_a_given_key_that_is_refused_is_told_and_no_other_one_is_made(service, calls, venue):
    service.connect("0123456789abcdef0123456789abcdef")
    (error,) = calls.wait("on_error")
    assert isinstance(error, ListenKeyError)
    assert "replace_listen_key" in str(error)
    assert not service.is_connected()
    assert not [request for request in venue.requests if request.path.endswith("/listen-key")]


def test_a_given_key_that_is_refused_is_replaced_at_once_where_that_is_asked_for(
    service_of, api, calls
):
    service = service_of(api, calls, replace_listen_key=True)
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
    lost = int(name == "on_connected")
    if lost:
        market.drop()
        calls.wait("on_connected")
    market.push(status("one", name))
    market.push(status("two", name))
    assert calls.wait("on_status", 2) == ["one", "two"]
    times = len(calls.of(name))
    errors = calls.wait("on_error", lost + times)
    assert [str(error) for error in errors[lost:]] == ["boom"] * times
    wait_for(lambda: len(_errors(caplog)) == lost + 2 * times)
    logged = [f"the handler {name} raised", "the handler on_error raised"] * times
    assert _errors(caplog) == logged[1:2] * lost + logged


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


def test_version_v1_uses_the_legacy_stream(service_of, api, calls, venue):
    service_of(api, calls, version="v1").connect()
    calls.wait("on_connected")
    paths = [seen.path for seen in list(venue.requests)]
    assert [path for path in paths if "listen-key" in path or "ws" in path] == [
        *("/user/trading/listen-key", "/api/ws")
    ]


def test_no_secret_is_shown(service_of, api, calls, venue, caplog):
    service, key = service_of(api, calls, replace_listen_key=True), venue.new_listen_key()
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


def test_connect_works_again_after_close(service, calls):
    service.connect()
    calls.wait("on_connected")
    service.close()
    service.connect()
    calls.wait("on_connected", 2)
    assert service.is_connected()


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
