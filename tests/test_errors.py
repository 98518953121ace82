"""The tree of errors: each one travels whole."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qehost import errors
from qehost.errors import ClientError, Error, RestError

VALUES: dict[str, Any] = {
    "params": ["a", "b"],
    "mistakes": ["a mistake"],
    "header": {"retry-after": "3"},
    "error_data": [1],
    "exit_code": -9,
    "status_code": 429,
    "retry_after": 3.0,
    "errors": {},
}


def tree(root: type[Error]) -> Iterator[type[Error]]:
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from tree(kind)


def one(kind: type[Error]) -> Error:
    """With a value for each argument that its constructor takes."""
    if kind in (Error, RestError):
        return kind("text")
    names = list(inspect.signature(kind).parameters)
    return kind(*(VALUES.get(name, f"the {name}") for name in names))


COPIES: dict[str, Callable[[Error], Error]] = {
    "pickle": lambda error: pickle.loads(pickle.dumps(error)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("kind", sorted(set(tree(Error)), key=lambda kind: kind.__name__))
def test_an_error_is_the_same_after(how: str, kind: type[Error]) -> None:
    error = one(kind)
    error.add_note("a note")
    made = COPIES[how](error)
    assert type(made) is kind
    assert made is not error
    assert (str(made), made.args, vars(made)) == (str(error), error.args, vars(error))


def test_the_tree_is_the_public_one() -> None:
    kinds = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}
    assert {kind.__name__ for kind in tree(Error)} == kinds


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (errors.TransportError("no answer"), True),
        (errors.ServerError(502, "bad gateway"), True),
        (errors.ServerError(200, "not JSON"), True),
        (errors.ClientError(408, None, "time-out", {}), True),
        (errors.ClientError(403, None, "no", {}), False),
        (errors.APIError(404, "NOT_FOUND", "no such order"), False),
    ],
)
def test_an_action_that_was_not_refused_may_have_been_done(error: RestError, unknown: bool) -> None:
    assert error.outcome_unknown == unknown


@pytest.mark.parametrize("status", [200, 400, 503])
def test_the_venues_own_refusal_counts_by_its_http_status(status: int) -> None:
    error = errors.APIError(10_001, "X", "no")
    error.status_code = status
    assert error.outcome_unknown == (status == 503)


def test_what_was_changed_after_it_was_raised_travels_too() -> None:
    error = ClientError(429, None, "slow down", {})
    error.retry_after = 2.5
    made = pickle.loads(pickle.dumps(error))
    assert made.retry_after == 2.5
