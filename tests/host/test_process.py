"""A host process by itself: queue and journal together bring it each event, once and in order."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from limits import unopenable
from running import RECORDER
from script import wait_for
from waiting import PATIENCE

from qehost.config.settings import HostSettings, JournalSettings
from qehost.events.codec import encode_events
from qehost.messages import StatusEvent
from qehost.processes import spawn
from qehost.processes.control import (
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
from qehost.processes.logs import LogSettings
from qehost.processes.queue import BatchWriter
from qehost.storage.cursor_file import read_cursors
from qehost.storage.dead_letters import DeadLetters
from qehost.storage.journal import Journal
from qehost.storage.progress import ProgressMemory
from qehost.storage.state_folder import StateFolder

NO_TEXT = """
from qehost import Retry

NAME = b"\\xff".decode("utf-8", "surrogateescape")  # of a file, as the system gives it


def on_start(context):
    context.problem(NAME, NAME)


def on_status(event):
    if event.seq == 1:
        raise FileNotFoundError(NAME)
    raise Retry(600, NAME)
"""


NAPPER = """
import asyncio
from pathlib import Path


async def on_status(event):
    await asyncio.sleep(0.01)
    Path(f"woke {event.seq}").touch()
"""


class HostProcess:
    """The process, with the recorder and `more` for plugins."""

    def __init__(self, folder: Path, *more: str, spin: bool = False) -> None:
        shutil.copy(RECORDER, folder)
        self.records_file = folder / "records.jsonl"
        task = HostTask(
            name="main",
            accounts=["main", "other"],
            specs=["recorder", *more],
            plugins={},
            host=HostSettings(spin=spin),
            journal=JournalSettings(),
            state_dir=str(folder),
            strict=True,
            log=LogSettings(),
        )
        self.process = spawn.start(
            "host main",
            "qehost.host.process",
            [task],
            [ProgressMemory().handle()],
            loads_plugins=True,
        )
        self.control = Control(self.process.pipe)
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

    def seconds_of_cpu(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, timeout: float = PATIENCE) -> Ended:
        self.control.send(Stop("", timeout))
        ended = self.await_message(Ended)
        assert isinstance(ended, Ended)
        self.process.wait(PATIENCE)
        return ended


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., HostProcess]]:
    """Starts one, which is gone when the test ends."""
    monkeypatch.chdir(tmp_path)
    started: list[HostProcess] = []

    def start(*more: str, spin: bool = False) -> HostProcess:
        started.append(HostProcess(tmp_path, *more, spin=spin))
        return started[-1]

    yield start
    for host in started:
        host.process.kill()
        host.process.wait()
        host.process.close()


@pytest.fixture
def host(start: Callable[..., HostProcess]) -> HostProcess:
    return start()


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


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("more", [(), ("napper",)], ids=["plain hooks", "coroutines"])
def test_one_that_spins_gets_events_ticks_and_orders_as_well_and_works_without_any(
    start: Callable[..., HostProcess], tmp_path: Path, more: tuple[str, ...]
) -> None:
    (tmp_path / "napper.py").write_text(NAPPER)
    host = start(*more, spin=True)
    queue = host.go()
    host.await_message(HostStatus)
    before = host.seconds_of_cpu()
    wait_for(lambda: host.seconds_of_cpu() >= before + 0.2, host)
    for number in range(1, 4):
        assert queue.offer(statuses(number), number)
        wait_for(lambda n=number: ("on_status", n) in host.calls(), host)
        if more:
            # Before the next one: a plugin that is not done with this one reads that in the
            # journal, where it is not.
            wait_for((tmp_path / f"woke {number}").exists, host)
    host.await_message(HostStatus)
    queue.close()
    assert host.stop().undelivered == 0
    assert host.calls() == [("on_status", number) for number in range(1, 4)]


def test_what_a_plugin_says_in_no_text_ends_no_process(
    start: Callable[..., HostProcess], tmp_path: Path
) -> None:
    (tmp_path / "plugin.py").write_text(NO_TEXT)
    host = start("plugin")
    queue = host.go()
    assert queue.offer(statuses(1, 2, 3), 3)
    queue.close()
    wait_for(lambda: ("on_status", 3) in host.calls(), host)

    def tells_all() -> bool:
        status = host.await_message(HostStatus)
        assert isinstance(status, HostStatus)
        (problem,) = status.problems
        assert (problem.key, problem.text) == (r"\udcff", r"\udcff")
        return [each.why for each in status.held] == [r"\udcff"]

    wait_for(tells_all, host)
    host.stop()
    with DeadLetters(StateFolder(tmp_path).dead_letters_file) as letters:
        (letter,) = letters.letters()
    assert r"FileNotFoundError: \udcff" in letter.detail


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
    with_a_backlog(host, tmp_path, 0.5)
    for _ in range(3):
        host.await_message(HostStatus)
    assert len(host.calls()) < 500


def test_a_slow_plugin_with_a_backlog_gets_its_on_stop_in_time(
    host: HostProcess, tmp_path: Path
) -> None:
    with_a_backlog(host, tmp_path, 0.5)
    # As one that reads the order late sees it.
    host.control.send(Stop("", 60, at=time.monotonic() - 60))
    ended = host.await_message(Ended)
    assert isinstance(ended, Ended)
    delivered = len(host.calls())
    assert delivered < 500
    assert ended.undelivered == 500 - delivered
    assert len(host.records("on_stop")) == 1
    stored = read_cursors(StateFolder(tmp_path).progress_file("main"))
    assert stored is not None
    # What was not delivered does not count as in flight: it comes unmarked at the next start.
    assert stored.cursors["main"] == (delivered, delivered)


@pytest.mark.parametrize("where", ["journal", "queue"])
def test_no_account_waits_for_the_backlog_of_another(
    host: HostProcess, tmp_path: Path, where: str
) -> None:
    if where == "journal":
        queue = with_a_backlog(host, tmp_path, 0.2)
    else:
        queue = host.go()
        (tmp_path / "slow").write_text("0.2")
        assert all(queue.offer(statuses(number), number) for number in range(1, 501))
    other = host.attach("other")
    assert other.offer(statuses(1, account="other"), 1)
    wait_for(lambda: "other" in [record["account"] for record in host.records("on_status")], host)
    assert len(host.calls()) < 500
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
    queue = with_a_backlog(host, tmp_path, 0.2)
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


def with_events_in_the_journal_alone(host: HostProcess, folder: Path) -> BatchWriter:
    """Let it start and write 9 events that its queue leaves out; the tenth is to come."""
    queue = host.go()
    with Journal(StateFolder(folder).journal("main")) as journal:
        journal.append(statuses(*range(1, 10)), 1, 9, 0, 0)
    return queue


def test_events_in_a_journal_that_cannot_be_opened_wait_and_nothing_waits_for_them(
    host: HostProcess, tmp_path: Path
) -> None:
    queue = with_events_in_the_journal_alone(host, tmp_path)
    with unopenable(StateFolder(tmp_path).journal("main")):
        assert all(queue.offer(statuses(number), number) for number in (10, 11))
        other = host.attach("other")
        assert other.offer(statuses(1, account="other"), 1)
        wait_for(lambda: host.calls() == [("on_status", 1)], host)
        before = host.seconds_of_cpu()
        for _ in range(4):
            host.await_message(HostStatus)
            # It is not read, and is not to wake the process again and again either.
            assert queue.offer(statuses(12), 12)
        assert host.seconds_of_cpu() - before < 1
        assert host.calls() == [("on_status", 1)]
    wait_for(lambda: ("on_status", 12) in host.calls(), host)
    queue.close()
    other.close()
    assert host.stop().undelivered == 0
    assert host.calls()[1:] == [("on_status", number) for number in range(1, 13)]
    assert not host.records("on_error")
    assert not any(record.get("redelivered") for record in host.records())


def test_what_waits_for_its_journal_when_the_end_is_ordered_is_counted_and_comes_next_time(
    host: HostProcess, tmp_path: Path, start: Callable[..., HostProcess]
) -> None:
    queue = with_events_in_the_journal_alone(host, tmp_path)
    with unopenable(StateFolder(tmp_path).journal("main")):
        assert queue.offer(statuses(10), 10)
        queue.close()
        for _ in range(2):
            host.await_message(HostStatus)
        ended = host.stop(timeout=0.5)
        assert ended.undelivered == 9  # of the tenth only the journal could know
        assert len(host.records("on_stop")) == 1
    again = start()
    again.go().close()
    wait_for(lambda: ("on_status", 9) in again.calls(), again)
    assert again.stop().undelivered == 0
    assert again.calls() == [("on_status", number) for number in range(1, 10)]
    assert not again.records("on_error")
    assert not any(record.get("redelivered") for record in again.records())


def test_a_queue_is_read_again_once_its_journal_can_be_opened(
    host: HostProcess, tmp_path: Path
) -> None:
    """Also a queue that took the place of another one in the meantime."""
    queue = with_events_in_the_journal_alone(host, tmp_path)
    with unopenable(StateFolder(tmp_path).journal("main")):
        assert queue.offer(statuses(10), 10)
        host.await_message(HostStatus)
        assert queue.offer(statuses(11), 11)
        host.await_message(HostStatus)
        again = host.attach()
        again.nudge(10)
        assert again.offer(statuses(11, 12), 12)
        host.await_message(HostStatus)
        assert host.calls() == []
    wait_for(lambda: ("on_status", 12) in host.calls(), host)
    assert again.offer(statuses(13), 13)
    again.close()
    assert host.stop().undelivered == 0
    assert host.calls() == [("on_status", number) for number in range(1, 14)]
