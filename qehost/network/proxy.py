"""Proxies: which one to take, and how to get through it.  HTTP CONNECT and SOCKS5.

SOCKS5 (RFC 1928, RFC 1929) is spoken here rather than by a library, because the deadline of the
whole of connecting must hold for each of its steps.
"""

from __future__ import annotations

import base64
import ipaddress
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from qehost.network.deadline import BoundedSocket
from qehost.network.http_head import parse_head, read_head

__all__ = [
    "Proxy",
    "ProxyRefusal",
    "Unreachable",
    "check_host",
    "choose_proxy",
    "host_port",
    "parse_proxy",
]

DEFAULT_PORTS = {"http": 80, "socks5": 1080, "socks5h": 1080}

SOCKS_REPLIES = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "time to live expired",
    7: "command not supported",
    8: "address type not supported",
}


class ProxyRefusal(Exception):
    """The proxy answered, but did not connect.  The text reads on from `the proxy HOST:PORT `."""


class Unreachable(ProxyRefusal):
    """The proxy works, but has no connection to this one address of the target."""


def host_port(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_host(host: str | None) -> None:
    """Raises ValueError for what can't be the name or address of a host."""
    if not host or not host.isprintable() or any(character.isspace() for character in host):
        raise ValueError("no host")
    host.encode("idna")  # an empty label, or one too long: what the resolver would stumble over


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy.  Its credentials show nowhere.

    With `socks5` the target's name is looked up here, with `http` and `socks5h` by the proxy.
    """

    scheme: str
    host: str
    port: int
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return host_port(self.host, self.port)

    @property
    def resolves(self) -> bool:
        """Whether the proxy looks up the target's name."""
        return self.scheme != "socks5"

    def tunnel(self, pipe: BoundedSocket, host: str, port: int) -> None:
        """Ask for a connection to the target, on a connection to the proxy.

        Raises `ProxyRefusal` (`Unreachable`: another address may do), and what `BoundedSocket`
        raises.
        """
        if self.scheme == "http":
            self._connect(pipe, host, port)
        else:
            self._socks5(pipe, host, port)

    def _connect(self, pipe: BoundedSocket, host: str, port: int) -> None:
        target = host_port(host, port)
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if self.username or self.password:
            credentials = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {credentials}")
        pipe.send("\r\n".join([*lines, "", ""]).encode())
        try:
            status = parse_head(read_head(pipe)).status
        except ValueError as error:
            raise ProxyRefusal(f"sent {error}: is it an HTTP proxy?") from None
        if status == 407:
            raise ProxyRefusal(self._about_credentials("(HTTP 407)"))
        if not status:
            raise ProxyRefusal("did not answer in HTTP: is it an HTTP proxy?")
        if not 200 <= status < 300:
            raise ProxyRefusal(f"refused to connect to {target} (HTTP {status})")

    def _socks5(self, pipe: BoundedSocket, host: str, port: int) -> None:
        with_password = bool(self.username or self.password)
        pipe.send(b"\x05\x02\x00\x02" if with_password else b"\x05\x01\x00")
        version, method = pipe.read_exactly(2)
        if version != 5:
            raise ProxyRefusal("did not answer in SOCKS5: is it a SOCKS5 proxy?")
        if method == 2 and with_password:
            username, password = self.username.encode(), self.password.encode()
            pipe.send(b"\x01" + _with_length(username) + _with_length(password))
            if pipe.read_exactly(2)[1]:
                raise ProxyRefusal(self._about_credentials("(SOCKS5)"))
        elif method:
            raise ProxyRefusal(self._about_credentials("(SOCKS5)"))

        pipe.send(b"\x05\x01\x00" + _socks_address(host) + port.to_bytes(2))
        version, reply, _, kind = pipe.read_exactly(4)
        if version != 5 or reply:
            reason = SOCKS_REPLIES.get(reply, f"reply {reply}")
            raise Unreachable(f"could not connect to {host_port(host, port)}: {reason}")
        # The address that the proxy uses itself, which is of no interest, and its port.
        size = {1: 4, 4: 16}.get(kind) or pipe.read_exactly(1)[0]
        pipe.read_exactly(size + 2)

    def _about_credentials(self, how: str) -> str:
        if self.username or self.password:
            return f"refused the credentials {how}: check user and password in the proxy setting"
        return f"wants credentials {how}: write {self.scheme}://USER:PASSWORD@{self} as the proxy"


def _with_length(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def _socks_address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return b"\x03" + _with_length(host.encode("idna"))
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed


def parse_proxy(url: str) -> Proxy:
    """`http://`, `socks5://` or `socks5h://`, with `user:password@` (percent-encoded) if need be.

    Without a scheme it is `http`.  Raises `ValueError`, whose text holds no credentials.
    """
    url = url.strip()
    try:
        if not url.isprintable():
            raise ValueError("urllib leaves out tabs and line breaks")
        parts = urlsplit(url if "://" in url else f"http://{url}")
    except ValueError:
        # urllib's own text may quote the user and the password.
        raise ValueError("the proxy is no URL: write it as http://HOST:PORT") from None
    scheme = parts.scheme.lower()
    if scheme == "socks":
        scheme = "socks5h"
    if scheme not in DEFAULT_PORTS:
        raise ValueError(
            f"{scheme}:// is no kind of proxy that qehost knows: http://, socks5:// and socks5h://"
        )
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port of the proxy is not a number up to 65535") from None
    try:
        check_host(parts.hostname)
    except ValueError:
        raise ValueError("the proxy has no host name: write it as http://HOST:PORT") from None
    assert parts.hostname
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if max(len(username.encode()), len(password.encode())) > 255:
        raise ValueError("user and password of a proxy may have 255 bytes at most")
    return Proxy(scheme, parts.hostname, port or DEFAULT_PORTS[scheme], username, password)


def choose_proxy(setting: str, scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy for a connection to `host`, or None.

    `setting` is a URL, `"none"`, or `""` for the environment's (`HTTPS_PROXY`, `HTTP_PROXY`,
    `ALL_PROXY`, `NO_PROXY`); `scheme` is `ws`, `wss`, `http` or `https`.  The environment's
    proxy is never taken to the own machine: a venue simulated here would be looked for there.
    Raises `ValueError` as `parse_proxy` does.
    """
    if setting == "none":
        return None
    if setting:
        return parse_proxy(setting)
    if _is_loopback(host) or urllib.request.proxy_bypass(f"{host}:{port}"):
        return None
    proxies = urllib.request.getproxies()
    secure = {"wss": "https", "ws": "http"}.get(scheme, scheme)
    for name in (scheme, secure, "all"):
        if proxies.get(name):
            return parse_proxy(proxies[name])
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")
