"""The promise that every fault test checks: what was received reaches each plugin, in order, or it
is said that it does not."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Any, Protocol

import msgspec
from running import Run
from waiting import wait_for

from qehost.storage.cursor_file import read_cursors
from qehost.storage.dead_letters import DeadLetter, DeadLetters
from qehost.storage.journal.reader import JournalReader
from qehost.storage.state_folder import StateFolder

__all__ = ["Numbers", "check", "cursor", "dead_letters", "delivered_numbers", "last_seq"]

GAP = re.compile(r"events? (\d+)(?: to (\d+))? can't be delivered")


# The venue ends a connection that has four times as much of its own waiting: whoever sends faster
# than the receiver reads would test the venue.
WAITING = 4 * 2**20


class Sender(Protocol):
    @property
    def connections(self) -> list[Any]: ...

    def push(self, text: str | bytes, account: int | None = None) -> int: ...


class Numbers:
    """Sends status messages that are numbered from 1, from a thread of its own.

    ::

        with Numbers(venue, rate=500) as numbers:
            ...
        numbers.sent
    """

    def __init__(self, venue: Sender, rate: float, padding: int = 0) -> None:
        self.sent = 0
        self._venue = venue
        self._pause = 1.0 / rate
        self._padding = "x" * padding
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Numbers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def push(self, count: int) -> None:
        """The next numbers, each as soon as a stream is open."""
        for _ in range(count):
            number = self.sent + 1
            message = {
                "type": "status",
                "messageId": f"number-{number}",
                "userId": "",
                "data": f"{number} {self._padding}",
            }
            self._wait_for_room()
            wait_for(partial(self._push_one, msgspec.json.encode(message), number), "a stream")

    def _push_one(self, text: bytes, number: int) -> bool:
        """Whether it is sent, or is not to be sent any more."""
        if self._venue.push(text):
            self.sent = number
        return self.sent == number or self._end.is_set()

    def _wait_for_room(self) -> None:
        wait_for(
            lambda: (
                all(c.waiting <= WAITING for c in self._venue.connections) or self._end.is_set()
            ),
            "the receiver to read",
        )

    def _run(self) -> None:
        while not self._end.wait(self._pause):
            self.push(1)

    def wait_for_all(self, run: Run) -> None:
        """Until the recorder has seen every number."""
        run.wait_for(lambda: delivered_numbers(run) == set(range(1, self.sent + 1)), "all numbers")


def delivered_numbers(run: Run) -> set[int]:
    """The numbers that the recorder has seen."""
    return {int(str(r["message"]).split()[0]) for r in run.records("on_status")}


def last_seq(run: Run) -> int:
    with JournalReader(StateFolder(run.state).journal("main")) as journal:
        return journal.last_seq()


def cursor(run: Run, host: str = "main") -> int:
    """How far a host process has come."""
    stored = read_cursors(StateFolder(run.state).progress_file(host))
    cursor = None if stored is None else stored.heads().get("main")
    return 0 if cursor is None else cursor.done


def dead_letters(run: Run) -> list[DeadLetter]:
    file = StateFolder(run.state).dead_letters_file
    if not file.exists():
        return []
    with DeadLetters(file) as letters:
        return letters.letters()


def check(run: Run, *, retried: Iterable[int] = ()) -> None:
    """Received ⊆ delivered ∪ dead letters ∪ declared gaps; in order; nothing twice unmarked.

    For the recorder, which has a hook for every event that the tests make.  `retried` are the
    events that were asked for again.
    """
    retried = set(retried)
    records = [r for r in run.records() if r.get("seq") and r["seq"] not in retried]
    covered = {r["seq"] for r in records} | retried
    for text in run.errors("GapError"):
        if found := GAP.search(text):
            covered |= set(range(int(found[1]), int(found[2] or found[1]) + 1))
    covered |= {letter.seq for letter in dead_letters(run) if letter.plugin == "recorder"}
    missing = set(range(1, last_seq(run) + 1)) - covered
    assert not missing, f"never delivered: {sorted(missing)[:20]}{run.story()}"

    seen: set[tuple[str, int]] = set()
    at: defaultdict[int, int] = defaultdict(int)
    for record in records:
        about: tuple[Any, ...] = record["hook"], record["seq"]
        assert record["seq"] >= at[record["pid"]], f"out of order: {about}"
        at[record["pid"]] = record["seq"]
        assert about not in seen or record["redelivered"], f"twice, and not marked: {about}"
        seen.add((record["hook"], record["seq"]))
