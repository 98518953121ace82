"""Ten minutes of faults in a few seconds: everything is told, nothing twice, and no gap in silence.

The venue has a market, of which REST knows the last state of every order, and sends numbered status
messages, of which it knows nothing.  A seeded dice breaks streams, messages, handshakes and REST
calls, and kills processes.  QEHOST_TEST_SOAK_SECONDS and QEHOST_TEST_SOAK_SEED make it longer, and
another one.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from running import QUICK, Run
from told import check_once, missing

from qehost.simulator import Venue
from qehost.times import epoch_ms

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
STATUS = '{"type":"status","messageId":"%s","userId":"user-1","data":"number %d"}'


class Numbers:
    """Sends numbered status messages, and knows when it sent which."""

    def __init__(self, venue: Venue) -> None:
        self.times: list[float] = []
        self._venue = venue
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(0.02):
            self.times.append(time.time())
            number = len(self.times)
            self._venue.push(STATUS % (f"status-{number}", number))

    def stop(self) -> None:
        self._end.set()
        self._thread.join()


def break_things(venue: Venue, run: Run, dice: random.Random) -> list[str]:
    """For so many seconds, and until enough of it struck; what was done.

    How often the stream is lost in that time depends on how long it is away each time.
    """
    done = []
    end = time.monotonic() + SECONDS
    at_the_latest = end + 30
    kills = {end - SECONDS * 0.6: "connection main", end - SECONDS * 0.3: "host main"}
    while (now := time.monotonic()) < end or (now < at_the_latest and losses(run) <= ENOUGH):
        for at, name in list(kills.items()):
            if now >= at and name in (pids := run.pids()):
                del kills[at]
                os.kill(pids[name], signal.SIGKILL)
                done.append(f"kill {name}")
        fault = dice.choice(dice.choice((STREAM, MESSAGES)))
        venue.inject(fault, dice.choice((1, 3)) if fault != "dribble" else 1)
        done.append(fault)
        time.sleep(dice.uniform(0.5, 1.5) * PACE)
    assert not kills
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
        Venue(seed=seed, rate=150, faults=CALLS) as venue,
        Run(tmp_path, venue=venue, settings=settings) as run,
    ):
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue)
        print(", ".join(break_things(venue, run, random.Random(seed))))
        numbers.stop()
        venue.rate = 0
        run.wait_for(lambda: not missing(venue, run.records()), "all states", timeout=60)
        assert run.stop() == 0
        told = once_each(run)
    check_once(told)
    check_states(venue, told)
    reached = {sent.message_id for sent in venue.sent if sent.reached}
    lost = check_numbers(numbers.times, reached, told)
    messages = len({sent.message_id for sent in venue.sent})
    print(f"{messages} messages, {lost} status messages lost in windows that were told")
    # The faults did strike, and most of the time there was a stream nevertheless.
    assert sum(record["hook"] == "on_disconnected" for record in told) > ENOUGH
    assert any(record["origin"] == "catch_up" for record in told)


def losses(run: Run) -> int:
    """How often plugins were told that the stream was lost."""
    return len({record["seq"] for record in run.records("on_disconnected")})


def once_each(run: Run) -> list[dict[str, Any]]:
    """By number; after a death of the host an event may come again, and says so."""
    told: dict[int, dict[str, Any]] = {}
    for record in run.records():
        if "seq" in record:
            if record["seq"] in told:
                assert record["redelivered"]
            told.setdefault(record["seq"], record)
    return [told[seq] for seq in sorted(told)]


def check_states(venue: Venue, told: list[dict[str, Any]]) -> None:
    """Each update of an order was told, or a later state of the order after it."""
    ids = {record["message_id"] for record in told}
    latest: dict[str, int] = defaultdict(int)
    for record in told:
        if record["kind"] in ("order", "master_order"):
            message = record["message"]
            key = message["order_id"] if record["kind"] == "order" else message["master_order_id"]
            latest[key] = max(latest[key], message["timestamp"])
    for sent in venue.sent:
        if sent.update is None or sent.message_id in ids:
            continue
        subject = sent.update.subject
        key = getattr(subject, "order_id", "") or subject.master_order_id
        updated = epoch_ms(subject.updated_at)
        assert latest[key] >= updated, f"not told, and nothing later: {sent.text}"


def check_numbers(times: list[float], reached: set[str], told: list[dict[str, Any]]) -> int:
    """What REST can't tell was received, or lies in a window that was told, or was never sent.

    Gives the number of those that were lost.
    """
    received = {r["message_id"] for r in told if r["hook"] == "on_status"}
    windows = [
        (r["message"]["down_since"] / 1e9, r["message"]["up_at"] / 1e9)
        for r in told
        if r["hook"] == "on_connected"
    ]
    lost = {number: at for number, at in enumerate(times, 1) if f"status-{number}" not in received}
    # A stream is late: a message that it still held (dribbling takes a while) was sent well before
    # the last one was heard, and a stream begins a moment after it has opened.
    silent = [
        number
        for number, at in lost.items()
        if f"status-{number}" in reached
        and not any(since - 1.0 <= at <= until + 0.5 for since, until in windows)
    ]
    assert not silent
    return len(lost)
