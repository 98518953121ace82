"""`qehost run` in real processes: what is told while others stand still, and after every death.

`QEHOST_TEST_NOTIFY_KILLS` says how many deaths there are (3), `QEHOST_TEST_NOTIFY_SEED` (0) makes
them others.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import pytest
from qehost.testing import Venue
from receivers import Handler, Receiver, hangs, takes, wait_for
from running import Market, Run

from qehost_notify.message import Message

KILLS = int(os.environ.get("QEHOST_TEST_NOTIFY_KILLS", "3"))
SEED = int(os.environ.get("QEHOST_TEST_NOTIFY_SEED", "0"))

pytestmark = pytest.mark.timeout(900 + KILLS * 100)

NOTIFY = """
[plugins.notify]
targets = [{ env = "HOOK_URL" }]
gather = "0.1s"
timeout = 60.0
down = "2s"
stuck = "2s"
"""
OF_ITS_OWN = 'process = "notify"\n'
EVERYTHING = """
[[plugins.notify.rules]]
when = ["rejected", "disconnected", "dead_letter", "problem"]
every = "0s"
"""
BLOCKS = """
import time

def on_order(message):
    time.sleep(1000)
"""
RAISES = """
def on_order(message):
    raise ValueError("no")
"""
BROKEN = "import nothing_of_this_name"


def told(receiver: Receiver) -> str:
    with receiver.lock:
        return "\n".join(each.text for each in receiver.taken)


@pytest.mark.parametrize("process", ["notify", "main"])
def test_what_is_wrong_is_told_while_a_host_stands_still(
    tmp_path: Path, venue: Venue, receiver: Receiver, process: str
) -> None:
    """Also with this plugin in the process that stands still: by its thread."""
    for name, source in (("blocks", BLOCKS), ("raises", RAISES), ("broken", BROKEN)):
        (tmp_path / f"{name}.py").write_text(source)
    settings = f"""
        {NOTIFY}
        process = "{process}"
        {EVERYTHING}
        [plugins.blocks]
        module = "blocks.py"
        order = 10
        [plugins.raises]
        module = "raises.py"
        process = "other"
        [plugins.broken]
        module = "broken.py"
        process = "other"
        """
    market = Market(venue)
    with Run(tmp_path, venue, receiver.url, settings) as run:
        run.wait_until_ready("main", "other", process)
        market.reject()
        expected = [
            "host process main stands still: on_order of plugin blocks",
            "Plugin raises has dead letters: ",
            "plugin broken could not be loaded",
        ]
        wait_for(
            lambda: all(text in told(receiver) for text in expected),
            lambda: told(receiver) + run.log(),
        )
        venue.stop()
        wait_for(lambda: "Stream down for" in told(receiver), lambda: told(receiver) + run.log())


def test_a_host_that_is_stopped_is_told_once_events_wait_for_it(
    tmp_path: Path, venue: Venue, receiver: Receiver
) -> None:
    (tmp_path / "quiet.py").write_text("def on_order(message): ...\n")
    settings = f'{NOTIFY}{OF_ITS_OWN}{EVERYTHING}[plugins.quiet]\nmodule = "quiet.py"'
    market = Market(venue)
    with Run(tmp_path, venue, receiver.url, settings) as run:
        run.wait_until_ready("main", "notify")
        stopped = run.host("main")
        assert stopped is not None
        os.kill(stopped.pid, signal.SIGSTOP)
        market.reject()
        wait_for(
            lambda: "host process main is behind: events waiting: " in told(receiver),
            lambda: told(receiver) + run.log(),
        )
        os.kill(stopped.pid, signal.SIGCONT)
        wait_for(lambda: "Over: host process main" in told(receiver), run.log)


def test_a_supervisor_that_is_stopped_is_told(
    tmp_path: Path, venue: Venue, receiver: Receiver
) -> None:
    with Run(tmp_path, venue, receiver.url, f"{NOTIFY}{OF_ITS_OWN}{EVERYTHING}") as run:
        run.wait_until_ready("notify")
        assert run.process is not None
        os.kill(run.process.pid, signal.SIGSTOP)
        try:
            wait_for(lambda: "supervisor has not written its status" in told(receiver), run.log)
        finally:
            os.kill(run.process.pid, signal.SIGCONT)


def test_hooks_go_on_while_a_target_hangs(tmp_path: Path, venue: Venue, receiver: Receiver) -> None:
    """The middle one of the calls, as `qehost status` has it, once the machine lets it."""
    receiver.behaviour = hangs
    market = Market(venue)
    with Run(tmp_path, venue, receiver.url, f"{NOTIFY}{OF_ITS_OWN}{EVERYTHING}") as run:
        run.wait_until_ready("notify")
        market.reject()
        wait_for(lambda: receiver.tried, run.log)

        def go_on() -> bool:
            market.reject()
            host = run.host("notify")
            return host is not None and host.plugins[0].calls >= 40 and host.plugins[0].p50 < 0.001

        wait_for(go_on, run.log)
        assert not receiver.taken


def is_another(run: Run, pid: int) -> bool:
    host = run.host("notify")
    return host is not None and host.pid != pid


def rejected(run: Run) -> int:
    """Child orders of which the journal has the reject, but for what was so before."""
    return len(
        {
            (event["detail"]["id"], event["detail"]["order_id"])
            for event in run.journal()
            if event["kind"] == "order"
            and event["origin"] != "baseline"
            and event["message"]["status"] == "REJECTED"
        }
    )


def answered(folder: Path) -> set[str]:
    """The keys of messages of which the file says that the service took them."""
    file = folder / "state" / "plugins" / "notify" / "messages.db"
    if not file.exists():
        return set()
    with closing(sqlite3.connect(file)) as database:
        try:
            rows = database.execute("SELECT message FROM messages WHERE state = 'sent'").fetchall()
        except sqlite3.OperationalError:  # it died before it had made the tables
            return set()
    return {msgspec.msgpack.decode(data, type=Message).key for (data,) in rows}


def test_after_kills_nothing_is_lost_and_nothing_comes_again_that_was_answered(
    tmp_path: Path, venue: Venue, receiver: Receiver
) -> None:
    chance = random.Random(SEED)

    def sometimes_slow(handler: Handler) -> None:
        time.sleep(chance.choice([0.0, 0.0, 0.02, 0.2]))
        takes(handler)

    receiver.behaviour = sometimes_slow
    market = Market(venue)
    rule = '[[plugins.notify.rules]]\nwhen = ["rejected"]\nevery = "0s"\n'
    run = Run(tmp_path, venue, receiver.url, f"{NOTIFY}{OF_ITS_OWN}{rule}")
    settled: dict[str, int] = {}
    try:
        run.start()
        run.wait_until_ready("notify")
        for number in range(KILLS):
            for _ in range(30):
                market.reject(chance.randint(1, 4))
                time.sleep(chance.choice([0.0, 0.01, 0.05]))
            time.sleep(chance.uniform(0.0, 0.5))
            host = run.host("notify")
            if number % 2 == 0 and host is not None:
                os.kill(host.pid, signal.SIGKILL)  # and the supervisor starts it again
                wait_for(partial(is_another, run, host.pid), run.log)
            else:
                run.kill()
                times = Counter(each.key for each in receiver.taken)
                settled |= {key: times[key] for key in answered(tmp_path) if key not in settled}
                run.start()
                run.wait_until_ready("notify")
        market.reject(3)
        wait_for(
            lambda: receiver.count() >= rejected(run),
            lambda: f"{receiver.count()}{run.log()}",
        )
        assert run.stop() == 0
        assert receiver.count() == rejected(run), run.log()
        times = Counter(each.key for each in receiver.taken)
        assert {key: times[key] for key in settled} == settled
        # What was on its way in a death may come again, with its key: one message each.
        assert sum(count - 1 for count in times.values()) <= KILLS
    finally:
        run.kill()
