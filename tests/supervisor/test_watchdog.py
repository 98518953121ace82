"""Calls that do not end: when that is said, and when it is over."""

from __future__ import annotations

from qehost.storage.progress import HookCall
from qehost.supervisor.watchdog import CallTimer, Overdue


def call(seq: int = 7, since: float = 100.0, hook: str = "on_order") -> HookCall:
    return HookCall("audit", hook, "main", seq, since)


def kinds(watch: CallTimer, at: HookCall | None, times: list[float]) -> list[str]:
    found = [watch.look(at, now) for now in times]
    return ["" if each is None else each.what for each in found]


def test_a_slow_call_is_told_while_it_runs_and_again_when_it_took_twice_as_long() -> None:
    watch = CallTimer(slow=0.25, hang=0.0)
    times = [100.1, 101.0, 102.0, 103.0, 104.0, 105.0, 108.0]
    assert kinds(watch, call(), times) == ["", "slow", "slow", "", "slow", "", "slow"]


def test_a_plugin_that_is_slow_at_each_event_is_not_told_at_each() -> None:
    watch = CallTimer(slow=0.25, hang=0.0)
    told = [watch.look(call(seq, 100.0 + seq), 100.9 + seq) for seq in range(20)]
    assert [each is not None for each in told] == [True] + [False] * 19
    # But one that hangs then is told all the same.
    assert watch.look(call(20, 120.0), 160.0) is not None


def test_a_call_that_has_had_its_time_is_over() -> None:
    watch = CallTimer(slow=0.25, hang=3.0)
    found = [watch.look(call(), 100.0 + second) for second in range(5)]
    assert found[3] == Overdue("hung", call(), 3.0)
    assert found[2] is None or found[2].what == "slow"


def test_nobody_is_to_blame_for_the_time_in_which_the_whole_machine_stood_still() -> None:
    watch = CallTimer(slow=0.25, hang=60.0)
    watch.look(call(), 100.1)
    found = watch.look(call(), 1000.0)
    assert found is not None
    assert found.what == "slow"


def test_opening_and_closing_may_take_longer() -> None:
    watch = CallTimer(slow=0.25, hang=0.0)
    assert kinds(watch, call(0, hook="on_start"), [101.0, 109.0, 111.0]) == ["", "", "slow"]


def test_between_calls_there_is_nothing_to_tell() -> None:
    assert kinds(CallTimer(0.25, 1.0), None, [0.0, 100.0]) == ["", ""]
