"""An error that travels is the same at the other end."""

from __future__ import annotations

import pytest

from qehost.errors import (
    ConnectError,
    ConnectionLost,
    DecodeError,
    GapError,
    HandshakeError,
    ListenKeyError,
    VenueError,
    WebsocketClientError,
    from_problem,
)
from qehost.events.problems import to_problem

ERRORS = [
    DecodeError("no number", '{"a":', "$.a"),
    VenueError("no margin"),
    ConnectError("refused", "wss://h"),
    HandshakeError("HTTP 429", "wss://h", 429, 2.5),
    HandshakeError("HTTP 500", "wss://h", 500, None),
    ConnectionLost("silent", 1006),
    ListenKeyError("over"),
    GapError("events 1 to 2"),
    WebsocketClientError("something else"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_with_what_it_holds(error: WebsocketClientError) -> None:
    raw = error.raw if isinstance(error, DecodeError) else ""
    back = from_problem(to_problem(error), raw)
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))
