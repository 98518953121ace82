"""What is slow or fails is logged once, then counted; and the figures of each plugin."""

from __future__ import annotations

import logging

import pytest

from qehost.errors import HookError
from qehost.host.call_statistics import CallStatistics


def test_a_failure_is_logged_once_and_its_repeats_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    statistics = CallStatistics(["sink", "view"], 1.0)
    error = ValueError("no")
    for seq in (1, 2, 3):
        statistics.note_failure(0, HookError("sink", "on_fill", "ValueError: no", seq), error)
    statistics.log_repeats(all_of_them=True)
    assert caplog.messages == [
        "plugin sink: on_fill raised at event 1: ValueError: no",
        "plugin sink: on_fill raised ValueError 2 more times",
    ]
    assert statistics.of(0, active=True).errors == 3
    assert statistics.of(1, active=True).errors == 0


def test_a_slow_call_is_named_but_for_those_that_open_and_close(
    caplog: pytest.LogCaptureFixture,
) -> None:
    statistics = CallStatistics(["sink"], 1.0)
    with caplog.at_level(logging.WARNING):
        for hook in ("on_start", "on_stop", "on_fill", "on_fill"):
            statistics.note_long(0, hook, 2 * 10**9)
        statistics.log_repeats(all_of_them=True)
    assert [text.split(" took")[0] for text in caplog.messages] == [
        "plugin sink: on_fill",
        "plugin sink: on_fill was slow 1 more time",
    ]
    assert statistics.of(0, active=False).slowest == 2 * 10**9
