"""What is wrong by a status, and how bad it is."""

from __future__ import annotations

import time
from typing import Any

import pytest
from msgspec.structs import replace

from qehost.cli.status_findings import Finding, Limits, findings
from qehost.events.notices import Counts, LastGap
from qehost.storage.status import (
    CallStatus,
    ConnectionState,
    CursorState,
    HostState,
    PluginProblem,
    PluginState,
    ProcessUsage,
    ReloadState,
    Status,
    UnreadableJournal,
)

NOW = time.time()
CONNECTION = ConnectionState("main", 11, "connected", NOW - 9, 0, 0, NOW, NOW, 100, True, 1 << 20)
PLUGIN = PluginState("audit", True, 10, 0, 1.0, 1e-6, 1e-6, 1e-3, 0)
HOST = HostState("main", 12, True, 0, [CursorState("main", 100, 0, 0.0)], None, [PLUGIN])
WELL = Status("0.1", 10, NOW - 99, NOW, "", [CONNECTION], [HOST])


def connection(**changes: Any) -> Status:
    return replace(WELL, connections=[replace(CONNECTION, **changes)])


def host(**changes: Any) -> Status:
    return replace(WELL, hosts=[replace(HOST, **changes)])


def plugin(**changes: Any) -> Status:
    return host(plugins=[replace(PLUGIN, **changes)])


def test_of_one_that_works_nothing_is_told() -> None:
    assert findings(WELL) == []


@pytest.mark.parametrize(
    ("status", "level", "text"),
    [
        (
            plugin(problems=[PluginProblem("audit", "database", "it is full", NOW - 90)]),
            "warning",
            "plugin audit: database for 1 m 30 s: it is full",
        ),
        (
            connection(state="waiting", down_since=NOW - 3, why="connection refused"),
            "notice",
            "account main: not connected for 3 s (waiting): connection refused",
        ),
        (
            connection(counts=Counts(unreadable=1234, repeats=5)),
            "notice",
            (
                "account main: 1,234 messages could not be read in all fields; the log has the "
                "first of each kind"
            ),
        ),
        (
            connection(state="waiting", down_since=NOW - 72),
            "critical",
            "account main: not connected for 1 m 12 s (waiting)",
        ),
        (
            connection(protected=False),
            "critical",
            "UNPROTECTED: account main is not journalled, a crash would lose events",
        ),
        (
            host(pid=0, ready=False, since=NOW - 1, why="the host (main) process ended"),
            "notice",
            "host process main: down for 1 s: the host (main) process ended",
        ),
        (
            host(ready=False, since=NOW - 90),
            "critical",
            "host process main: starting for 1 m 30 s",
        ),
        (
            host(unreadable=[UnreadableJournal("main", "no permission", NOW)]),
            "critical",
            "host process main: the events of account main wait, since its journal can't be read",
        ),
        (
            host(cursors=[CursorState("main", 1, 1_001, 2.0)]),
            "critical",
            "host process main: 1,001 events of account main behind, the oldest for 2 s",
        ),
        (
            host(cursors=[CursorState("main", 1, 3, 61.0)]),
            "critical",
            "host process main: 3 events of account main behind, the oldest for 1 m 1 s",
        ),
        (
            host(call=CallStatus("audit", "on_fill", "main", 7, 2.0)),
            "notice",
            "main has been in on_fill of plugin audit with event 7 of account main for 2 s",
        ),
        (
            host(call=CallStatus("audit", "on_tick", "", 0, 12.0)),
            "warning",
            "main has been in on_tick of plugin audit for 12 s",
        ),
        (
            plugin(state="refused", active=False, why="it can't be imported", since=NOW - 60),
            "warning",
            "plugin audit: refused for 1 m: it can't be imported",
        ),
        (plugin(state="waiting", why="no database"), "warning", "plugin audit: waiting: no data"),
        (
            plugin(
                state="waiting",
                why="no database",
                attempts=1,
                next_try=NOW + 600,
                cursors=[CursorState("main", 1, 2_000, 300.0)],
            ),
            "warning",
            "plugin audit: waiting: no database; tried once, again in 600 s; 2,000 events wait",
        ),
        (
            connection(last_gap=LastGap("events were missed", NOW - 90)),
            "warning",
            "account main: gap 1 m 30 s ago: events were missed",
        ),
        (
            host(last_gap=LastGap("event 7 can't be delivered", NOW - 2)),
            "warning",
            "host process main: gap 2 s ago: event 7 can't be delivered",
        ),
        (plugin(dead_letters=7), "warning", "plugin audit: 7 dead letters"),
        (plugin(dropped_letters=7), "warning", "plugin audit: 7 events found no room among"),
        (
            replace(WELL, reload=ReloadState(1, 1, NOW, False, "no such plugin")),
            "warning",
            "the last reload failed: no such plugin",
        ),
        (
            host(usage=ProcessUsage(1, 820, 1024)),
            "warning",
            "host process main has 820 of 1,024 possible files open",
        ),
    ],
)
def test_what_is_wrong_is_told_with_how_bad_it_is(status: Status, level: str, text: str) -> None:
    (found,) = findings(status)
    assert found.level == level
    assert found.text.startswith(text)


@pytest.mark.parametrize(
    "since_then",
    [
        {"attempts": 2, "next_try": NOW + 600},
        {"attempts": 1, "next_try": NOW - 60},
        {"state": "running"},
        {"state": "refused"},
    ],
)
def test_events_that_wait_for_longer_than_the_plugin_asked_for_first_are_behind(
    since_then: dict[str, Any],
) -> None:
    cursors = [CursorState("main", 1, 3, 61.0)]
    status = plugin(**{"state": "waiting", "cursors": cursors, **since_then})
    assert findings(status)[0] == Finding(
        "critical", "plugin audit: 3 events of account main behind, the oldest for 1 m 1 s"
    )


def test_a_gap_is_a_warning_for_an_hour_or_as_long_as_the_user_says() -> None:
    status = connection(last_gap=LastGap("events were missed", NOW - 3_700))
    assert findings(status) == []
    assert [each.level for each in findings(status, Limits(gap_age=7_200))] == ["warning"]


def test_the_limits_are_the_users_and_the_worst_comes_first() -> None:
    status = replace(
        WELL,
        connections=[replace(CONNECTION, state="waiting", down_since=NOW - 20)],
        hosts=[replace(HOST, plugins=[replace(PLUGIN, dead_letters=3)])],
    )
    assert [each.level for each in findings(status)] == ["warning", "notice"]
    assert [each.level for each in findings(status, Limits(down=10, dead_letters=3))] == [
        "critical"
    ]
    assert all(isinstance(each, Finding) for each in findings(status))
