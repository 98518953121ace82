"""What the status says that no event does."""

from __future__ import annotations

from typing import Any

import pytest
from qehost import (
    CallStatus,
    ConnectionState,
    CursorState,
    HostState,
    PluginProblem,
    PluginState,
    Status,
)

from qehost_notify.notice import Notice
from qehost_notify.settings import Rule
from qehost_notify.watching import Memory, Watch

NOW = 1_000_000.0
ALL = Rule(when=["disconnected", "dead_letter", "problem"])


def plugin(**own: Any) -> PluginState:
    fields = {"name": "store", "active": True, "calls": 1, "errors": 0, "busy": 0.0}
    figures = {"p50": 0.0, "p99": 0.0, "slowest": 0.0, "dead_letters": 0}
    return PluginState(**{**fields, **figures, **own})


def host(*plugins: PluginState, **own: Any) -> HostState:
    fields = {"name": "main", "pid": 5, "ready": True, "restarts": 0, "cursors": [], "call": None}
    return HostState(**{**fields, "plugins": list(plugins), **own})


def link(state: str = "connected", **own: Any) -> ConnectionState:
    fields = {"account": "main", "pid": 6, "state": state, "since": NOW - 500, "restarts": 0}
    figures = {"reconnects": 0, "last_message": NOW, "last_pong": NOW, "last_seq": 9}
    rest = {"protected": True, "journal_bytes": 1}
    return ConnectionState(**{**fields, **figures, **rest, **own})


def status(*hosts: HostState, links: tuple[ConnectionState, ...] = (), **own: Any) -> Status:
    fields = {"version": "1", "pid": 4, "started_at": NOW - 900, "written_at": NOW, "ended": ""}
    return Status(**{**fields, "connections": list(links), "hosts": list(hosts), **own})


class Watching:
    """A `Watch` with its memory."""

    def __init__(self, *rules: Rule) -> None:
        self.watch = Watch("notify", rules or (ALL,), down=60.0, stuck=30.0)
        self.memory = Memory()

    def __call__(self, seen: Status, now: float = NOW) -> list[Notice]:
        return [notice for _, notice in self.watch.look(seen, self.memory, now)]


@pytest.fixture
def look() -> Watching:
    return Watching()


def test_all_is_well(look: Watching) -> None:
    assert look(status(host(plugin()), links=(link(),))) == []


def test_a_stream_that_stays_down_is_told_once(look: Watching) -> None:
    down = status(links=(link("waiting", down_since=NOW - 59, why="refused"),))
    assert look(down) == []
    (notice,) = look(down, NOW + 1)
    assert (notice.when, notice.account, notice.facts["reason"]) == (
        "disconnected",
        "main",
        "refused",
    )
    assert look(down, NOW + 2) == []
    assert look(status(links=(link(),)), NOW + 3) == []  # that it is back an event tells


def test_a_rule_may_wait_longer() -> None:
    look = Watching(Rule(when=["disconnected"], after="5m"))
    down = status(links=(link("waiting", down_since=NOW - 299),))
    assert look(down) == []
    assert len(look(down, NOW + 1)) == 1


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (status(host(plugin(state="refused", why="no module", since=NOW))), "refused"),
        (status(host(plugin(state="down", since=NOW - 6))), "down"),
        (status(host(plugin(state="waiting", since=NOW - 31, why="database"))), "waiting"),
        (status(host(plugin(state="starting", since=NOW - 31))), "starting"),
        (status(host(plugin(problems=[PluginProblem("store", "k", "full", NOW)]))), "told"),
        (status(host(call=CallStatus("slow", "on_fill", "main", 7, 31.0))), "stuck"),
        (status(host(cursors=[CursorState("main", 3, 40, 31.0)])), "behind"),
        (status(links=(link(protected=False),)), "unprotected"),
        (status(written_at=NOW - 11), "supervisor"),
    ],
)
def test_a_problem_is_told_once_and_so_is_its_end(look: Watching, seen: Status, code: str) -> None:
    (began,) = look(seen)
    assert (began.when, began.facts["code"], began.facts.get("over")) == ("problem", code, None)
    assert look(seen) == []
    (ended,) = look(status(host(plugin()), links=(link(),)))
    assert (ended.facts["code"], ended.facts["over"]) == (code, "yes")


def test_a_restart_of_a_process_is_no_problem(look: Watching) -> None:
    assert look(status(host(plugin(state="down", since=NOW - 2)))) == []
    assert look(status(host(plugin(state="starting", since=NOW - 2)))) == []


def test_new_dead_letters_are_told_with_their_count_and_not_those_of_before(look: Watching) -> None:
    assert look(status(host(plugin(dead_letters=3)))) == []
    (notice,) = look(status(host(plugin(dead_letters=5))))
    assert (notice.when, notice.facts["count"], notice.facts["all"]) == ("dead_letter", "2", "5")
    assert look(status(host(plugin(state="down", since=NOW)))) == []
    assert look(status(host(plugin(dead_letters=5)))) == []


def test_its_own_failing_targets_are_not_told_to_them(look: Watching) -> None:
    own = plugin(name="notify", problems=[PluginProblem("notify", "k", "404", NOW)])
    assert look(status(host(own))) == []


def test_the_end_of_a_run_is_no_problem(look: Watching) -> None:
    assert look(status(ended="stopped by SIGTERM", written_at=NOW - 99)) == []


def test_nothing_is_told_anew_after_a_restart(look: Watching) -> None:
    seen = status(host(plugin(state="refused", since=NOW)))
    assert len(look(seen)) == 1
    again = Watching()
    again.memory = look.memory
    assert again(seen) == []


def test_what_is_wrong_is_not_over_because_the_supervisor_is_stuck(look: Watching) -> None:
    broken = host(plugin(state="refused", since=NOW))
    assert len(look(status(broken))) == 1
    (notice,) = look(status(broken, written_at=NOW - 11))
    assert notice.facts["code"] == "supervisor"
    (notice,) = look(status(broken))
    assert (notice.facts["code"], notice.facts["over"]) == ("supervisor", "yes")


def test_a_process_that_dies_again_and_again_is_told_once(look: Watching) -> None:
    assert len(look(status(host(plugin(state="down", since=NOW - 6))))) == 1
    assert look(status(host(plugin(state="starting", since=NOW)))) == []
    assert look(status(host(plugin(state="down", since=NOW)))) == []
    (notice,) = look(status(host(plugin())))
    assert (notice.facts["code"], notice.facts["over"]) == ("down", "yes")


def test_a_call_that_hangs_is_told_and_not_that_its_process_is_behind(look: Watching) -> None:
    behind = [CursorState("main", 3, 40, 31.0)]
    assert [each.facts["code"] for each in look(status(host(cursors=behind)))] == ["behind"]
    call = CallStatus("slow", "on_fill", "main", 7, 31.0)
    (notice,) = look(status(host(cursors=behind, call=call)))
    assert (notice.facts["code"], notice.facts.get("over")) == ("stuck", None)
    fresh = Watching()
    (notice,) = fresh(status(host(cursors=behind, call=call)))
    assert notice.facts["code"] == "stuck"
