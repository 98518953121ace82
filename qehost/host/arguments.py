"""The hooks by number, and the arguments that an event gives to the hook of its kind."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from qehost import hookspecs, wire
from qehost.errors import DecodeError, from_problem
from qehost.messages import ConnectedEvent, DisconnectedEvent, ErrorEvent, StatusEvent

__all__ = ["HOOKS", "NAMES", "TYPED", "Values"]

logger = logging.getLogger("qehost.host")

HOOKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        name: tuple(inspect.signature(spec).parameters)
        for name, spec in vars(hookspecs).items()
        if hasattr(spec, f"{hookspecs.PROJECT}_spec")
    }
)
"""Every hook and its arguments, in the order of `hookspecs.py`."""

NAMES = tuple(HOOKS)
"""A hook's number is its place in here."""

Values = Callable[[Any, bool], tuple[Any, ...]]


def _message(event: Any, with_detail: bool) -> tuple[Any, ...]:
    return event.message, _detail(event) if with_detail else None, event


def _detail(event: Any) -> Any:
    try:
        return wire.detail(event)
    except DecodeError as error:
        # Only if the journal holds another text than the event was made from.  The message itself
        # is good, and a plugin that gets None for its detail fails where it can be seen.
        logger.error("account %s, event %d: no detail: %s", event.account, event.seq, error)
        return None


def _status(event: StatusEvent, _: bool) -> tuple[Any, ...]:
    return event.message, event


def _error(event: ErrorEvent, _: bool) -> tuple[Any, ...]:
    return from_problem(event.message, event.raw), event


def _connected(event: ConnectedEvent, _: bool) -> tuple[Any, ...]:
    return (event,)


def _disconnected(event: DisconnectedEvent, _: bool) -> tuple[Any, ...]:
    return event.message.reason, event


TYPED: Mapping[str, tuple[int, Values]] = {
    "master_order": (NAMES.index("on_master_order"), _message),
    "order": (NAMES.index("on_order"), _message),
    "fill": (NAMES.index("on_fill"), _message),
    "status": (NAMES.index("on_status"), _status),
    "error": (NAMES.index("on_error"), _error),
    "connected": (NAMES.index("on_connected"), _connected),
    "disconnected": (NAMES.index("on_disconnected"), _disconnected),
}
"""By the event's kind.  `unknown` is not here: on_raw_message has had it."""
