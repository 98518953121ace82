"""A plugin whose database is down waits, and its events with it; nobody else notices.

Real processes, real signals.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from promise import Numbers, check, dead_letters, last_seq
from reloading import FRESH, reload, witness
from running import QEHOST, QUICK, Run

from qehost.simulator import Venue

# Beside the recorder, in its process.  `down` in the working folder: the database is down.
SINK = """
import os
import msgspec
import qehost

FILE = os.open("sink.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

def note(hook, event, ok):
    line = dict(hook=hook, seq=event.seq, attempt=event.attempt, again=event.redelivered, ok=ok)
    os.write(FILE, msgspec.json.encode(line) + b"\\n")

class Sink:
    def on_start(self):
        if os.path.exists("down-at-start"):
            raise ConnectionRefusedError("no database yet")

    def on_connected(self, event):
        self.write("on_connected", event)

    def on_disconnected(self, event):
        self.write("on_disconnected", event)

    def on_status(self, event):
        self.write("on_status", event)

    def write(self, hook, event):
        down = os.path.exists("down")
        note(hook, event, not down)
        if down:
            raise qehost.Retry(after={PAUSE}, reason="the database is down")
"""
PAUSE = 0.2
"""Seconds between two tries."""


class Sink:
    """What the plugin noted."""

    def __init__(self, folder: Path) -> None:
        (folder / "sink.py").write_text(SINK.replace("{PAUSE}", str(PAUSE)))
        self._file = folder / "sink.jsonl"
        self._down = folder / "down"

    def go_down(self) -> None:
        self._down.touch()

    def come_back(self) -> None:
        self._down.unlink()

    def calls(self, **fields: object) -> list[dict[str, Any]]:
        try:
            # The last one may be on its way into the file.
            *lines, _ = self._file.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        calls = [msgspec.json.decode(line) for line in lines]
        return [call for call in calls if all(call[name] == v for name, v in fields.items())]

    def seqs(self) -> list[int]:
        """Of the calls that went well."""
        return [call["seq"] for call in self.calls(ok=True)]

    def check(self, last: int) -> None:
        """All events, in order, and nothing twice unmarked."""
        assert list(dict.fromkeys(self.seqs())) == list(range(1, last + 1))
        seen: set[int] = set()
        for call in self.calls():
            if call["seq"] in seen:
                assert call["again"] or call["attempt"] > 1, call
            seen.add(call["seq"])


@pytest.fixture
def sink(tmp_path: Path) -> Sink:
    return Sink(tmp_path)


def start(folder: Path, venue: Venue, **settings: object) -> Run:
    return Run(folder, "-p", "sink:Sink", venue=venue, settings={**QUICK, **settings}, env=FRESH)


def status(run: Run) -> dict[str, Any]:
    """What `qehost status --json` says of the plugin."""
    command = [*QEHOST, "status", "--json", "--state-dir", str(run.state)]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    plugins = [plugin for host in json.loads(text)["hosts"] for plugin in host["plugins"]]
    return next((plugin for plugin in plugins if plugin["name"] == "sink"), {})


def waiting(run: Run) -> dict[str, Any]:
    """The same, once it says that the plugin waits."""
    shown = status(run)
    return shown if shown.get("state") == "waiting" else {}


def test_its_events_wait_for_it_the_others_go_on_and_hang_timeout_does_not_strike(
    tmp_path: Path, venue: Venue, sink: Sink
) -> None:
    # Longer than a busy machine may let a process wait.
    hang_timeout = 15
    settings = {"host.hang_timeout": hang_timeout, "journal.keep_bytes": 2**30}
    with start(tmp_path, venue, **settings) as run:
        run.wait_for(lambda: sink.seqs(), "a connection")
        numbers = Numbers(venue, rate=1)
        sink.go_down()
        numbers.push(50)
        numbers.wait_for_all(run)
        tries = hang_timeout / PAUSE + 5
        run.wait_for(lambda: len(sink.calls(ok=False)) > tries, "more tries than it has time")
        shown = run.wait_for(lambda: waiting(run), "the status")
        assert shown["why"] == "the database is down"
        assert shown["next_try"] > shown["since"] > 0
        assert shown["attempts"] > 0
        run.wait_for(lambda: status(run)["journal_lasts"] > 0, "how long the journal lasts")
        run.wait_for_line("plugin sink waits in on_status at event 2 of account main: the databa")
        run.wait_for(
            lambda: [c["lag_events"] for c in status(run)["cursors"]] == [50], "what waits"
        )
        sink.come_back()
        run.wait_for(lambda: last_seq(run) in sink.seqs(), "its events")
        run.wait_for(lambda: status(run)["state"] == "running", "the status")
        run.wait_for_line("plugin sink goes on")
        numbers.push(5)
        run.wait_for(lambda: last_seq(run) in sink.seqs(), "its events")
        assert run.stop() == 0
        check(run)
        assert dead_letters(run) == []
        assert not run.logged("starting it again")
        assert not run.records(redelivered=True)
    sink.check(last_seq(run))
    assert len(sink.seqs()) == len(set(sink.seqs()))
    attempts = [call["attempt"] for call in sink.calls(seq=2)]
    assert attempts == list(range(1, len(attempts) + 1))


def test_kills_reloads_and_restarts_in_an_outage_lose_nothing_and_double_nothing_unmarked(
    tmp_path: Path, venue: Venue, sink: Sink
) -> None:
    with start(tmp_path, venue) as run:
        run.wait_for(lambda: sink.seqs(), "a connection")
        sink.go_down()
        with Numbers(venue, rate=200) as numbers:
            run.wait_for(lambda: sink.calls(ok=False), "the outage")
            for number in range(3):
                known = len(run.records())
                run.wait_for(lambda known=known: len(run.records()) > known + 30, "progress")
                os.kill(run.pids()["host main"], signal.SIGKILL)
                run.wait_for(lambda n=number: len(run.records("on_start")) == n + 2, "a new one")
            assert reload(run).returncode == 0
            tries = len(sink.calls(ok=False))
            run.wait_for(lambda: len(sink.calls(ok=False)) > tries, "another try")
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
    assert sink.seqs() == [1]
    with start(tmp_path, venue) as run:
        run.wait_for(lambda: len(run.records("on_connected", redelivered=False)) >= 2)
        sink.come_back()
        run.wait_for(lambda: last_seq(run) in sink.seqs(), "its events")
        assert run.stop() == 0
        check(run)
        assert dead_letters(run) == []
        assert run.logged("not delivered") == []
    sink.check(last_seq(run))
    # The tries are counted on in each new process.
    tries = sink.calls(seq=2)
    for before, after in pairwise(tries):
        died_in_it = after["again"] and after["attempt"] == before["attempt"]
        assert died_in_it or after["attempt"] == before["attempt"] + 1


def test_kills_while_it_catches_up_lose_nothing_and_double_nothing_unmarked(
    tmp_path: Path, venue: Venue, sink: Sink
) -> None:
    with start(tmp_path, venue) as run:
        run.wait_for(lambda: sink.seqs(), "a connection")
        numbers = Numbers(venue, rate=1)
        sink.go_down()
        numbers.push(400)
        numbers.wait_for_all(run)
        sink.come_back()
        for number in range(3):
            known = len(sink.seqs())
            run.wait_for(lambda known=known: len(sink.seqs()) > known or known > 400, "progress")
            os.kill(run.pids()["host main"], signal.SIGKILL)
            run.wait_for(lambda n=number: len(run.records("on_start")) == n + 2, "a new one")
        run.wait_for(lambda: last_seq(run) in sink.seqs(), "its events")
        assert run.stop() == 0
        check(run)
    sink.check(last_seq(run))


def test_a_plugin_that_can_not_start_is_tried_again_and_a_reload_says_why(
    tmp_path: Path, venue: Venue, sink: Sink
) -> None:
    down = tmp_path / "down-at-start"
    down.touch()
    with start(tmp_path, venue) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"), "a connection")
        numbers.push(5)
        numbers.wait_for_all(run)
        assert sink.calls() == []
        failed = reload(run)
        assert failed.returncode != 0
        assert "no database yet" in failed.stderr
        shown = run.wait_for(lambda: waiting(run), "the status")
        assert "no database yet" in shown["why"]
        down.unlink()
        run.wait_for(lambda: last_seq(run) in sink.seqs(), "its events")
        assert reload(run).returncode == 0
        assert run.stop() == 0
        check(run)
    sink.check(last_seq(run))
    assert all(call["attempt"] == 1 and not call["again"] for call in sink.calls())


def test_events_wait_for_a_plugin_that_can_not_be_loaded_until_it_can(
    tmp_path: Path, venue: Venue, sink: Sink
) -> None:
    module = tmp_path / "sink.py"
    source = module.read_text()
    module.write_text("import no_such_driver\n")
    with start(tmp_path, venue) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"), "a connection")
        numbers.push(5)
        numbers.wait_for_all(run)
        os.kill(run.pids()["host main"], signal.SIGKILL)
        run.wait_for(lambda: len(run.records("on_start")) >= 2, "a new process")
        module.write_text(source)
        assert reload(run).returncode == 0
        run.wait_for(lambda: last_seq(run) in sink.seqs(), "its events")
        assert run.stop() == 0
        check(run)
    sink.check(last_seq(run))


def test_with_strict_a_plugin_that_can_not_start_ends_it(
    tmp_path: Path, venue: Venue, sink: Sink
) -> None:
    (tmp_path / "down-at-start").touch()
    with Run(tmp_path, "-p", "sink:Sink", "--strict", venue=venue) as run:
        assert run.wait() == 3


def test_a_plugin_that_lost_its_hooks_refuses_the_reload(tmp_path: Path, venue: Venue) -> None:
    module = tmp_path / "beside.py"
    module.write_text(witness())
    with Run(tmp_path, "-p", "beside", venue=venue, settings=QUICK, env=FRESH) as run:
        run.wait_for(lambda: run.records("on_connected"), "a connection")
        assert reload(run).returncode == 0  # it has none yet: they are in the class
        module.write_text("def on_status(event): pass\n")
        assert reload(run).returncode == 0
        module.write_text("")
        refused = reload(run)
        assert refused.returncode != 0
        assert "plugin beside: it had hooks, and now implements none" in refused.stderr
        assert run.stop() == 0


def test_wrong_settings_of_a_plugin_end_a_start_with_4(tmp_path: Path, venue: Venue) -> None:
    (tmp_path / "beside.py").write_text(witness())
    config = "[plugins.witness]\nwrod = 1\n"
    arguments = ("-p", "beside:Witness")
    with Run(tmp_path, *arguments, venue=venue, config=config.replace("witness", "beside")) as run:
        assert run.wait() == 4
        run.wait_for_line("wrod")
    # A new key may end the stream of another program.
    made = [seen for seen in venue.requests if "listen-key" in seen.path]
    assert (made, venue.connections, run.logged("connected to")) == ([], [], [])


def test_a_plugin_whose_import_takes_long_holds_up_no_stream_for_longer_than_ten_seconds(
    tmp_path: Path, venue: Venue
) -> None:
    slow = "import os, time\nwhile not os.path.exists('go-on'):\n    time.sleep(0.05)\n"
    config = '[plugins.slow]\nprocess = "slow"\n'
    with Run(tmp_path, venue=venue, plugins={"slow": slow}, config=config) as run:
        run.wait_for(lambda: run.logged("connected to"), "a connection")
        (tmp_path / "go-on").touch()
        run.wait_for(lambda: run.logged("host process slow runs"), "the slow plugin")
        assert run.stop() == 0
