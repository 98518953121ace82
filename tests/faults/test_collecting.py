"""A plugin that collects its events: real processes, real signals."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from promise import Numbers, check, dead_letters, last_seq
from reloading import FRESH, reload
from running import QUICK, Run

from qehost.simulator import Venue

SINK = """
import os
import msgspec

FILE = os.open("sink.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

class Sink:
    max_wait = 3600.0

    def on_start(self):
        self.note("on_start")

    def on_batch(self, events):
        if os.path.exists("die"):
            os.unlink("die")
            self.note("dies", events)
            os.kill(os.getpid(), 9)
        self.note("on_batch", events)

    def note(self, hook, events=()):
        seqs = [(e.seq, e.redelivered) for e in events]
        os.write(FILE, msgspec.json.encode({"hook": hook, "events": seqs}) + b"\\n")
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "sink.py").write_text(SINK)
    return "[plugins.sink]\nmax_events = 50\n"


def calls(folder: Path, hook: str = "on_batch") -> list[list[Any]]:
    try:
        lines = (folder / "sink.jsonl").read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    found = [json.loads(line) for line in lines]
    return [call["events"] for call in found if call["hook"] == hook]


def numbers_of(batches: list[list[Any]]) -> list[int]:
    return [seq for batch in batches for seq, _ in batch]


def start(folder: Path, venue: Venue, config: str) -> Run:
    return Run(folder, "-p", "sink:Sink", venue=venue, settings=QUICK, env=FRESH, config=config)


def test_full_batches_go_to_the_sink_and_the_others_get_each_event_at_once(
    tmp_path: Path, venue: Venue, config: str
) -> None:
    with start(tmp_path, venue, config) as run:
        run.wait_for(lambda: run.records("on_connected"), "a connection")
        numbers = Numbers(venue, rate=1)
        numbers.push(40)
        # All of them are with the recorder, in the same process, before the batch is full.
        numbers.wait_for_all(run)
        assert calls(tmp_path) == []
        numbers.push(80)
        numbers.wait_for_all(run)
        run.wait_for(lambda: len(calls(tmp_path)) == 2, "two batches")
        assert [len(batch) for batch in calls(tmp_path)] == [50, 50]
        assert run.stop() == 0
        check(run)
    # What was not full is delivered at an orderly end.
    assert numbers_of(calls(tmp_path)) == list(range(1, last_seq(run) + 1))


def test_a_batch_that_is_not_full_is_delivered_when_it_is_old_enough(
    tmp_path: Path, venue: Venue, config: str
) -> None:
    with start(tmp_path, venue, f"{config}max_wait = 0.5\n") as run:
        run.wait_for(lambda: run.records("on_connected"), "a connection")
        numbers = Numbers(venue, rate=1)
        # So that they come in one batch at least, however slowly they are sent.
        os.kill(run.pids()["host main"], signal.SIGSTOP)
        numbers.push(5)
        run.wait_for(lambda: last_seq(run) == 6, "the journal")
        os.kill(run.pids()["host main"], signal.SIGCONT)
        numbers.wait_for_all(run)
        # Nothing more comes.
        run.wait_for(lambda: len(numbers_of(calls(tmp_path))) == last_seq(run), "its events")
        assert len(calls(tmp_path)) < last_seq(run)
        assert run.stop() == 0


def test_a_kill_while_a_batch_is_collected_loses_nothing_and_leaves_no_doubt(
    tmp_path: Path, venue: Venue, config: str
) -> None:
    with start(tmp_path, venue, config) as run:
        run.wait_for(lambda: run.records("on_connected"), "a connection")
        numbers = Numbers(venue, rate=1)
        for number in range(3):
            numbers.push(14)
            numbers.wait_for_all(run)
            os.kill(run.pids()["host main"], signal.SIGKILL)
            run.wait_for(lambda n=number: len(run.records("on_start")) == n + 2, "a new one")
        assert calls(tmp_path) == []
        numbers.push(20)
        numbers.wait_for_all(run)
        run.wait_for(lambda: calls(tmp_path), "a batch")
        assert reload(run).returncode == 0
        numbers.push(3)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        assert dead_letters(run) == []
    batches = calls(tmp_path)
    assert len(batches[0]) == 50
    assert numbers_of(batches) == list(range(1, last_seq(run) + 1))
    assert not any(again for batch in batches for _, again in batch)


def test_kills_lose_none_of_the_events_that_a_filter_lets_through(
    tmp_path: Path, venue: Venue, config: str
) -> None:
    with start(tmp_path, venue, f'{config}kinds = ["status"]\n') as run:
        run.wait_for(lambda: run.records("on_connected"), "a connection")
        numbers = Numbers(venue, rate=1)
        for number in range(3):
            numbers.push(40)
            numbers.wait_for_all(run)
            os.kill(run.pids()["host main"], signal.SIGKILL)
            run.wait_for(lambda n=number: len(run.records("on_start")) == n + 2, "a new one")
        assert run.stop() == 0
        check(run)
        assert dead_letters(run) == []
    batches = calls(tmp_path)
    told = {record["seq"] for record in run.records("on_status")}
    assert set(numbers_of(batches)) == told
    unmarked = [seq for batch in batches for seq, again in batch if not again]
    assert unmarked == sorted(set(unmarked))
    assert max(len(batch) for batch in batches) <= 50


def test_a_kill_in_the_batch_brings_all_of_it_again_marked(
    tmp_path: Path, venue: Venue, config: str
) -> None:
    with start(tmp_path, venue, config) as run:
        run.wait_for(lambda: run.records("on_connected"), "a connection")
        numbers = Numbers(venue, rate=1)
        (tmp_path / "die").touch()
        numbers.push(60)
        numbers.wait_for_all(run)
        (cut_off,) = run.wait_for(lambda: calls(tmp_path, "dies"), "its death")
        run.wait_for(lambda: len(run.records("on_start")) >= 2, "a new process")
        run.wait_for(lambda: set(numbers_of(calls(tmp_path))) >= set(range(1, 51)), "the batch")
        assert run.stop() == 0
        check(run)
    batches = calls(tmp_path)
    assert len(cut_off) == 50
    assert numbers_of(batches) == list(range(1, last_seq(run) + 1))
    assert [seq for batch in batches for seq, again in batch if again] == list(range(1, 51))
