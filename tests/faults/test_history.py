"""A plugin that keeps its state in memory is whole again after whatever ended its process.

Real processes, real signals, files that are really deleted.
"""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

from reloading import FRESH, reload
from running import QUICK, Run

from qehost.simulator import Venue
from qehost.storage.journal.layout import segments
from qehost.storage.journal.pruning import prune
from qehost.storage.state_folder import StateFolder

# Writes down what it knows of the past at its start, and in each hook of a status.
MEMORY = """
import os, json, threading, uuid

LIFE = uuid.uuid4().hex

def note(where, **more):
    with open("memory.jsonl", "a") as file:
        print(json.dumps({"life": LIFE, "where": where, **more}), file=file)

def told(history):
    events = list(history)
    return {
        "baseline": [[e.seq, e.message.master_order_id] for e in events if e.origin == "baseline"],
        "texts": [e.message for e in events if e.kind == "status"],
        "seqs": [e.seq for e in events if e.origin != "baseline"],
        "pruned_before": history.pruned_before,
    }

class Memory:
    def on_start(self, context):
        self.context = context
        note("start", **told(context.history("main")))

    def on_status(self, status, event):
        answers = []
        history = self.context.history("main")
        asking = threading.Thread(target=lambda: answers.append(told(history)))
        asking.start()
        asking.join()
        note("status", seq=event.seq, text=status, **answers[0])

plugin = Memory()
"""


def notes(folder: Path, where: str) -> list[dict[str, Any]]:
    file = folder / "memory.jsonl"
    # The last one may be on its way into the file.
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [note for line in lines if (note := json.loads(line))["where"] == where]


def send(venue: Venue, run: Run, folder: Path, text: str) -> None:
    """And wait until the plugin has had it."""
    message = {"type": "status", "messageId": text, "userId": "", "data": text}
    run.wait_for(lambda: venue.push(json.dumps(message)), "a stream")
    run.wait_for(lambda: text in [note["text"] for note in notes(folder, "status")], text)


def running(folder: Path, venue: Venue) -> Run:
    (folder / "memory.py").write_text(MEMORY)
    return Run(folder, "-p", "memory:plugin", venue=venue, settings=QUICK, env=FRESH)


def test_after_a_crash_a_reload_and_a_restart_it_knows_all_that_it_had(
    tmp_path: Path, venue: Venue
) -> None:
    with running(tmp_path, venue) as run:
        run.wait_for(lambda: run.records("on_connected"))
        for text in ("one", "two"):
            send(venue, run, tmp_path, text)
        starts = len(notes(tmp_path, "start"))
        os.kill(run.pids()["host main"], signal.SIGKILL)
        run.wait_for(lambda: len(notes(tmp_path, "start")) > starts, "a new process")
        send(venue, run, tmp_path, "three")
        reloaded = reload(run)
        assert reloaded.returncode == 0, reloaded.stderr
        send(venue, run, tmp_path, "four")
        assert run.stop() == 0
    with running(tmp_path, venue) as run:
        send(venue, run, tmp_path, "five")
        assert run.stop() == 0
    first, crashed, reloaded_start, restarted = notes(tmp_path, "start")
    assert first["texts"] == []
    assert crashed["texts"] in (["one", "two"], ["one"]), "the last one may come again, marked"
    assert reloaded_start["texts"] == ["one", "two", "three"]
    assert restarted["texts"] == ["one", "two", "three", "four"]
    # In a hook it ends with the event before, and has each of those.
    had: dict[str, dict[str, Any]] = {note["text"]: note for note in notes(tmp_path, "status")}
    assert had["five"]["texts"] == ["one", "two", "three", "four"]
    for note in had.values():
        assert note["seqs"] == list(range(1, note["seq"]))


def test_an_order_that_is_silent_for_longer_than_the_journal_is_kept_is_known_after_a_restart(
    tmp_path: Path, venue: Venue
) -> None:
    with running(tmp_path, venue) as run:
        run.wait_for(lambda: run.records("on_connected"))
        order = {
            "symbol": "BTCUSDT",
            "side": "buy",
            "status": "PROCESSING",
            "totalQuantity": "1",
            "updatedAt": "2026-01-02T03:04:05Z",
        }
        for status in ("PROCESSING", "COMPLETED"):
            one = {**order, "masterOrderId": f"{status}-1", "status": status}
            message = {
                "type": "master_data",
                "messageId": status,
                "userId": "",
                "data": json.dumps(one),
            }
            run.wait_for(partial(venue.push, json.dumps(message)), "a stream")
        send(venue, run, tmp_path, "one")
        assert run.stop() == 0
    for text in ("two", "three"):
        with running(tmp_path, venue) as run:
            send(venue, run, tmp_path, text)
            assert run.stop() == 0
    journal = StateFolder(run.state).journal("main")
    count = len(segments(journal))
    report = prune(journal, not_past_seq=10**6, keep_seconds=0)
    assert report.files == count - 1
    with running(tmp_path, venue) as run:
        send(venue, run, tmp_path, "four")
        assert run.stop() == 0
    start = notes(tmp_path, "start")[-1]
    assert [name for _, name in start["baseline"]] == ["PROCESSING-1"]
    assert start["pruned_before"] == report.last_seq + 1
    assert start["texts"] == ["three"]
    assert start["seqs"] == list(range(report.last_seq + 1, start["seqs"][-1] + 1))
