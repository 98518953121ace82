"""The hooks by number, what they take, and the arguments that an event gives to its hook."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from qehost import hookspecs
from qehost.errors import from_problem
from qehost.messages import ConnectedEvent, DisconnectedEvent, ErrorEvent, StatusEvent

__all__ = [
    "HOOKS",
    "NAMES",
    "ON_BATCH",
    "ON_ERROR",
    "ON_RAW_MESSAGE",
    "ON_START",
    "ON_STOP",
    "ON_TICK",
    "TYPED",
    "MakeArguments",
    "parameters",
]


def parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The parameters of a function by name; their annotations are not evaluated.

    From Python 3.14 on `inspect.signature` evaluates them, which fails where a name is imported
    for type checkers alone.
    """
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.STRING).parameters
    return inspect.signature(function).parameters


HOOKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        name: tuple(parameters(spec))
        for name, spec in vars(hookspecs).items()
        if hasattr(spec, f"{hookspecs.PROJECT}_spec")
    }
)
"""Every hook and its arguments, in the order of `hookspecs.py`."""

NAMES = tuple(HOOKS)
"""A hook's number is its index in this tuple."""

ON_START, ON_STOP, ON_ERROR, ON_RAW_MESSAGE, ON_BATCH, ON_TICK = map(
    NAMES.index, ("on_start", "on_stop", "on_error", "on_raw_message", "on_batch", "on_tick")
)

MakeArguments = Callable[[Any, bool], tuple[Any, ...]]
"""From an event, and whether `detail` is wanted, to the arguments of its hook."""


def _message(event: Any, with_detail: bool) -> tuple[Any, ...]:
    return event.message, event.detail if with_detail else None, event


def _status(event: StatusEvent, _: bool) -> tuple[Any, ...]:
    return event.message, event


def _error(event: ErrorEvent, _: bool) -> tuple[Any, ...]:
    return from_problem(event.message, event.raw), event


def _connected(event: ConnectedEvent, _: bool) -> tuple[Any, ...]:
    return (event,)


def _disconnected(event: DisconnectedEvent, _: bool) -> tuple[Any, ...]:
    return event.message.reason, event


TYPED: Mapping[str, tuple[int, MakeArguments]] = {
    "master_order": (NAMES.index("on_master_order"), _message),
    "order": (NAMES.index("on_order"), _message),
    "fill": (NAMES.index("on_fill"), _message),
    "status": (NAMES.index("on_status"), _status),
    "error": (NAMES.index("on_error"), _error),
    "connected": (NAMES.index("on_connected"), _connected),
    "disconnected": (NAMES.index("on_disconnected"), _disconnected),
}
"""By the event's kind: the number of its hook, and its arguments.  `unknown` is not here: only
on_raw_message gets it."""
