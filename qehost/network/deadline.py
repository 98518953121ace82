"""One deadline for many steps, and a socket that keeps it.

A time-out of a socket holds for one call: a peer that sends a byte a second keeps a reader for
ever.  Here every call gets what is left of the whole.
"""

from __future__ import annotations

import socket
import time

__all__ = ["BoundedSocket", "Deadline"]


class Deadline:
    """`seconds` from now, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """The seconds that are left, more than 0.  Raises `TimeoutError` when there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not done within {self.seconds:g} s")
        return left


class BoundedSocket:
    """A connected socket, and the deadline for everything that is done with it through here.

    Raises `TimeoutError` at the deadline and `EOFError` where the peer ends too early.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline

    def send(self, data: bytes) -> int:
        """Sends everything, for callers that look at the count as well."""
        # sendall counts its time-out from the first byte to the last.
        self.sock.settimeout(self.deadline.left())
        self.sock.sendall(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        """From 1 to `size` bytes."""
        self.sock.settimeout(self.deadline.left())
        data = self.sock.recv(size)
        if not data:
            raise EOFError("the other side ended the connection")
        return data

    def read_exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self.recv(size - len(data))
        return data
