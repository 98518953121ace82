"""The plugin's settings, as they stand under `[plugins.dashboard]`."""

from __future__ import annotations

import ipaddress
import socket
import urllib.request
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from qehost import Context
from qehost.errors import Error
from qehost.secret import Secret

__all__ = ["PROGRAM", "Config", "is_loopback", "is_wildcard"]

PROGRAM = b'{"program":"qehost-dashboard"}'
"""What `GET /about` answers: by it `qehost check` knows a page that runs already."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the page is, and who may see it."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="The address to listen on (IPv4). Another one than this machine's own "
            "loopback needs a token.",
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="0: a free one, which the log has.")] = (
        8787
    )
    token: Annotated[
        Secret,
        Meta(description='What has to be typed to see the page, once in 30 days. "": nothing.'),
    ] = Secret("")
    hosts: Annotated[
        list[str],
        Meta(description="Further names that the page is opened by, such as a proxy's."),
    ] = []
    lang: Annotated[
        Literal["auto", "en", "zh"],
        Meta(description="The page's language, unless its reader chooses. auto: the browser's."),
    ] = "auto"
    clients: Annotated[
        int,
        Meta(ge=1, le=1000, description="So many streams at a time; a browser takes one."),
    ] = 256

    def __post_init__(self) -> None:
        if ":" in self.host:
            raise ValueError("host: IPv6 is not served; use 127.0.0.1, 0.0.0.0 or a name")
        if not self.token and not is_loopback(self.host):
            raise ValueError(
                f"token: {self.host} can be reached by others, so the page needs a token"
            )

    def check(self, context: Context) -> str:
        """For `qehost check`: what is well.  Raises what is not."""
        try:
            with socket.create_server((self.host, self.port)):
                pass
        except OSError as error:
            if _is_ours(self.host, self.port):
                return f"a page is at {self.host}:{self.port} already, as while qehost runs"
            raise Error(f"{self.host}:{self.port} can't be listened on: {error}") from error
        return f"{self.host}:{self.port} can be listened on"


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_wildcard(host: str) -> bool:
    return host == "0.0.0.0"  # it is compared, not bound


def _is_ours(host: str, port: int) -> bool:
    address = "127.0.0.1" if is_wildcard(host) else host
    # Not through a proxy of the environment: it would be asked for its own 127.0.0.1.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}:{port}/about", timeout=2) as answer:
            return bool(answer.read(100) == PROGRAM)
    except (OSError, ValueError):
        return False
