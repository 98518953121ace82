"""A guard that is killed at any moment, on a venue that loses answers after it has acted, while a
person pauses, resumes and cancels the same orders.

`QEHOST_TEST_GUARD_KILLS` says how many deaths there are (10), `QEHOST_TEST_GUARD_SEED` (0) makes
them others.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from desk import at_work, lines, read, wait_for
from qehost import API
from qehost.errors import RestError
from qehost.testing import Venue

from qehost_guard.intents import OPEN, Intent, Intents

KILLS = int(os.environ.get("QEHOST_TEST_GUARD_KILLS", "10"))
SEED = int(os.environ.get("QEHOST_TEST_GUARD_SEED", "0"))
FAULTS = ("rest-lost", "rest-done-500", "rest-delayed", "rest-late", "rest-500", "rest-429", "")
AT_ONCE = 3
"""Faults in a row."""
STEPS = 6
"""A process dies after up to so many: by the clock a slow machine would kill none but early."""

PATIENCE = 300.0
T = TypeVar("T")

pytestmark = pytest.mark.timeout(600 + KILLS * 60)

# Every process hears of every order again, as of one that works and whose child orders are refused.
GUARD = """
import sys, time
from pathlib import Path
from qehost.testing import PluginHost, master_order, order
from qehost_guard import Guard

folder, url, key, secret, *orders = sys.argv[1:]


class Remote:
    rest_url, ws_url = url, url.replace("http", "ws")

    class User:
        api_key, api_secret = key, secret

    accounts = [User]


config = {
    "armed": True,
    "settle": "1.5s",
    "rules": [
        {"rejects": 1, "within": "600s", "action": "pause"},
        {"rejects": 2, "within": "600s", "action": "cancel"},
    ],
}
with PluginHost(Guard, config, name="guard", state_dir=Path(folder), venue=Remote) as host:
    print("up", flush=True)
    for number, each in enumerate(orders):
        name = {"master_order_id": each, "received_at": time.time_ns()}
        host.deliver(master_order(status="PROCESSING", **name))
        for child in range(1 + number % 2):
            host.deliver(order(id=f"{each}-{child}", order_id="", status="REJECTED", **name))
    while True:
        host.tick(time.time())
        time.sleep(0.1)
"""


def test_no_order_is_acted_on_twice_and_every_intent_ends(venue: Venue, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    person = Person(venue)
    orders: list[str] = []
    ended: dict[int, Intent] = {}
    for _ in range(KILLS):
        orders.append(at_work(venue, orders))
        if fault := rng.choice(FAULTS):
            venue.inject(fault, rng.randint(1, AT_ONCE))
        guard = _start(tmp_path, venue, orders)
        try:
            _live_for_some_steps(tmp_path, orders, rng)
        finally:
            guard.kill()
            guard.wait()
        rows = _intents(tmp_path, Intents.all)
        ended.update({each.id: each for each in rows if each.state not in OPEN})
        person.act_on_some(orders, rng, rows)

    survivor = _start(tmp_path, venue, orders)
    try:
        wait_for(
            lambda: _intents(tmp_path, lambda intents: _is_over(intents, orders)),
            "the outcomes",
            PATIENCE,
        )
    finally:
        survivor.kill()
        survivor.wait()

    rows = _intents(tmp_path, Intents.all)
    assert {each.master_order_id for each in rows} == set(orders)
    _check_each_ended(rows, ended)
    _check_the_audit_file(tmp_path, rows)
    _check_the_venue(venue, person, rows)


class Person:
    """Somebody who acts on the same orders while no guard lives."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.api = API(venue.api_key, venue.api_secret, venue.rest_url, proxy="none")
        self.requests: Counter[str] = Counter()

    def act_on_some(self, orders: list[str], rng: random.Random, rows: list[Intent]) -> None:
        begun = self._venue.requests
        for order in rng.sample(orders, min(2, len(orders))):
            action = rng.choice(("pause", "resume", "resume", "cancel", ""))
            has_all_outcomes = not any(
                each.state in OPEN for each in rows if each.master_order_id == order
            )
            # A pause of unknown fate that a person has resumed is known by the stream alone, and
            # these guards have none.
            if action and (action != "resume" or has_all_outcomes):
                self._act(order, action)
        self.requests.update(
            each.path for each in self._venue.requests[len(begun) :] if each.method == "PUT"
        )

    def _act(self, order: str, action: str) -> None:
        for _ in range(AT_ONCE):  # faults that are left are for the guard
            with contextlib.suppress(RestError):
                self.api.master_order(order)
        act: Callable[..., object] = getattr(self.api, f"{action}_master_order_v2")
        with contextlib.suppress(RestError):  # it is in no status for that
            act(order, reason="desk")


def _live_for_some_steps(folder: Path, orders: list[str], rng: random.Random) -> None:
    """And then for a moment: within a write, within a call, or while it waits for something."""
    audit = _state(folder) / "audit.jsonl"
    wanted = audit.read_bytes().count(b"\n") + rng.randint(0, STEPS)
    wait_for(
        lambda: (
            audit.read_bytes().count(b"\n") >= wanted
            or _intents(folder, lambda intents: _is_over(intents, orders))
        ),
        "steps",
        PATIENCE,
    )
    time.sleep(rng.choice((0.0, rng.uniform(0.0, 0.02), rng.uniform(0.0, 1.5))))


def _is_over(intents: Intents, orders: list[str]) -> bool:
    acted = {(each.master_order_id, each.rule) for each in intents.all()}
    is_each_known = len(acted) >= len(orders) + len(orders) // 2
    return is_each_known and not intents.unfinished() and not intents.not_audited()


def _check_each_ended(rows: list[Intent], ended: dict[int, Intent]) -> None:
    for each in rows:
        known = ("answered", "read back", "pushed", "busy") if each.attempts else ("not sent",)
        assert (each.state in ("done", "refused", "moot"), each.how in known) == (True, True), each
        # Whatever a person did since: no call was begun after the outcome.
        if before := ended.get(each.id):
            assert (before.step, before.attempts) == (each.step, each.attempts), (before, each)
    acted = Counter((e.master_order_id, e.rule) for e in rows if e.how not in ("not sent", "busy"))
    assert max(acted.values()) == 1, acted.most_common(3)


def _check_the_audit_file(folder: Path, rows: list[Intent]) -> None:
    """It alone tells all that the table has."""
    told: dict[object, list[dict[str, object]]] = {}
    for line in lines(_state(folder)):
        told.setdefault(line["intent"], []).append(line)
    assert set(told) == {each.id for each in rows}
    for each in rows:
        steps = told[each.id]
        assert [line["step"] for line in steps] == list(range(1, each.step + 1)), steps
        assert sum(line["state"] == "calling" for line in steps) == each.attempts, steps
        last = steps[-1]
        for name in ("state", "how", "text", "reason", "figures", "rule", "master_order_id"):
            assert last[name] == getattr(each, name), (name, last, each)


def _check_the_venue(venue: Venue, person: Person, rows: list[Intent]) -> None:
    sent = Counter(each.path for each in venue.requests if each.method == "PUT")
    sent.subtract(person.requests)
    for path in sent:
        order, action = path.split("/")[-2:]
        called = sum(
            each.attempts for each in rows if (each.master_order_id, each.action) == (order, action)
        )
        # What was killed between the row and the socket was not sent, but nothing without a row.
        assert sent[path] <= called, (path, sent[path], called)
    for each in rows:
        if each.action == "cancel" and each.state == "done":
            seen = person.api.master_order(each.master_order_id)
            assert (seen.status, seen.reject_reason) == ("CANCELLED", each.mark)


def _state(folder: Path) -> Path:
    return next(folder.rglob("guard.db")).parent


def _intents(folder: Path, ask: Callable[[Intents], T]) -> T:
    return read(_state(folder), ask)


def _start(folder: Path, venue: Venue, orders: list[str]) -> subprocess.Popen[str]:
    with (folder / "log.txt").open("a") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", GUARD, str(folder), venue.rest_url),
                *(venue.api_key, venue.api_secret, *orders),
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.stdout.close()
    return process
