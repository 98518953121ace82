"""The benchmarks run, print every figure that the documents speak of, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from qehost.connection.frames import FrameParser
from qehost.events.codec import expand
from qehost.events.pipeline import Pipeline

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = ("--runs", "1", "--messages", "2000", "--seconds", "0.1", "--idle", "0.1")
PATIENCE = 60.0

FORMS = {"mixed", "V1", "V2", "whole seconds", "orders seen once", "long-lived orders"}
WHOLE_PROGRAM = {
    "throughput",
    *(f"throughput, {form}" for form in FORMS),
    *(
        f"latency at {rate}/s{spin}, {share}"
        for rate in (500, 5000)
        for spin in ("", " with host.spin")
        for share in ("p50", "p99")
    ),
    "start to first message",
    "qehost --help",
}


def rows_of(printed: str) -> dict[str, dict[str, dict[str, Any]]]:
    """By section and name."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in json.loads(printed)["figures"]:
        found.setdefault(row["section"], {})[row["name"]] = row
    return found


def figures(script: str) -> dict[str, dict[str, dict[str, Any]]]:
    ended = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *SMALL, "--json"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 0, ended.stderr
    return rows_of(ended.stdout)


def test_one_command_measures_everything(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    ended = subprocess.run(
        [sys.executable, str(BENCHMARKS), *SMALL, "--json", str(file)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    written = file.read_text(encoding="utf-8")
    sections = rows_of(written)
    names = {section: set(rows) for section, rows in sections.items()}
    assert names["whole program"] >= WHOLE_PROGRAM
    whole = sections["whole program"]
    # It is that of the form in which least is gained.
    ratios = {form: whole[f"throughput, {form}"]["ratio"] or 0.0 for form in FORMS}
    assert (whole["throughput"]["ratio"] or 0.0) == min(ratios.values())
    assert names["beside a plugin that sleeps 50 ms a call"] >= {
        "throughput of the others",
        "latency at 500/s, p99",
        "throughput / undisturbed",
    }
    assert names["memory and idling"] >= {
        "memory after the start",
        "memory after 2,000 messages",
        "memory after 6,000 messages, connection process",
    }
    assert names["plugins"] >= {"1 plugin: throughput", "10 plugins: throughput"}
    assert names["accounts"] >= {"1 account: memory", "20 accounts: throughput of all"}
    assert names["layers"] == {
        *("frames", "decode", "orders and duplicates", "encode", "journal", "queue"),
        *("build events", "dispatch", "sum of the layers", "text to message"),
    }
    for row in json.loads(written)["figures"]:
        assert row["name"] in ended.stdout
        assert len(row["runs"]) == 1
        assert row["qehost"] >= 0
    if sys.platform == "linux":  # elsewhere the system does not keep such books
        assert 0 < sections["whole program"]["CPU of a message, host process"]["qehost"] < 1000
        assert "idle CPU" in names["memory and idling"]
    assert json.loads(written)["seconds"] > 0
    machine = json.loads(written)["machine"]
    assert machine.keys() >= {"python", "system", "cores", "load", "qe-connector", "memory"}
    if machine["qe-connector"] is None:
        assert "-m pip install -e . qe-connector" in ended.stdout


def test_decoding_is_measured_for_each_form() -> None:
    rows = figures("decode.py")["decoding"]
    assert {"decode V2", "decode V1", "decode mixed"} < set(rows)
    assert {f"Pipeline.feed {form}" for form in FORMS} < set(rows)
    assert all(row["qehost"] > 0 for row in rows.values())


def test_the_state_of_all_orders_is_measured_from_the_event_to_the_dump() -> None:
    rows = figures("blotter.py")["blotter"]
    assert set(rows) == {
        *("exact figures of an event", "fold an event", "add an event"),
        *("read and fold a journal file", "dump child orders", "load child orders"),
    }


def test_dispatch_is_measured_beside_pluggy_for_1_3_and_10_plugins() -> None:
    script = str(BENCHMARKS / "dispatch.py")
    printed = subprocess.check_output(
        [sys.executable, script, "--runs", "1", "--json"], timeout=PATIENCE
    )
    costs = json.loads(printed)
    assert [cost["plugins"] for cost in costs] == [1, 3, 10]
    assert all(cost["qehost"] > cost["bare"] > 0 and cost["pluggy"] > 0 for cost in costs)


def test_every_message_comes_from_the_socket_to_the_handler_of_a_program() -> None:
    rows = figures("service.py")["inside a program"]
    assert set(rows) == {
        *("latency at 500/s, p50", "latency at 500/s, p99", "throughput", "close()"),
    }


def test_many_messages_are_sent_in_parts_and_memory_is_told_after_each() -> None:
    ended = subprocess.run(
        [
            *(sys.executable, str(BENCHMARKS / "memory.py"), "--json"),
            *("--messages", "9000", "--every", "4000"),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines()[-1].split()[:2] == ["second", "half"]
    counts = [row["count"] for row in rows_of(ended.stdout)["long run"].values()]
    assert counts == [count for count in (0, 4_000, 8_000) for _ in range(4)]


def test_repeated_messages_and_those_of_other_forms_are_fresh_and_bring_as_many_fills(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import corpus

    assert corpus.FORMS.keys() == FORMS
    block, rounds = 3_000, 3
    pipeline = Pipeline("main")
    for form in corpus.FORMS:
        frames = corpus.Frames(block, form)
        found = []
        for number in range(rounds):
            (piece,) = frames.joined(number * block, block, 1 << 24)
            assert piece == b"".join(frames.single(number * block, block))
            texts = [item for item in FrameParser(1 << 24).feed(piece) if isinstance(item, str)]
            assert len(texts) == block
            events = expand(pipeline.feed(texts, time.time_ns()))
            assert not any(event.redelivered or event.stale for event in events)
            found.append(Counter((event.kind, event.origin) for event in events))
        assert found == [found[0]] * rounds, form
        assert found[0]["fill", "stream" if form == "V1" else "derived"] > 100


def test_a_program_that_ends_is_told_with_its_log() -> None:
    ended = subprocess.run(
        [sys.executable, str(BENCHMARKS / "pipeline.py"), *SMALL],
        env={**os.environ, "QEHOST_JOURNAL__KEEP": "nonsense"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1
    assert "not measured: qehost has ended with 4" in ended.stderr
    assert "journal.keep" in ended.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_of_a_run_that_is_broken_off(number: int, tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, str(BENCHMARKS / "pipeline.py"), "--seconds", "60"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not (begun := list(tmp_path.glob("*/state/status.json"))):
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        pid = json.loads(begun[0].read_text())["pid"]
        running.send_signal(number)
        assert running.wait(PATIENCE) == 128 + number
    finally:
        running.kill()
        running.communicate()
    assert not list(tmp_path.iterdir())
    assert not [entry for entry in Path("/proc").glob("[0-9]*") if session(entry) == pid]


def session(process: Path) -> int:
    """Of a process that runs, by its folder in /proc; 0: it does not."""
    try:
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        return 0 if state == "Z" else os.getsid(int(process.name))
    except (FileNotFoundError, ProcessLookupError):
        return 0
