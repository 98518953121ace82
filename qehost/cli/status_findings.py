"""What is wrong by a status, and how bad that is.  No I/O.

`qehost status` shows it, `qehost status --check` tells it to a monitoring system.  A new figure
that can be wrong is one more function in `FINDERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from qehost.cli.units import format_count, format_duration
from qehost.events.notices import LastGap
from qehost.events.plural import format_times
from qehost.storage.status import STALE_AFTER, HostState, PluginState, Status

__all__ = ["Finding", "Level", "Limits", "findings", "last_gaps"]

Level = Literal["notice", "warning", "critical"]

LATE = 1.0
"""Seconds from which on a call is named."""
TOO_LATE = 10.0
"""Seconds from which on it is a warning."""
ALMOST_ALL = 0.8
"""Of the files that a process may open."""


class Limits(NamedTuple):
    """From when on something is bad: seconds, and numbers of events and letters."""

    down: float = 60.0
    """Without a connection; without a host process."""
    behind: int = 1000
    """Events that were received and not delivered."""
    lag: float = 60.0
    """That the oldest of them has waited."""
    dead_letters: int = 0
    """Of one plugin."""
    gap_age: float = 3600.0
    """Since the last gap."""


class Finding(NamedTuple):
    """A `notice` is shown to people alone: it passes, or is not known to be bad yet."""

    level: Level
    text: str


def findings(status: Status, limits: Limits = Limits()) -> list[Finding]:  # noqa: B008 — frozen
    """The worst first."""
    found = [each for finder in FINDERS for each in finder(status, limits)]
    order: list[Level] = ["critical", "warning", "notice"]
    return sorted(found, key=lambda each: order.index(each.level))


def _connections(status: Status, limits: Limits) -> Iterator[Finding]:
    for each in status.connections:
        if each.down_since:
            down = status.written_at - each.down_since
            why = f": {each.why}" if each.why else ""
            yield Finding(
                "critical" if down > limits.down else "notice",
                f"account {each.account}: not connected for {format_duration(down)} "
                f"({each.state}){why}",
            )
        if not each.protected:
            yield Finding(
                "critical",
                f"UNPROTECTED: account {each.account} is not journalled, a crash would lose events",
            )
        if each.counts.unreadable:
            yield Finding(
                "notice",
                f"account {each.account}: {format_count(each.counts.unreadable, 'message')} could "
                "not be read in all fields; the log has the first of each kind",
            )


def _hosts(status: Status, limits: Limits) -> Iterator[Finding]:
    for host in status.hosts:
        if not host.pid or not host.ready:
            away = status.written_at - host.since if host.since else 0.0
            state = "starting" if host.pid else "down"
            yield Finding(
                "critical" if away > limits.down else "notice",
                f"host process {host.name}: {state} for {format_duration(away)}"
                + (f": {host.why}" if host.why else ""),
            )
        for journal in host.unreadable:
            yield Finding(
                "critical",
                f"host process {host.name}: the events of account {journal.account} wait, since "
                f"its journal can't be read ({journal.why})",
            )
        for cursor in host.cursors:
            if cursor.lag_events > limits.behind or cursor.lag > limits.lag:
                yield Finding(
                    "critical",
                    f"host process {host.name}: {format_count(cursor.lag_events, 'event')} of "
                    f"account {cursor.account} behind, the oldest for "
                    f"{format_duration(cursor.lag)}",
                )
        yield from _call(host)


def _gaps(status: Status, limits: Limits) -> Iterator[Finding]:
    for name, gap in last_gaps(status):
        age = max(0.0, status.written_at - gap.at)
        if age <= limits.gap_age:
            yield Finding("warning", f"{name}: gap {format_duration(age)} ago: {gap.text}")


def last_gaps(status: Status) -> Iterator[tuple[str, LastGap]]:
    """By the account or the host process that they are about."""
    for connection in status.connections:
        if connection.last_gap is not None:
            yield f"account {connection.account}", connection.last_gap
    for host in status.hosts:
        if host.last_gap is not None:
            yield f"host process {host.name}", host.last_gap


def _call(host: HostState) -> Iterator[Finding]:
    call = host.call
    if call is not None and call.took >= LATE:
        about = f" with event {call.seq:,} of account {call.account}" if call.seq else ""
        yield Finding(
            "warning" if call.took >= TOO_LATE else "notice",
            f"{host.name} has been in {call.hook} of plugin {call.plugin}{about} for "
            f"{format_duration(call.took)}",
        )


def _plugins(status: Status, limits: Limits) -> Iterator[Finding]:
    for host in status.hosts:
        for each in host.plugins:
            if each.state in ("waiting", "refused"):
                since = format_duration(status.written_at - each.since) if each.since else ""
                yield Finding(
                    "warning",
                    f"plugin {each.name}: {each.state}{since and f' for {since}'}"
                    + (f": {each.why}" if each.why else "")
                    + _next_try(each, status),
                )
            for problem in each.problems:
                yield Finding(
                    "warning",
                    f"plugin {each.name}: {problem.key} for "
                    f"{format_duration(status.written_at - problem.since)}: {problem.text}",
                )
            if not _is_as_asked(each, status):
                yield from _plugin_behind(each, limits)
            if each.dead_letters > limits.dead_letters:
                yield Finding(
                    "warning",
                    f"plugin {each.name}: {format_count(each.dead_letters, 'dead letter')} "
                    "(`qehost journal dead-letters`)",
                )
            if each.dropped_letters:
                yield Finding(
                    "warning",
                    f"plugin {each.name}: {format_count(each.dropped_letters, 'event')} found no "
                    "room among the dead letters",
                )


def _is_as_asked(plugin: PluginState, status: Status) -> bool:
    """Whether it waits for the first time, for as long as it asked for: then its events wait on
    purpose.  From its next try on they are behind like all others."""
    return (
        plugin.state == "waiting"
        and plugin.attempts == 1
        and plugin.next_try > status.written_at - STALE_AFTER  # what came of it is not known yet
    )


def _next_try(plugin: PluginState, status: Status) -> str:
    if not plugin.next_try:
        return ""
    waiting = sum(cursor.lag_events for cursor in plugin.cursors)
    seconds = max(0.0, plugin.next_try - status.written_at)
    again = f"tried {format_times(plugin.attempts)}, again in {seconds:.0f} s"
    lasts = plugin.journal_lasts
    until = f", and journal.keep_bytes leaves them for {format_duration(lasts)}" if lasts else ""
    return f"; {again}; {format_count(waiting, 'event waits', 'events wait')} for it{until}"


def _plugin_behind(plugin: PluginState, limits: Limits) -> Iterator[Finding]:
    for cursor in plugin.cursors:
        if cursor.lag_events > limits.behind or cursor.lag > limits.lag:
            yield Finding(
                "critical",
                f"plugin {plugin.name}: {format_count(cursor.lag_events, 'event')} of account "
                f"{cursor.account} behind, the oldest for {format_duration(cursor.lag)}",
            )


def _reload(status: Status, _: Limits) -> Iterator[Finding]:
    if not status.reload.ok:
        yield Finding("warning", f"the last reload failed: {status.reload.text}")


def _files(status: Status, _: Limits) -> Iterator[Finding]:
    processes = [
        ("the supervisor", status.usage),
        *((f"connection process {each.account}", each.usage) for each in status.connections),
        *((f"host process {each.name}", each.usage) for each in status.hosts),
    ]
    for name, usage in processes:
        if usage.max_files and usage.open_files >= ALMOST_ALL * usage.max_files:
            yield Finding(
                "warning",
                f"{name} has {usage.open_files:,} of {usage.max_files:,} possible files open",
            )


FINDERS: Iterable[Callable[[Status, Limits], Iterator[Finding]]] = (
    _connections,
    _hosts,
    _plugins,
    _gaps,
    _reload,
    _files,
)
