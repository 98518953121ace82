"""An error as it travels between processes."""

from __future__ import annotations

from qehost.errors import WebsocketClientError
from qehost.messages import Problem

__all__ = ["to_problem"]


def to_problem(error: WebsocketClientError) -> Problem:
    """The error as it travels in an `ErrorEvent`."""
    return Problem(error.code, str(error), error.facts())
