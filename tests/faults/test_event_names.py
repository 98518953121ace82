"""No two events have one name, whatever is copied, restored or killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

from running import QUICK, Run

from qehost.simulator import Venue

NAMES = """
import json
from pathlib import Path

FILE = Path("names.jsonl")
context = None

def on_start(context):
    had = [json.loads(line) for line in FILE.read_text().splitlines()] if FILE.exists() else []
    for journal_id, account, seq, text in had[-1:]:
        with open("known.jsonl", "a") as file:
            print(json.dumps(context.has(account, journal_id, seq)), file=file)

def on_status(status, event):
    with FILE.open("a") as file:
        print(json.dumps([event.journal_id, event.account, event.seq, status]), file=file)
"""


def names(folder: Path) -> list[tuple[str, str, int, str]]:
    file = folder / "names.jsonl"
    if not file.exists():
        return []
    # The last one may be on its way into the file.
    return [tuple(json.loads(line)) for line in file.read_text().split("\n")[:-1]]


def known(folder: Path) -> list[bool]:
    return [json.loads(line) for line in (folder / "known.jsonl").read_text().splitlines()]


class Sender:
    """Sends texts, none of them twice."""

    def __init__(self, folder: Path, venue: Venue) -> None:
        self.folder = folder
        self.venue = venue
        self.sent = 0

    def send(self, run: Run, count: int = 3) -> None:
        """And wait until the plugin has had them."""
        for _ in range(count):
            self.sent += 1
            message = {
                "type": "status",
                "messageId": f"m{self.sent}",
                "userId": "",
                "data": f"text {self.sent}",
            }
            run.wait_for(lambda m=message: self.venue.push(json.dumps(m)), "a stream")
        last = f"text {self.sent}"
        run.wait_for(lambda: last in [name[3] for name in names(self.folder)], last)


def test_a_copy_that_runs_too_and_a_restored_folder_name_their_events_otherwise(
    tmp_path: Path, venue: Venue
) -> None:
    sender = Sender(tmp_path, venue)
    copy = tmp_path / "copy"

    def running(state: Path | None = None) -> Run:
        return Run(tmp_path, venue=venue, settings=QUICK, plugins={"names": NAMES}, state=state)

    with running() as run:
        sender.send(run)
        assert run.stop() == 0
    shutil.copytree(run.state, copy)
    with running() as run:
        sender.send(run)
        connected = len(run.records("on_connected"))
        os.kill(run.pids()["connection main"], signal.SIGKILL)
        run.wait_for(lambda: len(run.records("on_connected")) > connected, "a connection")
        sender.send(run)
        assert run.stop() == 0
    with running(copy) as run:
        sender.send(run)
        assert run.stop() == 0
    shutil.rmtree(tmp_path / "state")
    shutil.copytree(copy, tmp_path / "state")
    with running() as run:
        sender.send(run)
        assert run.stop() == 0
    had = names(tmp_path)
    texts = [name[3] for name in had]
    assert texts == [f"text {number + 1}" for number in range(sender.sent)]
    assert len({name[:3] for name in had}) == len(had)
    assert len({name[1:3] for name in had}) < len(had), "their numbers alone are not enough"
    assert all(len(bytes.fromhex(name[0])) == 8 for name in had)
    # The second start knows what the first one had, the copy does not know what came after it, and
    # what is restored from it has all that it had.
    assert known(tmp_path) == [True, False, True]
