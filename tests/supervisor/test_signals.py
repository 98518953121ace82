"""Signals are kept until somebody looks, and none ends the program in the middle of something."""

from __future__ import annotations

import os
import select
import signal

import pytest
from waiting import PATIENCE, wait_for

from qehost.supervisor.signals import Signals


def test_each_is_noted_and_wakes_who_waits() -> None:
    signals = Signals()
    signals.supervised = True
    with signals.caught():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
        wait_for(lambda: len(signals.stops) == 2 and signals.reload, "the signals")
        assert select.select([signals.wake], [], [], PATIENCE)[0]
    assert signals.stops == [signal.SIGINT, signal.SIGTERM]


def test_ctrl_c_is_left_to_a_debugger_and_nothing_else_is() -> None:
    signals = Signals()
    signals.supervised, signals.interruptible = True, False
    with signals.caught():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)
    assert (signals.stops, signals.reload) == ([signal.SIGTERM], True)


def test_a_signal_that_comes_twice_within_half_a_second_is_one_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signals = Signals()
    signals.supervised = True
    now = [100.0]
    monkeypatch.setattr("qehost.supervisor.signals.time.monotonic", lambda: now[0])
    with signals.caught():
        for at, expected in ((100.0, 1), (100.4, 1), (101.0, 2)):
            now[0] = at
            signal.raise_signal(signal.SIGTERM)
            assert len(signals.stops) == expected
        signal.raise_signal(signal.SIGINT)  # another one is another order
    assert signals.stops == [signal.SIGTERM, signal.SIGTERM, signal.SIGINT]


def test_before_anybody_looks_the_end_comes_at_once_and_a_reload_is_kept() -> None:
    signals = Signals()
    with signals.caught():
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(lambda: signals.reload, "the signal")
        with pytest.raises(SystemExit) as caught:
            signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 0


def test_afterwards_the_handlers_are_those_of_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)]
    with Signals().caught():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)] == before
