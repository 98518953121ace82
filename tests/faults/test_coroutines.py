"""Plugins with `async def` hooks: real processes, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from promise import Numbers, check, dead_letters, last_seq
from reloading import FRESH, reload
from running import QEHOST, QUICK, Run

from qehost.simulator import Venue

# `long` in the working folder: each event takes two seconds; `held`: as long as that exists;
# `stuck`: for ever; `down`: Retry.
SINK = """
import asyncio
import contextvars
import os
import sys
import msgspec
import qehost

FILE = os.open("sink.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
STARTED = contextvars.ContextVar("started")

def note(hook, event=None, **more):
    line = {"hook": hook, "seq": event.seq if event else 0, **more}
    if event:
        line |= {"attempt": event.attempt, "again": event.redelivered}
    os.write(FILE, msgspec.json.encode(line) + b"\\n")

class Sink:
    async def on_start(self, context):
        self.task = asyncio.current_task()
        self.group = await asyncio.TaskGroup().__aenter__()
        self.beats = 0
        self.beating = self.group.create_task(self.beat())
        STARTED.set(context.plugin)
        await asyncio.sleep(0.01)
        note("on_start")

    async def beat(self):
        while True:
            self.beats += 1
            await asyncio.sleep(0.01)

    async def on_connected(self, event):
        await self.write("on_connected", event)

    async def on_status(self, event):
        await self.write("on_status", event)

    async def on_disconnected(self, event):
        await self.write("on_disconnected", event)

    async def write(self, hook, event):
        note("begin", event)
        await asyncio.sleep(2.0 if os.path.exists("long") else 0.001)
        while os.path.exists("held"):
            await asyncio.sleep(0.01)
        if os.path.exists("stuck"):
            await self.answer()
        if os.path.exists("down"):
            raise qehost.Retry(0.1, "the database is down")
        if os.path.exists("bad"):
            raise ValueError("no such table")
        assert STARTED.get() == "sink" and asyncio.current_task() is self.task
        note(hook, event)

    async def answer(self):
        await asyncio.Event().wait()  # the line where it waits

    async def on_stop(self, reason):
        self.beating.cancel()
        await self.group.__aexit__(None, None, None)
        note("on_stop", beats=self.beats)
"""
WITNESS = """
import sys

def on_status(event):
    with open("modules", "a") as file:
        print("asyncio" in sys.modules, file=file)
"""


@pytest.fixture(autouse=True)
def sink(tmp_path: Path) -> None:
    (tmp_path / "sink.py").write_text(SINK)


def calls(folder: Path, hook: str = "") -> list[dict[str, Any]]:
    try:
        lines = (folder / "sink.jsonl").read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    found = [json.loads(line) for line in lines]
    return [call for call in found if hook in ("", call["hook"])]


def done(folder: Path) -> list[int]:
    hooks = ("on_connected", "on_status", "on_disconnected")
    return [call["seq"] for call in calls(folder) if call["hook"] in hooks]


def start(folder: Path, venue: Venue, **settings: object) -> Run:
    return Run(folder, "-p", "sink:Sink", venue=venue, settings={**QUICK, **settings}, env=FRESH)


def test_hooks_are_called_in_order_in_one_task_from_start_to_stop(
    tmp_path: Path, venue: Venue
) -> None:
    with start(tmp_path, venue) as run:
        run.wait_for(lambda: done(tmp_path), "a connection")
        numbers = Numbers(venue, rate=1)
        numbers.push(100)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        assert dead_letters(run) == []
    # At the orderly end all of them are delivered, and in order.
    assert done(tmp_path) == list(range(1, last_seq(run) + 1))
    (stopped,) = calls(tmp_path, "on_stop")
    assert stopped["beats"] > 1
    assert not any(call["again"] for call in calls(tmp_path, "on_status"))


def test_the_plain_plugins_of_its_process_wait_for_no_coroutine(
    tmp_path: Path, venue: Venue
) -> None:
    with start(tmp_path, venue) as run:
        run.wait_for(lambda: done(tmp_path), "a connection")
        (tmp_path / "held").touch()
        numbers = Numbers(venue, rate=1)
        numbers.push(30)
        # All of them, while the first is being awaited.
        numbers.wait_for_all(run)
        assert done(tmp_path) == [1]
        (tmp_path / "held").unlink()
        run.wait_for(lambda: last_seq(run) in done(tmp_path), "its events")
        assert run.stop() == 0
        check(run)
    assert done(tmp_path) == list(range(1, last_seq(run) + 1))


def test_retries_and_failures_are_those_of_plain_plugins(tmp_path: Path, venue: Venue) -> None:
    with start(tmp_path, venue) as run:
        run.wait_for(lambda: done(tmp_path), "a connection")
        (tmp_path / "down").touch()
        numbers = Numbers(venue, rate=1)
        numbers.push(3)
        run.wait_for(lambda: len(calls(tmp_path, "begin")) > 4, "several tries")
        run.wait_for_line("plugin sink waits in on_status at event 2 of account main: the datab")
        (tmp_path / "down").unlink()
        run.wait_for(lambda: last_seq(run) in done(tmp_path), "its events")
        (tmp_path / "bad").touch()
        numbers.push(1)
        run.wait_for(lambda: dead_letters(run), "a dead letter")
        (letter,) = dead_letters(run)
        assert (letter.plugin, letter.seq, letter.hook) == ("sink", 5, "on_status")
        assert "ValueError: no such table" in letter.detail
        (tmp_path / "bad").unlink()
        command = [*QEHOST, "journal", "dead-letters", "--retry", "all"]
        subprocess.run([*command, "--state-dir", str(run.state)], check=True, capture_output=True)
        run.wait_for(lambda: dead_letters(run)[0].state == "delivered", "the letter")
        assert done(tmp_path)[-1] == 5
        assert reload(run).returncode == 0
        assert run.stop() == 0
        check(run)
    attempts = [call["attempt"] for call in calls(tmp_path, "begin") if call["seq"] == 2]
    assert attempts == list(range(1, len(attempts) + 1))
    assert len(calls(tmp_path, "on_stop")) == 2


def test_without_a_hang_timeout_no_await_is_cancelled(tmp_path: Path, venue: Venue) -> None:
    (tmp_path / "long").touch()
    with start(tmp_path, venue, **{"host.hang_timeout": 0}) as run:
        # Longer than the second between two looks for what takes too long.
        run.wait_for(lambda: done(tmp_path), "the end of an await")
        (tmp_path / "long").unlink()
        assert run.stop() == 0
        assert dead_letters(run) == []


def test_an_await_past_hang_timeout_is_a_dead_letter_with_the_line_where_it_waited(
    tmp_path: Path, venue: Venue
) -> None:
    # A machine that is busy for a second is no reason to cancel the others.
    with start(tmp_path, venue, **{"host.hang_timeout": 6}) as run:
        run.wait_for(lambda: done(tmp_path), "a connection")
        (tmp_path / "stuck").touch()
        numbers = Numbers(venue, rate=1)
        numbers.push(1)
        run.wait_for(lambda: dead_letters(run), "a dead letter")
        (tmp_path / "stuck").unlink()
        numbers.push(1)
        numbers.wait_for_all(run)
        run.wait_for(lambda: last_seq(run) in done(tmp_path), "the next event")
        assert run.stop() == 0
        check(run)
        assert len(run.records("on_start")) == 1
    (letter,) = dead_letters(run)
    line = next(n for n, text in enumerate(SINK.split("\n"), 1) if "the line where" in text)
    assert f"in answer (sink.py:{line})" in letter.detail
    assert "TimeoutError: cancelled after" in letter.detail


def test_a_process_that_dies_while_it_awaits_brings_the_event_again_marked(
    tmp_path: Path, venue: Venue
) -> None:
    with start(tmp_path, venue) as run:
        run.wait_for(lambda: done(tmp_path), "a connection")
        (tmp_path / "held").touch()
        numbers = Numbers(venue, rate=1)
        numbers.push(3)
        numbers.wait_for_all(run)
        run.wait_for(lambda: len(calls(tmp_path, "begin")) == 2, "the call")
        os.kill(run.pids()["host main"], signal.SIGKILL)
        (tmp_path / "held").unlink()
        run.wait_for(lambda: last_seq(run) in done(tmp_path), "its events")
        assert run.stop() == 0
        check(run)
    assert done(tmp_path) == list(range(1, last_seq(run) + 1))
    assert [call["again"] for call in calls(tmp_path, "begin") if call["seq"] == 2] == [False, True]


def test_without_a_coroutine_asyncio_is_not_imported(tmp_path: Path, venue: Venue) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"witness": WITNESS}) as run:
        run.wait_for(lambda: run.records("on_connected"), "a connection")
        numbers = Numbers(venue, rate=1)
        numbers.push(1)
        numbers.wait_for_all(run)
        assert run.stop() == 0
    assert (tmp_path / "modules").read_text() == "False\n"
