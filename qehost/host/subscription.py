"""Which events a plugin wants to be given, and how many at once: by its settings, or by class
attributes of the same names, which may be properties.  The settings win.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any

import msgspec

from qehost.config.catalogue import describe_type
from qehost.config.settings import PluginSettings
from qehost.messages import Event

__all__ = ["EVERYTHING", "Subscription", "subscription"]

NAMES = "kinds", "symbols", "max_events", "max_wait"
MAX_EVENTS, MAX_WAIT = 1_000, 5.0
"""Where only the other one of the two is set."""


class Subscription(msgspec.Struct, frozen=True):
    """`kinds` and `symbols` are empty where they don't matter; `max_events` is 0 for a plugin whose
    `on_batch` gets the events as they come, without waiting for more."""

    kinds: frozenset[str] = frozenset()
    symbols: frozenset[str] = frozenset()
    max_events: int = 0
    max_wait: float = 0.0

    @property
    def filters(self) -> bool:
        """Whether there are events that the plugin does not want."""
        return bool(self.kinds or self.symbols)

    def wants(self, event: Event) -> bool:
        """What has no symbol, such as a connection, is of every symbol."""
        if self.kinds and event.kind not in self.kinds:
            return False
        symbol = getattr(event.message, "symbol", "") if self.symbols else ""
        return not symbol or symbol.upper() in self.symbols


EVERYTHING = Subscription()


def subscription(settings: PluginSettings, plugin: object, hooks: Collection[str]) -> Subscription:
    """What a plugin wants that has these hooks.  Raises ValueError, with a text for the user."""
    found = _attributes(plugin)
    for name in NAMES:
        if value := getattr(settings, name):
            found[name] = value
    collects = [name for name in ("max_events", "max_wait") if name in found]
    if collects and "on_batch" not in hooks:
        raise ValueError(
            f"{' and '.join(collects)}: the plugin has no on_batch, for which events could be "
            "collected"
        )
    return Subscription(
        frozenset(found.get("kinds", ())),
        frozenset(symbol.upper() for symbol in found.get("symbols", ())),
        found.get("max_events", MAX_EVENTS) if collects else 0,
        found.get("max_wait", MAX_WAIT) if collects else 0.0,
    )


def _attributes(plugin: object) -> dict[str, Any]:
    """Those of the plugin's class; a property is asked.  What an instance has is its own affair."""
    found: dict[str, Any] = {}
    fields = {field.name: field.type for field in msgspec.structs.fields(PluginSettings)}
    for name in NAMES:
        value = inspect.getattr_static(type(plugin), name, None)
        if isinstance(value, property):
            value = getattr(plugin, name)
        if value is None:
            continue
        try:
            found[name] = msgspec.convert(value, fields[name])
        except msgspec.ValidationError:
            expected = describe_type(msgspec.inspect.type_info(fields[name]))
            raise ValueError(
                f"its class attribute {name} must be {expected}, and is {value!r}: it is what "
                "qehost goes by, as the setting of that name"
            ) from None
    return found
