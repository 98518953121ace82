"""Requests that the venue refuses, and those that it does not answer."""

from __future__ import annotations

__all__ = ["HangingRequest", "LostAnswer", "RestRefusal"]


class RestRefusal(Exception):
    """A request that the venue does not carry out.

    `status` is the HTTP status and the envelope's `code`, `reason` the constant for programs,
    `message` the sentence for people, `retry_after` the seconds to wait, if any.  It is not raised
    outside of the simulator, so it is no part of the tree in `qehost.errors`.
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


class HangingRequest(Exception):
    """A request that is not answered, however long its sender waits."""


class LostAnswer(Exception):
    """A request whose connection ends without an answer.

    It has been carried out, or is to be, by a call of `carry_out`, `later` seconds after that.
    """

    def __init__(self, later: float = 0.0) -> None:
        super().__init__(later)
        self.later = later
