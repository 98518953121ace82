"""What the venue refuses, and how it says so over HTTP."""

from __future__ import annotations

__all__ = ["Hang", "Refused"]


class Refused(Exception):
    """A request that the venue does not carry out.

    `status` is the HTTP status and the envelope's `code`, `reason` the constant for programs,
    `message` the sentence for people, `retry_after` the seconds to wait, if any.  It ends at the
    venue's own REST interface, so it is no part of the tree in `qehost.errors`.
    """

    def __init__(
        self, status: int, reason: str, message: str, retry_after: int | None = None
    ) -> None:
        super().__init__(status, reason, message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}"


class Hang(Exception):
    """A request that gets no answer for as long as its sender waits."""
