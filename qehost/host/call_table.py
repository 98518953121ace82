"""The plugins' functions for each hook, frozen into tuples that one loop can go over.

A table holds some of the plugins: those at the head of an account, one that waits, those that have
started.  It is made anew when these change, which is rare, and costs an event nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from time import perf_counter_ns
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from qehost.host.arguments import HOOKS, NAMES
from qehost.host.latency_histogram import BUCKETS, SHIFT, SHORT
from qehost.messages import Event

__all__ = ["Call", "CallTable", "Implementation", "SelectArguments", "Wants", "freeze"]


class Implementation(NamedTuple):
    """One plugin's function for one hook, and the arguments it wants, in its own order."""

    plugin: str
    function: Callable[..., object]
    arguments: tuple[str, ...]


# A plain tuple, which Python unpacks three times as fast as a NamedTuple.
SelectArguments: TypeAlias = Callable[[tuple[Any, ...]], tuple[Any, ...]]
Wants: TypeAlias = Callable[[Event], bool]
Call: TypeAlias = tuple[Callable[..., object], SelectArguments, int, list[int]]
"""A function, what selects its arguments from the hook's, its plugin's number and histogram."""


def freeze(
    implementations: Mapping[str, Sequence[Implementation]],
    plugins: Sequence[str],
    histograms: Sequence[list[int]],
    filters: Mapping[str, Wants] = MappingProxyType({}),
) -> list[tuple[Call, ...]]:
    """The calls of all plugins, by the hook's number, in calling order.

    `filters` say by plugin which events it wants; without one a plugin's calls cost nothing more.
    """

    def call(hook: str, each: Implementation) -> Call:
        frozen = _freeze(hook, each, plugins.index(each.plugin), histograms)
        if (wants := filters.get(each.plugin)) is None:
            return frozen
        return _filtered(hook, frozen, wants)

    return [tuple(call(hook, each) for each in implementations.get(hook, ())) for hook in HOOKS]


def _filtered(hook: str, call: Call, wants: Wants) -> Call:
    """The call for the events that its plugin wants; for the others nothing is called."""
    arguments = HOOKS[hook]
    if hook == "on_batch":
        keep: Callable[..., tuple[Any, ...] | None] = partial(_wanted_of, wants)
    elif "event" in arguments:
        keep = partial(_if_wanted, wants, arguments.index("event"), hook == "on_error")
    else:
        return call
    function, select, plugin, histogram = call

    def filtered(*values: Any) -> None:
        if (wanted := keep(values)) is None:
            return
        before = perf_counter_ns()
        try:
            function(*select(wanted))
        finally:
            # Longer ones are counted where they are noticed.
            if (took := perf_counter_ns() - before) < SHORT:
                histogram[took >> SHIFT] += 1

    # What is passed over is no call of the plugin.
    return filtered, _all, plugin, [0] * BUCKETS


def _if_wanted(
    wants: Wants, index: int, about_all: bool, values: tuple[Any, ...]
) -> tuple[Any, ...] | None:
    event = values[index]
    # `on_error` also tells of events of others, and of none.
    if about_all and (event is None or event.kind != "error"):
        return values
    return values if wants(event) else None


def _wanted_of(wants: Wants, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
    wanted = tuple(event for event in values[0] if wants(event))
    return (wanted,) if wanted else None


def _freeze(hook: str, found: Implementation, plugin: int, histograms: Sequence[list[int]]) -> Call:
    indices = [HOOKS[hook].index(name) for name in found.arguments]
    # itemgetter returns a tuple for two indices and more, and for a slice of a tuple.
    if len(indices) > 1:
        select: Any = itemgetter(*indices)
    else:
        select = itemgetter(slice(indices[0], indices[0] + 1) if indices else slice(0))
    return found.function, select, plugin, histograms[plugin]


_all = itemgetter(slice(None))


class CallTable:
    """The calls of some plugins, by their numbers.  `wants_detail` are the hooks in which one of
    all plugins wants `detail`."""

    def __init__(
        self,
        all_calls: Sequence[tuple[Call, ...]],
        plugins: Iterable[int],
        wants_detail: Collection[int],
    ) -> None:
        self._all = all_calls
        self._plugins = set(plugins)
        self.wants_detail = wants_detail
        self.calls: list[tuple[Call, ...]] = [()] * len(NAMES)
        """By the hook's number.  The list stays the same when plugins come or go, so that a loop
        that goes over it notices."""
        self._make()

    def __contains__(self, plugin: int) -> bool:
        return plugin in self._plugins

    def add(self, plugin: int) -> None:
        self._plugins.add(plugin)
        self._make()

    def remove(self, plugin: int) -> None:
        """It gets no further call by this table, also of a loop that is going on."""
        self._plugins.discard(plugin)
        self._make()

    def without(self, plugins: Collection[int]) -> CallTable:
        return CallTable(self._all, self._plugins.difference(plugins), self.wants_detail)

    def _make(self) -> None:
        for hook, calls in enumerate(self._all):
            self.calls[hook] = tuple(call for call in calls if call[2] in self._plugins)
