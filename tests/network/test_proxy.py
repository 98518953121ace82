"""Which proxy is taken, and the way through it."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.network.deadline import BoundedSocket, Deadline
from qehost.network.proxy import Proxy, ProxyRefusal, choose_proxy, parse_proxy


def test_a_proxy_is_read_from_a_url():
    assert parse_proxy("http://proxy.example:3128") == Proxy("http", "proxy.example", 3128)
    assert parse_proxy("proxy.example:3128") == Proxy("http", "proxy.example", 3128)
    assert parse_proxy("http://proxy.example") == Proxy("http", "proxy.example", 80)
    assert parse_proxy("SOCKS5H://u%40x:p%3Aw@[::1]") == Proxy("socks5h", "::1", 1080, "u@x", "p:w")
    assert parse_proxy("socks://h") == Proxy("socks5h", "h", 1080)


def test_credentials_show_nowhere():
    proxy = parse_proxy("http://joe:hunter2@proxy.example:3128")
    assert str(proxy) == "proxy.example:3128"
    assert "joe" not in repr(proxy)
    assert "hunter2" not in repr(proxy)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://joe:hunter2@h:1", "https:// is no kind of proxy that qehost knows"),
        ("http://joe:hunter2@h:99999", "port of the proxy"),
        ("http://joe:hunter2@:3128", "has no host name"),
        ("http://joe:hunter2@[::1", "is no URL"),
        ("http://joe:hunter2@h\u2100st", "is no URL"),
        ("socks5://joe:hunter2" + "x" * 256 + "@h", "255 bytes at most"),
    ],
)
def test_a_proxy_that_can_not_be_used_is_named_without_its_credentials(url, says):
    with pytest.raises(ValueError, match=says) as caught:
        parse_proxy(url)
    assert "hunter2" not in str(caught.value)


@given(st.text())
def test_no_text_whatever_raises_anything_else(url):
    with contextlib.suppress(ValueError):
        parse_proxy(url)


@pytest.fixture
def environment(monkeypatch):
    """The proxies of the environment, and none but those."""
    for name in ("http", "https", "all", "no", "ws", "wss"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)
    return monkeypatch.setenv


def test_the_environment_has_a_say_if_the_setting_is_empty(environment):
    environment("HTTPS_PROXY", "http://secure:1")
    environment("HTTP_PROXY", "http://plain:2")
    assert choose_proxy("", "wss", "venue.example", 443) == Proxy("http", "secure", 1)
    assert choose_proxy("", "https", "venue.example", 443) == Proxy("http", "secure", 1)
    assert choose_proxy("", "ws", "venue.example", 80) == Proxy("http", "plain", 2)
    assert choose_proxy("none", "wss", "venue.example", 443) is None
    assert choose_proxy("http://own:3", "wss", "venue.example", 443) == Proxy("http", "own", 3)


def test_all_proxy_is_the_last_resort(environment):
    assert choose_proxy("", "wss", "venue.example", 443) is None
    environment("ALL_PROXY", "socks5h://every:1")
    assert choose_proxy("", "wss", "venue.example", 443) == Proxy("socks5h", "every", 1)


def test_no_proxy_is_obeyed(environment):
    environment("HTTPS_PROXY", "http://secure:1")
    environment("NO_PROXY", "other.example,venue.example")
    assert choose_proxy("", "wss", "ws.venue.example", 443) is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "a.localhost"])
def test_the_environments_proxy_is_not_taken_to_this_machine(environment, host):
    environment("HTTP_PROXY", "http://plain:2")
    assert choose_proxy("", "ws", host, 1234) is None
    assert choose_proxy("http://own:3", "ws", host, 1234) == Proxy("http", "own", 3)


# --- the way through -------------------------------------------------------------------------


def through(proxy: Proxy, host: str, answers: Callable[[socket.socket], bytes]) -> bytes:
    """Run `proxy.tunnel` against a proxy played by `answers`, which returns what it was asked."""
    ours, theirs = socket.socketpair()
    asked = []

    def play() -> None:
        with theirs:
            asked.append(answers(theirs))

    thread = threading.Thread(target=play)
    with ours:
        thread.start()
        try:
            proxy.tunnel(BoundedSocket(ours, Deadline(10)), host, 443)
        finally:
            thread.join()
    return asked[0]


def http_proxy(answer: bytes) -> Callable[[socket.socket], bytes]:
    def play(sock: socket.socket) -> bytes:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += sock.recv(1000)
        sock.sendall(answer)
        return request

    return play


def socks_proxy(*steps: tuple[int, bytes]) -> Callable[[socket.socket], bytes]:
    """Each step: how many bytes to read, and what to answer."""

    def play(sock: socket.socket) -> bytes:
        asked = b""
        for size, answer in steps:
            asked += sock.recv(size, socket.MSG_WAITALL)
            sock.sendall(answer)
        return asked

    return play


def test_connect_names_the_target_and_carries_the_credentials():
    proxy = Proxy("http", "h", 1, "joe", "päss")
    request = through(proxy, "venue.example", http_proxy(b"HTTP/1.1 200 Fine\r\n\r\n"))
    token = base64.b64encode("joe:päss".encode())
    assert request == (
        b"CONNECT venue.example:443 HTTP/1.1\r\nHost: venue.example:443\r\n"
        b"Proxy-Authorization: Basic " + token + b"\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("proxy", "answer", "says"),
    [
        (Proxy("http", "h", 1), b"HTTP/1.1 407 No\r\n\r\n", "wants credentials"),
        (Proxy("http", "h", 1, "joe", "x"), b"HTTP/1.1 407 No\r\n\r\n", "refused the credentials"),
        (Proxy("http", "h", 1), b"HTTP/1.1 403 No\r\n\r\n", r"refused to connect .*HTTP 403"),
        (Proxy("http", "h", 1), b"\x05\xff\r\n\r\n", "did not answer in HTTP"),
        (Proxy("http", "h", 1), b"x" * 33_000, "without an end"),
    ],
)
def test_a_proxy_that_refuses_connect_says_why(proxy, answer, says):
    with pytest.raises(ProxyRefusal, match=says):
        through(proxy, "venue.example", http_proxy(answer))


BOUND = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"


def test_socks5_by_name_without_credentials():
    asked = through(
        Proxy("socks5h", "h", 1), "venue.example", socks_proxy((3, b"\x05\x00"), (20, BOUND))
    )
    assert asked == b"\x05\x01\x00" + b"\x05\x01\x00\x03\x0dvenue.example\x01\xbb"


@pytest.mark.parametrize(
    ("host", "address", "bound"),
    [
        ("127.0.0.1", b"\x01\x7f\x00\x00\x01", BOUND),
        ("::1", b"\x04" + bytes(15) + b"\x01", b"\x05\x00\x00\x04" + bytes(18)),
        ("127.0.0.1", b"\x01\x7f\x00\x00\x01", b"\x05\x00\x00\x03\x04name\x00\x00"),
    ],
)
def test_socks5_by_address_with_credentials(host, address, bound):
    asked = through(
        Proxy("socks5", "h", 1, "joe", "pw"),
        host,
        socks_proxy((4, b"\x05\x02"), (8, b"\x01\x00"), (5 + len(address), bound)),
    )
    assert asked == (
        b"\x05\x02\x00\x02" + b"\x01\x03joe\x02pw" + b"\x05\x01\x00" + address + b"\x01\xbb"
    )


@pytest.mark.parametrize(
    ("username", "steps", "says"),
    [
        ("", [(3, b"\x05\xff")], "wants credentials"),
        ("", [(3, b"\x05\x02")], "wants credentials"),
        ("joe", [(4, b"\x05\xff")], "refused the credentials"),
        ("joe", [(4, b"\x05\x02"), (7, b"\x01\x01")], "refused the credentials"),
        ("", [(3, b"HT")], "did not answer in SOCKS5"),
        ("", [(3, b"\x05\x00"), (20, b"\x05\x05\x00\x01")], "venue.example:443: connection ref"),
        ("", [(3, b"\x05\x00"), (20, b"\x05\x63\x00\x01")], "reply 99"),
    ],
)
def test_a_socks5_proxy_that_refuses_says_why(username, steps, says):
    proxy = Proxy("socks5h", "h", 1, username, "x" if username else "")
    with pytest.raises(ProxyRefusal, match=says):
        through(proxy, "venue.example", socks_proxy(*steps))
