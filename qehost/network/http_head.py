"""The head of an HTTP answer: status and headers, of a proxy or of the venue."""

from __future__ import annotations

from typing import NamedTuple

from qehost.network.deadline import BoundedSocket

__all__ = ["HttpHead", "parse_head", "read_head"]

LIMIT = 32 * 1024


class HttpHead(NamedTuple):
    """`status` is 0 where the answer was no HTTP.  Names of headers are in lower case."""

    status: int
    headers: dict[str, str]


def read_head(pipe: BoundedSocket) -> bytes:
    """Everything up to and with the blank line, and not one byte more.

    Raises `ValueError` where it is longer than 32 KiB, and what `BoundedSocket` raises.
    """
    head = bytearray()
    # Byte by byte, because what follows belongs to someone else.  It takes a millisecond.
    while not head.endswith((b"\n\r\n", b"\n\n")):
        head += pipe.recv(1)
        if len(head) > LIMIT:
            raise ValueError(f"an answer without an end within {LIMIT} bytes")
    return bytes(head)


def parse_head(data: bytes) -> HttpHead:
    """Reads what it can, and refuses nothing."""
    first, *lines = data.decode("latin-1").split("\n")
    version, _, rest = first.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/") or not (status.isascii() and status.isdigit()):
        return HttpHead(0, {})
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return HttpHead(int(status), headers)
