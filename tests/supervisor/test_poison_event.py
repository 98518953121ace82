"""Whether an event killed the process, or only was there."""

from __future__ import annotations

import random
import signal

import pytest

from qehost.supervisor.poison_event import Death, Poison


def death(
    seq: int = 5,
    *,
    plugin: str = "sink",
    account: str = "main",
    code: int = -signal.SIGSEGV,
    elapsed: float = 0.001,
    hung: bool = False,
) -> Death:
    return Death(plugin, account, seq, code, elapsed, hung)


def verdicts(poison: Poison, *deaths: Death | None) -> list[bool]:
    return [poison.died(each) for each in deaths]


@pytest.mark.parametrize("code", [-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, 0, 1, 7])
def test_three_deaths_in_a_row_on_one_event_condemn_it(code: int) -> None:
    deaths = [death(code=code, elapsed=elapsed) for elapsed in (0.001, 5.0, 0.3)]
    assert verdicts(Poison(), *deaths) == [False, False, True]


@pytest.mark.parametrize("between", [death(6), death(plugin="other"), death(account="other"), None])
def test_a_death_elsewhere_begins_the_count_anew(between: Death | None) -> None:
    deaths = death(), death(), between, death(), death(), death()
    assert verdicts(Poison(), *deaths) == [False] * 5 + [True]


def test_two_neighbouring_events_are_condemned_one_after_the_other() -> None:
    deaths = [death(5)] * 3 + [death(6)] * 3
    assert verdicts(Poison(), *deaths) == [False, False, True, False, False, True]


def test_two_plugins_are_judged_on_one_event_each_for_itself() -> None:
    deaths = [death(plugin="a")] * 3 + [death(plugin="b")] * 3
    assert verdicts(Poison(), *deaths) == [False, False, True, False, False, True]


def test_a_verdict_that_could_not_be_carried_out_comes_again() -> None:
    assert verdicts(Poison(), *[death()] * 6) == [False, False, True] * 2


def test_sigkill_equally_long_into_each_call_is_the_events_doing() -> None:
    deaths = [death(code=-signal.SIGKILL, elapsed=elapsed) for elapsed in (3.1, 3.0, 3.25)]
    assert verdicts(Poison(), *deaths) == [False, False, True]


def test_kills_at_any_time_do_not_condemn_the_event_that_is_there() -> None:
    times = (0.1, 0.7, 0.4, 0.9, 0.2)
    deaths = [death(code=-signal.SIGKILL, elapsed=elapsed) for elapsed in times]
    assert not any(verdicts(Poison(), *deaths))


def test_no_event_stops_a_plugin_for_ever() -> None:
    times = (0.1, 0.7, 0.4, 0.9, 0.2, 0.5)
    deaths = [death(code=-signal.SIGKILL, elapsed=elapsed) for elapsed in times]
    assert verdicts(Poison(), *deaths) == [False] * 5 + [True]


def test_a_call_that_the_supervisor_had_to_end_is_the_events_doing() -> None:
    deaths = [
        death(code=-signal.SIGKILL, elapsed=elapsed, hung=True) for elapsed in (30.0, 31.0, 45.0)
    ]
    assert verdicts(Poison(), *deaths) == [False, False, True]


def test_random_kills_do_not_condemn_events_of_a_plugin_that_is_mostly_idle() -> None:
    """A hundred kills, of which one in fifty meets a call."""
    for seed in range(50):
        chance = random.Random(seed)
        poison, seq = Poison(), 1
        for _ in range(100):
            seq += chance.randrange(100)
            met = chance.random() < 0.02
            assert not poison.died(
                death(seq, code=-signal.SIGKILL, elapsed=chance.random() / 50) if met else None
            )
