"""`qehost tail`: the last events, and then those that come."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from four_events import append, four_events, order, status
from running import QEHOST
from waiting import PATIENCE, wait_for

from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return four_events(tmp_path / "state")


class Tail:
    """`qehost tail --json` in a process of its own, and the events that it showed."""

    def __init__(self, folder: StateFolder, *arguments: str) -> None:
        command = [*QEHOST, "tail", "--json", "--state-dir", str(folder.path), *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.seqs: list[int] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seqs.append(json.loads(line)["seq"])

    def wait_for(self, seqs: list[int]) -> None:
        def shown() -> bool:
            assert self.process.poll() is None
            return self.seqs == seqs

        wait_for(shown, seqs, lambda: f"; it showed {self.seqs}")

    def stop(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with self.process.stdout, self.process.stderr:
            return code, self.process.stderr.read()


@pytest.fixture
def tail(folder: StateFolder, request: pytest.FixtureRequest) -> Iterator[Tail]:
    tail = Tail(folder, *request.param)
    yield tail
    if tail.process.poll() is None:
        tail.process.kill()
        tail.stop(9)


@pytest.mark.parametrize("tail", [["-n", "2"]], indirect=True)
def test_tail_shows_the_last_events_and_then_those_that_come(
    folder: StateFolder, tail: Tail
) -> None:
    tail.wait_for([3, 4])
    with Journal(folder.journal("main")) as journal:
        append(journal, status(5))
        tail.wait_for([3, 4, 5])
        append(journal, status(6), order(7, "BTCUSDT"))
        tail.wait_for([3, 4, 5, 6, 7])
    assert tail.stop(2) == (0, "")


@pytest.mark.parametrize("tail", [["--symbol", "BTCUSDT"]], indirect=True)
def test_tail_shows_only_what_was_asked_for(folder: StateFolder, tail: Tail) -> None:
    tail.wait_for([2])
    with Journal(folder.journal("main")) as journal:
        append(journal, order(5, "ETHUSDT"), order(6, "BTCUSDT"))
        tail.wait_for([2, 6])


def test_tail_without_a_journal_says_so(tmp_path: Path) -> None:
    command = [*QEHOST, "tail", "--state-dir", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 3
    assert "there is none" in result.stderr
