"""Handshakes and requests, as they come in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import urllib3
import websocket
from streams import refused
from waiting import PATIENCE

from qehost.errors import ConnectError
from qehost.network.deadline import Deadline
from qehost.network.dial import dial, tls_context
from qehost.simulator import Venue
from qehost.simulator import connection as connection_module

Connect = Callable[..., websocket.WebSocket]


@pytest.mark.parametrize("path", ["/api/ws/v2", "/strategy-api/api/ws/v2"])
def test_an_unknown_listen_key_is_refused_with_a_body(venue: Venue, path: str) -> None:
    error = refused(venue, f"{path}?listen_key=wrong")

    assert error.status_code == 401
    assert json.loads(error.resp_body)["reason"] == "LISTEN_KEY_INVALID"


@pytest.mark.parametrize(("path", "status"), [("/api/ws/v3", 404), ("/", 404)])
def test_a_stream_that_does_not_exist_is_refused(venue: Venue, path: str, status: int) -> None:
    assert refused(venue, f"{path}?listen_key={venue.new_listen_key()}").status_code == status


def test_each_path_has_its_form(start_venue: Callable[..., Venue], connect: Connect) -> None:
    venue = start_venue()
    key = venue.new_listen_key()
    v1, v2 = connect(venue, key, path="/api/ws"), connect(venue, key, path="/api/ws/v2")

    venue.step()

    assert "master_order_id" in json.loads(json.loads(v1.recv())["data"])
    assert "masterOrderId" in json.loads(json.loads(v2.recv())["data"])


def test_from_the_handshake_on_nothing_passes_a_stream_by(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = Venue.open

    def slowly(*arguments: Any) -> connection_module.ClientConnection:
        time.sleep(0.3)
        return opening(*arguments)

    monkeypatch.setattr(Venue, "open", slowly)
    url = f"{venue.ws_url}/api/ws/v2?listen_key={venue.new_listen_key()}"
    stream = websocket.create_connection(url, timeout=PATIENCE)

    assert venue.push("first") == 1
    assert stream.recv() == "first"
    stream.shutdown()


def test_it_listens_on_ipv6_too(start_venue: Callable[..., Venue]) -> None:
    venue = start_venue(host="::1")

    assert venue.rest_url.startswith("http://[::1]:")
    assert urllib3.request("GET", venue.rest_url + "/ping", retries=False).status == 200


def test_requests_are_remembered(venue: Venue, connect: Connect) -> None:
    connect(venue)
    urllib3.request("GET", venue.rest_url + "/ping", retries=False)

    seen = [(each.method, each.path, each.status) for each in venue.requests]
    assert seen == [("GET", "/api/ws/v2", 101), ("GET", "/ping", 200)]


def test_a_client_that_begins_with_tls_is_told_at_once_that_there_is_none(venue: Venue) -> None:
    host, _, port = venue.address.rpartition(":")
    # Much longer than a test may take.
    with pytest.raises(ConnectError, match="does not speak TLS on this port: is it http://"):
        dial(host, int(port), Deadline(600.0), tls=tls_context())
