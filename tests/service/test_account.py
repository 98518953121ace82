"""From what a program gives to the account that is connected."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from qehost import API, WebSocketService
from qehost.config.settings import ConnectionSettings
from qehost.errors import (
    ListenKeyError,
    ParameterArgumentError,
)
from qehost.secret import Secret
from qehost.service.account import task_of


@pytest.mark.parametrize("client", [None, SimpleNamespace(api_key="only half"), API("key")])
def test_without_listen_key_and_credentials_connect_raises(service_of, client):
    with pytest.raises(ListenKeyError, match="neither a listen key nor the credentials"):
        service_of(client).connect(None)


def test_any_client_with_the_venue_s_attributes_will_do(service_of, calls, venue):
    class Client:
        __slots__ = ("api_key", "api_secret", "base_url")  # nor can it be referred to weakly

    client = Client()
    client.api_key, client.api_secret = venue.api_key, venue.api_secret
    client.base_url = venue.rest_url
    service_of(client, calls).connect("")
    calls.wait("on_connected")


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


@pytest.mark.parametrize("url", ["WSS://venue", "ws://[::1]:80/", "wss://me:pass@venue/prefix"])
def test_an_address_that_could_work_is_taken(api, url, tmp_path):
    service = WebSocketService(api, url, state_dir=tmp_path, proxy="socks5://p:1", account="é")
    assert service.base_url == url


@pytest.mark.parametrize(
    ("url", "is_told"), [("ws://10.0.0.7", True), ("wss://venue", False), ("ws://127.0.0.1", False)]
)
def test_credentials_that_go_to_another_machine_in_plain_text_are_warned_about(
    caplog, url, is_told
):
    task_of(
        None,
        Secret("0123456789"),
        account="main",
        base_url=url,
        version="v2",
        proxy="",
        ca_file="",
        connection=ConnectionSettings(),
        queue_bytes=2**20,
        state_dir=None,
    )
    assert (f"credentials go to {url} in plain text" in caplog.text) is is_told
