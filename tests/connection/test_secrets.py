"""The listen key shows nowhere, whatever goes wrong and however much is logged."""

from __future__ import annotations

import logging
import traceback

import pytest

from qehost.connection.stream import open_stream
from qehost.errors import ConnectError, ConnectionLost
from qehost.network.dial import tls_context

KEY = "0123456789abcdef0123456789abcdef"


def everything_about(error: BaseException) -> str:
    """Text, arguments, facts and the whole traceback with its causes."""
    facts = error.facts() if isinstance(error, ConnectError | ConnectionLost) else ""
    return f"{error}{error!r}{error.args}{facts}" + "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "url",
    [
        "ws://127.0.0.1:1/ws?listen_key=%s",
        "wss://127.0.0.1:1/ws?listen_key=%s",
        "http://127.0.0.1/ws?listen_key=%s",
        "http://127.0.0.1:80/ws?listen_key=%s",
        "ws://127.0.0.1:99999/ws?listen_key=%s",
        "ws:///ws?listen_key=%s",
        "ws://[::1/ws?listen_key=%s",
        "ws://no such host/ws?listen_key=%s",
        "ws://h\u2100st/ws?listen_key=%s",
        "ws://a..b/ws?listen_key=%s",
        "listen_key=%s",
    ],
)
def test_an_address_that_can_not_be_used(url, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConnectError) as caught:
        open_stream(url % KEY, timeout=5, tls=tls_context(), proxy="none")
    assert KEY not in everything_about(caught.value)
    assert KEY not in caught.value.address
    assert KEY not in caplog.text


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://127.0.0.1:1", "127.0.0.1:1"])
def test_an_address_of_another_kind_is_refused_before_it_is_dialled(url):
    with pytest.raises(ConnectError, match="must be like wss://HOST"):
        open_stream(url, timeout=5, tls=tls_context(), proxy="none")


def test_a_close_reason_that_quotes_the_key(start_venue, open_to, receive_all, frame, caplog):
    caplog.set_level(logging.DEBUG)
    reason = f"key {KEY} was replaced".encode()
    venue = start_venue(lambda peer: peer.upgrade(frame(b"\x0f\xa0" + reason, 0x88)))
    stream = open_to(venue)
    _, lost = receive_all(stream)
    assert str(lost).endswith("with code 4000: key •••• was replaced")
    assert KEY not in everything_about(lost)
    assert KEY not in repr(stream) + stream.address + caplog.text


def test_an_answer_that_quotes_the_key(start_venue, open_to, caplog):
    caplog.set_level(logging.DEBUG)

    def script(peer):
        peer.read_request()
        peer.send(f"HTTP/1.1 101 {KEY}\r\nX: {KEY}\r\n{KEY}\r\n\r\n".encode())

    with pytest.raises(ConnectError) as caught:
        open_to(start_venue(script))
    assert KEY not in everything_about(caught.value)
    assert KEY not in caplog.text
