"""The fault campaign in short: nothing unannounced, nothing unmarked, and its judge is no fool.

`python benchmarks/campaign.py` is the long form.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from campaign import Call, judge  # noqa: E402


def test_a_dozen_faults_lose_nothing_unannounced_and_double_nothing_unmarked() -> None:
    seed = os.environ.get("QEHOST_TEST_CAMPAIGN_SEED", "1")
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "campaign.py"), "--faults", "12", "--seed", seed],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for row in ("kills | 10", "other faults | 2", "unannounced | 0", "unmarked | 0"):
        assert f"{row} |" in done.stdout


def call(seq: int, number: int, kind: str = "status", *, again: bool = False) -> Call:
    return Call(1, float(seq), seq, again, kind, number, 0)


TOLD = [call(1, 0, "connected"), call(2, 1), call(3, 2), call(4, 3)]


@pytest.mark.parametrize(
    ("calls", "lost", "messages", "doubled"),
    [
        ([*TOLD, call(5, 4)], [], [], []),
        ([*TOLD, call(6, 4)], [5], [], []),  # an event that nobody got
        ([*TOLD, Call(1, 5.0, 0, False, "gap", 5, 5), call(6, 5)], [], [], []),
        ([*TOLD, call(5, 5)], [], [4], []),  # a message of an unbroken stream
        ([*TOLD, call(5, 0, "connected"), call(6, 5)], [], [], []),
        ([*TOLD, call(4, 3)], [], [4], [4]),
        ([*TOLD, call(4, 3, again=True), call(5, 4)], [], [], []),
    ],
)
def test_the_judge_sees_what_is_lost_and_what_is_doubled(
    calls: list[Call], lost: list[int], messages: list[int], doubled: list[int]
) -> None:
    outcome = judge(calls, 5, [])
    assert outcome.lost == lost
    assert outcome.lost_messages == messages
    assert outcome.doubled == doubled


def test_the_longest_stall_is_named_with_what_struck_before_it() -> None:
    calls = [*TOLD, Call(1, 9.0, 5, False, "status", 4, 0)]
    outcome = judge(calls, 5, [(4.5, "kill host"), (30.0, "reload")])
    assert (outcome.stall, outcome.stall_after) == (5.0, "kill host")
