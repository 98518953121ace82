"""Whether qehost is well, by its status.  No I/O.

A host process that has nothing to do is well: one that is stopped is seen once events wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from qehost import CursorState, HostState, PluginState, Status

__all__ = ["Limits", "reasons"]


class Limits(NamedTuple):
    """Seconds, as in the settings."""

    down: float
    lag: float
    call: float
    age: float


def reasons(status: Status | None, limits: Limits) -> list[str]:
    """Why it is not well; empty: it is."""
    if status is None:
        return ["there is no status of this run yet"]
    return list(_reasons(status, limits))


def _reasons(status: Status, limits: Limits) -> Iterator[str]:
    age = status.age()
    if age > limits.age:
        yield f"the status is {age:.0f} s old: the supervisor is stuck or dead, or the disk is full"
    # What is down grows older, also while the supervisor does not say so.
    now = status.written_at + age
    for each in status.connections:
        if each.down_since and now - each.down_since > limits.down:
            why = f": {each.why}" if each.why else ""
            down = now - each.down_since
            yield f"account {each.account}: not connected for {down:.0f} s{why}"
        if not each.protected:
            yield f"account {each.account}: what is received is not journalled"
    for host in status.hosts:
        yield from _host(host, now - (host.since or status.started_at), limits)
        for plugin in host.plugins:
            yield from _plugin(plugin, limits)


def _host(host: HostState, lasts: float, limits: Limits) -> Iterator[str]:
    """`lasts`: for how long it has been as it is."""
    name = f"host process {host.name}"
    if not (host.pid and host.ready) and lasts > limits.down:
        yield f"{name}: {'starting' if host.pid else 'down'}{host.why and f': {host.why}'}"
    for journal in host.unreadable:
        yield f"{name}: the journal of account {journal.account} can't be read: {journal.why}"
    for cursor in host.cursors:
        yield from _lag(name, cursor, limits)
    if host.call is not None and host.call.took > limits.call:
        call = host.call
        yield f"{name}: in {call.hook} of plugin {call.plugin} for {call.took:.0f} s"


def _plugin(plugin: PluginState, limits: Limits) -> Iterator[str]:
    name = f"plugin {plugin.name}"
    if plugin.state in ("waiting", "refused"):
        yield f"{name}: {plugin.state}{plugin.why and f': {plugin.why}'}"
    for problem in plugin.problems:
        yield f"{name}: {problem.key}: {problem.text}"
    for cursor in plugin.cursors:
        yield from _lag(name, cursor, limits)


def _lag(name: str, cursor: CursorState, limits: Limits) -> Iterator[str]:
    if cursor.lag > limits.lag:
        yield (
            f"{name}: {cursor.lag_events} events of account {cursor.account} wait, the oldest "
            f"for {cursor.lag:.0f} s"
        )
