"""Ten minutes of faults in a few seconds: everything is told, nothing twice, and no gap in silence.

The venue has a market, of which REST knows the last state of every order, and sends numbered status
messages, of which it knows nothing.  A seeded rng breaks streams, messages, handshakes and REST
calls, and kills processes.  QEHOST_TEST_SOAK_SECONDS and QEHOST_TEST_SOAK_SEED make it longer, and
another one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from pathlib import Path
from typing import Any

from running import QUICK, Run
from told import check_once, missing
from waiting import PATIENCE

from qehost.events.times import epoch_ms
from qehost.simulator import Venue

SECONDS = float(os.environ.get("QEHOST_TEST_SOAK_SECONDS", "6"))
PACE = 0.15
"""Seconds between two faults, on average."""
ENOUGH = 10
"""Losses of the stream; fewer would be no soak."""

STREAM = (
    *("drop", "end", "reset", "silence", "torn", "reserved"),
    *("opcode", "oversized", "invalid-utf8", "close-at-open"),
)
MESSAGES = ("duplicate", "reorder", "fragmented", "dribble", "gap")
CALLS = ("rest-500=8%", "rest-429=3%", "rest-503=3%", "handshake-500=10%", "handshake-429=3%")
REORDERED = 3
"""By so many places at most may a message come too early or too late."""


class Numbers:
    """Sends status messages that are numbered from 1."""

    def __init__(self, venue: Venue) -> None:
        self.sent = 0
        self._venue = venue
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(0.02):
            self.sent += 1
            self._venue.push(status(self.sent))

    def stop(self) -> None:
        self._end.set()
        self._thread.join()


def status(name: object) -> str:
    return json.dumps(
        {"type": "status", "messageId": f"status-{name}", "userId": "u", "data": f"number {name}"}
    )


def break_things(venue: Venue, run: Run, rng: random.Random) -> list[str]:
    """For so many seconds, and until enough of it struck; what was done.

    How often the stream is lost in that time depends on how long it is away each time.
    """
    done = []
    end = time.monotonic() + SECONDS
    at_the_latest = end + PATIENCE
    kills = {end - SECONDS * 0.6: "connection main", end - SECONDS * 0.3: "host main"}
    while (now := time.monotonic()) < end or kills or losses(run) <= ENOUGH:
        assert now < at_the_latest, f"{losses(run)} losses, {kills} to come"
        for at, name in list(kills.items()):
            if now >= at and name in (pids := run.pids()):
                del kills[at]
                os.kill(pids[name], signal.SIGKILL)
                done.append(f"kill {name}")
        fault = rng.choice(rng.choice((STREAM, MESSAGES)))
        venue.inject(fault, rng.choice((1, 3)) if fault != "dribble" else 1)
        done.append(fault)
        time.sleep(rng.uniform(0.5, 1.5) * PACE)
    return done


def test_what_was_sent_is_received_caught_up_or_declared_lost(tmp_path: Path) -> None:
    seed = int(os.environ.get("QEHOST_TEST_SOAK_SEED", "1"))
    settings = {
        **QUICK,
        "connection.ping_interval": 0.5,
        "connection.pong_timeout": 0.5,
        "connection.catch_up_interval": 2,
    }
    with (
        Venue(seed=seed, faults=CALLS) as venue,
        Run(tmp_path, venue=venue, settings=settings) as run,
    ):
        run.wait_for_connections(1)
        venue.rate = 150
        numbers = Numbers(venue)
        print(", ".join(break_things(venue, run, random.Random(seed))))
        numbers.stop()
        venue.rate = 0
        run.wait_for(lambda: not missing(venue, run.records()), "the last states")
        run.wait_for(lambda: not untold(venue, run.records()), "all states")
        # What was sent before on the same stream has been received, too.
        run.wait_for(lambda: venue.push(status("end")) and ended(run), "the end")
        assert run.stop() == 0
        told = once_each(run)
    check_once(told)
    assert not untold(venue, told)
    reached = {sent.message_id for sent in venue.sent if sent.reached}
    lost = check_numbers(numbers.sent, reached, told)
    messages = len({sent.message_id for sent in venue.sent})
    print(f"{messages} messages, {lost} status messages lost in windows that were told")
    # The faults did strike, and most of the time there was a stream nevertheless.
    assert sum(record["hook"] == "on_disconnected" for record in told) > ENOUGH
    assert any(record["origin"] == "catch_up" for record in told)


def losses(run: Run) -> int:
    """How often plugins were told that the stream was lost."""
    return len({record["seq"] for record in run.records("on_disconnected")})


def ended(run: Run) -> bool:
    return bool(run.records("on_status", message_id="status-end"))


def once_each(run: Run) -> list[dict[str, Any]]:
    """By number; after a death of the host an event may come again, and says so."""
    told: dict[int, dict[str, Any]] = {}
    for record in run.records():
        if "seq" in record:
            if record["seq"] in told:
                assert record["redelivered"]
            told.setdefault(record["seq"], record)
    return [told[seq] for seq in sorted(told)]


def untold(venue: Venue, told: list[dict[str, Any]]) -> list[str]:
    """The updates of orders that were not told, and no later state of the order either."""
    ids = {record.get("message_id") for record in told}
    latest: dict[str, int] = defaultdict(int)
    for record in told:
        if record.get("kind") in ("order", "master_order"):
            message = record["message"]
            key = message["order_id"] if record["kind"] == "order" else message["master_order_id"]
            latest[key] = max(latest[key], message["timestamp"])
    found = []
    for sent in venue.sent:
        if sent.update is None or sent.message_id in ids:
            continue
        subject = sent.update.subject
        key = getattr(subject, "order_id", "") or subject.master_order_id
        if latest[key] < epoch_ms(subject.updated_at):
            found.append(sent.text)
    return found


def check_numbers(count: int, reached: set[str], told: list[dict[str, Any]]) -> int:
    """What REST can't tell was received, or was lost where a new connection was told, or was never
    sent.  Gives the number of those that were lost.

    By their order, since a connection has one; a busy machine may be late by any time.
    """
    seqs = {r["message_id"]: r["seq"] for r in told if r["hook"] == "on_status"}
    connected = [r["seq"] for r in told if r["hook"] == "on_connected"]
    numbers = range(1, count + 1)
    received = [number for number in numbers if f"status-{number}" in seqs]
    lost = [number for number in numbers if f"status-{number}" not in seqs]

    def new_connection(number: int) -> bool:
        """Whether one was told between what came before this number and what came after it."""
        before = bisect_left(received, number - REORDERED)
        after = bisect_right(received, number + REORDERED)
        begin = seqs[f"status-{received[before - 1]}"] if before else 0
        end = seqs[f"status-{received[after] if after < len(received) else 'end'}"]
        return any(begin < seq < end for seq in connected)

    assert [n for n in lost if f"status-{n}" in reached and not new_connection(n)] == []
    return len(lost)
