"""The benchmarks run, and print every figure that the documents speak of."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def figures(script: str, *options: str) -> dict[str, Any]:
    """The rows by name, of as short a run as there can be."""
    ended = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), "--runs", "1", "--json", *options],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    return {row["name"]: row for row in json.loads(ended.stdout)["figures"]}


def test_decoding_is_measured_for_each_form() -> None:
    rows = figures("decode.py", "--messages", "200")
    assert set(rows) == {"decode V2", "decode V1", "decode mixed", "Pipeline.feed mixed"}
    assert all(row["qehost"] > 0 for row in rows.values())


def test_dispatch_is_measured_beside_pluggy_for_1_3_and_10_plugins() -> None:
    script = str(BENCHMARKS / "dispatch.py")
    printed = subprocess.check_output(
        [sys.executable, script, "--runs", "1", "--json"], timeout=100
    )
    costs = json.loads(printed)
    assert [cost["plugins"] for cost in costs] == [1, 3, 10]
    assert all(cost["qehost"] > cost["bare"] > 0 and cost["pluggy"] > 0 for cost in costs)


def test_every_message_comes_from_the_socket_to_the_hook_and_is_timed() -> None:
    rows = figures("pipeline.py", "--messages", "3000", "--seconds", "0.2")
    assert set(rows) == {
        "throughput",
        "latency at 500/s, p50",
        "latency at 500/s, p99",
        "latency at 5000/s, p50",
        "latency at 5000/s, p99",
        "qehost --help",
    }
    assert all(row["qehost"] > 0 for row in rows.values())
