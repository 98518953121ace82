"""A host process by itself: queue and journal together bring it each event, once and in order."""

from __future__ import annotations

import multiprocessing
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from running import RECORDER
from script import wait_for

from qehost import children
from qehost.control import (
    Attach,
    Control,
    ControlMessage,
    Ended,
    Go,
    HostStatus,
    HostTask,
    Loaded,
    Ready,
    Stop,
)
from qehost.host.cursors import MarksView
from qehost.journal import Journal
from qehost.logs import LogSettings
from qehost.messages import StatusEvent
from qehost.queue import BatchWriter
from qehost.records import encode_events
from qehost.settings import HostSettings, JournalSettings
from qehost.state import StateFolder


class HostProcess:
    """The process, with the recorder for a plugin."""

    def __init__(self, folder: Path) -> None:
        shutil.copy(RECORDER, folder)
        self.records_file = folder / "records.jsonl"
        ours, theirs = multiprocessing.Pipe()
        task = HostTask(
            name="main",
            accounts=["main", "other"],
            specs=["recorder"],
            plugins={},
            host=HostSettings(),
            journal=JournalSettings(),
            state_dir=str(folder),
            strict=True,
            log=LogSettings(),
        )
        self.control = Control(ours)
        self.process = children.start("host main", "qehost.host.process", task, theirs)
        theirs.close()
        self.await_message(Loaded)

    def go(self) -> BatchWriter:
        """Let it start; the writer of its queue, in which nothing was read yet."""
        queue = self.attach()
        self.control.send(Go())
        self.await_message(Ready)
        return queue

    def attach(self, account: str = "main") -> BatchWriter:
        """The writer of a new queue."""
        reader, writer = multiprocessing.Pipe(duplex=False)
        self.control.send_queue(Attach(account), reader)
        return BatchWriter(writer, 1 << 20)

    def await_message(self, kind: type[ControlMessage]) -> ControlMessage:
        while not isinstance(message := self.control.receive(), kind):
            pass
        return message

    def calls(self) -> list[tuple[str, int]]:
        """Each call of a hook that has an event, with the event's number."""
        return [(record["hook"], record["seq"]) for record in self.records() if "seq" in record]

    def records(self, hook: str = "") -> list[dict[str, Any]]:
        """What the recorder wrote of its calls: of this hook, or of all."""
        # The last one may be on its way into the file.
        *lines, _ = self.records_file.read_bytes().split(b"\n")
        records = [msgspec.json.decode(line) for line in lines]
        return [record for record in records if not hook or record["hook"] == hook]

    def __str__(self) -> str:
        return f"another call; so far {self.calls()}"

    def stop(self) -> Ended:
        self.control.send(Stop("", 10))
        ended = self.await_message(Ended)
        assert isinstance(ended, Ended)
        self.process.join(10)
        return ended


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostProcess]:
    monkeypatch.chdir(tmp_path)
    host = HostProcess(tmp_path)
    yield host
    host.process.kill()
    host.process.join()
    host.control.close()


def statuses(*numbers: int, account: str = "main") -> bytes:
    return encode_events([StatusEvent(n, account, "", 0, "stream", False, "", "") for n in numbers])


def test_events_that_are_in_the_queue_alone_are_not_lost_to_a_look_into_the_journal(
    host: HostProcess, tmp_path: Path
) -> None:
    """While the journal could not be written they came by the queue, behind a nudge."""
    queue = host.go()
    with Journal(StateFolder(tmp_path).journal("main")) as journal:
        journal.append(statuses(*range(1, 6)), 1, 5, 0, 0)
        journal.append(statuses(*range(21, 26)), 21, 25, 0, 0)
    queue.nudge(5)
    assert queue.offer(statuses(*range(6, 21)), 20)
    assert queue.offer(statuses(*range(21, 26)), 25)
    queue.close()
    wait_for(lambda: ("on_status", 25) in host.calls(), host)
    assert host.stop().undelivered == 0
    assert host.calls() == [("on_status", number) for number in range(1, 26)]


def test_what_neither_journal_nor_queue_has_is_told_with_its_numbers(host: HostProcess) -> None:
    queue = host.go()
    assert queue.offer(statuses(1), 1)
    assert queue.offer(statuses(3), 3)
    queue.close()
    wait_for(lambda: ("on_status", 3) in host.calls(), host)
    host.stop()
    hooks = [record["hook"] for record in host.records()]
    assert hooks == ["on_start", "on_status", "on_error", "on_status", "on_stop"]
    assert "event 2 can't be delivered" in host.records("on_error")[0]["text"]


def with_a_backlog(host: HostProcess, folder: Path, seconds: float) -> BatchWriter:
    """Let it start with 500 events in the journal to deliver, each of which takes so long."""
    (folder / "slow").write_text(str(seconds))
    queue = host.go()
    with Journal(StateFolder(folder).journal("main")) as journal:
        journal.append(statuses(*range(1, 501)), 1, 500, 0, 0)
    queue.nudge(500)
    wait_for(host.calls, host)
    return queue


def test_ticks_come_while_a_slow_plugin_has_a_backlog(host: HostProcess, tmp_path: Path) -> None:
    with_a_backlog(host, tmp_path, 0.1)
    for _ in range(3):
        host.await_message(HostStatus)
    assert len(host.calls()) < 50


def test_a_slow_plugin_with_a_backlog_gets_its_on_stop_in_time(
    host: HostProcess, tmp_path: Path
) -> None:
    with_a_backlog(host, tmp_path, 0.1)
    # As one that reads the order late sees it.
    host.control.send(Stop("", 60, at=time.monotonic() - 60))
    ended = host.await_message(Ended)
    assert isinstance(ended, Ended)
    delivered = len(host.calls())
    assert delivered < 50
    assert ended.undelivered == 500 - delivered
    assert len(host.records("on_stop")) == 1
    standing = MarksView(StateFolder(tmp_path).marks("main")).standing()
    assert standing is not None
    # What was not delivered does not count as handed over: it comes unmarked at the next start.
    assert standing.cursors["main"] == standing.handed["main"] == delivered


@pytest.mark.parametrize("where", ["journal", "queue"])
def test_no_account_waits_for_the_backlog_of_another(
    host: HostProcess, tmp_path: Path, where: str
) -> None:
    if where == "journal":
        queue = with_a_backlog(host, tmp_path, 0.05)
    else:
        queue = host.go()
        (tmp_path / "slow").write_text("0.05")
        assert all(queue.offer(statuses(number), number) for number in range(1, 501))
    other = host.attach("other")
    assert other.offer(statuses(1, account="other"), 1)
    wait_for(lambda: "other" in [record["account"] for record in host.records("on_status")], host)
    assert len(host.calls()) < 100
    (tmp_path / "slow").unlink()
    queue.close()
    other.close()
    assert host.stop().undelivered == 0
    seqs = [record["seq"] for record in host.records("on_status") if record["account"] == "main"]
    assert seqs == list(range(1, 501))


def test_what_came_by_a_queue_is_delivered_before_what_the_next_one_brings(
    host: HostProcess, tmp_path: Path
) -> None:
    """Also while the journal has none of it."""
    (tmp_path / "slow").write_text("0.02")
    queue = host.go()
    assert queue.offer(statuses(*range(1, 101)), 100)
    wait_for(host.calls, host)
    again = host.attach()
    again.nudge(100)
    assert again.offer(statuses(101), 101)
    again.close()
    wait_for(lambda: ("on_status", 101) in host.calls(), host)
    assert host.stop().undelivered == 0
    assert host.calls() == [("on_status", number) for number in range(1, 102)]


def test_a_queue_is_not_read_while_its_account_has_a_backlog(
    host: HostProcess, tmp_path: Path
) -> None:
    queue = with_a_backlog(host, tmp_path, 0.05)
    number = 500
    while not queue.pending:
        number += 1
        assert queue.offer(statuses(*range(number, number + 100)), number + 99)
        number += 99
    for _ in range(2):
        host.await_message(HostStatus)
    queue.flush()
    assert queue.pending
    (tmp_path / "slow").unlink()
    while queue.pending:
        queue.flush()
    queue.close()
    wait_for(lambda: ("on_status", number) in host.calls(), host)
    assert host.calls() == [("on_status", each) for each in range(1, number + 1)]
