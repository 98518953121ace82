"""`python benchmarks/campaign.py`: faults at random under load, and what they cost in events.

The local venue sends numbered messages to a `qehost run` with two plugins, each in a process of its
own, which write down every call.  Processes are killed and stopped, disks fill up, files are
damaged and deleted, clocks jump, the plugins are reloaded: one fault after the other, by a seeded
rng, five kills for each other fault.  In the end, for each plugin:

lost, unannounced   events that were received (they have a number) and neither reached the plugin
                    nor were told as a gap, and messages that were sent and not received where no
                    new connection and no gap was told
doubled, unmarked   calls for an event that the plugin had had before, without `redelivered`
longest stall       between two calls, while messages were sent

The same seed strikes in the same order; when that is depends on the machine.  What needs root (a
disk of its own, immutable files) is left out without it.  Ends with 1 if something was lost or
doubled.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from campaign_faults import KILLS, OTHERS, Fault, loop_disk
from running import Run

from qehost.simulator import Venue
from qehost.storage.cursor_doubt import forget_doubt
from qehost.storage.state_folder import StateFolder

HERE = Path(__file__).parent
PLUGINS = ("first", "second")
KILLS_FOR_EACH_OTHER = 5
RECOVERED = 0.8
"""Of the faults strike a program that works again after the one before."""
PATIENCE = 60.0
DISK = 400 << 20
SETTLE = 180.0
"""Seconds for what is left in the end."""
SETTINGS = {
    "connection.reconnect_delay": 0.1,
    "connection.reconnect_max_delay": 0.5,
    "connection.ping_interval": 1,
    "connection.pong_timeout": 2,
    "journal.keep_bytes": 128 << 20,
    "plugins.second.process": "side",
}
# A clock that can be set for these processes alone.  Python runs this before anything else.
CLOCK = """
import os, time
_time, _time_ns = time.time, time.time_ns
def _offset():
    try:
        with open(os.environ["QEHOST_TEST_OFFSET"]) as file:
            return int(file.read() or 0)
    except (OSError, ValueError):
        return 0
time.time = lambda: _time() + _offset()
time.time_ns = lambda: _time_ns() + _offset() * 10**9
"""


class Call(NamedTuple):
    pid: int
    at: float
    seq: int
    redelivered: bool
    kind: str
    number: int
    """Of a status message; of a gap the first event, and `until` the last."""
    until: int


class Sender(threading.Thread):
    """Sends messages numbered from 1, `rate` a second, whenever there is a stream."""

    def __init__(self, venue: Venue, rate: float) -> None:
        super().__init__(daemon=True)
        self.sent = 0
        self._venue = venue
        self._pause = 1.0 / rate
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(self._pause):
            self.push()

    def push(self) -> None:
        number = self.sent + 1
        message = {
            "type": "status",
            "messageId": f"n{number}",
            "userId": "",
            "data": f"{number} of a campaign",
        }
        if self._venue.push(msgspec.json.encode(message)):
            self.sent = number

    def stop(self) -> None:
        self._end.set()
        self.join()


class Campaign:
    """One run, the faults that strike it, and what came of it."""

    def __init__(
        self, folder: Path, venue: Venue, disk: Path | None, rate: float, seed: int
    ) -> None:
        self.venue = venue
        self.rng = random.Random(seed)
        self.disk = disk
        self.struck: Counter[str] = Counter()
        self.moments: list[tuple[float, str]] = []
        self.gave_up = 0
        self._folder = folder
        self._sender = Sender(venue, rate)
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(CLOCK)
        (folder / "offset").write_text("0")
        for name in PLUGINS:
            shutil.copy(HERE / "campaign_witness.py", folder / f"{name}.py")
        self.run = self._start()

    def _start(self) -> Run:
        path = os.pathsep.join((str(self._folder / "site"), os.environ.get("PYTHONPATH", "")))
        return Run(
            self._folder,
            *("-p", "no:recorder", "-p", PLUGINS[0], "-p", PLUGINS[1]),
            venue=self.venue,
            settings=SETTINGS,
            state=(self.disk or self._folder) / "state",
            env={
                "QEHOST_TEST_OFFSET": str(self._folder / "offset"),
                "PYTHONPATH": path.rstrip(os.pathsep),
                "NO_PROXY": "127.0.0.1",
            },
        )

    def restart(self) -> None:
        try:
            self.run.process.wait(30)
        except subprocess.TimeoutExpired:
            self.struck["did not end in 30 s"] += 1
        self.run.kill()
        self.run = self._start()

    def strike(self, name: str, fault: Fault) -> None:
        if self.run.process.poll() is not None:
            self.gave_up += 1
            print(f"\nit ended by itself with {self.run.process.returncode}{self.run.story()}")
            self.restart()
        self.moments.append((time.monotonic(), name))
        self.struck[name] += 1
        fault(self)

    def carry_out(self, faults: int, seconds: float) -> None:
        """So many faults, or for so long: whatever comes first."""
        possible = {
            name: fault
            for name, fault in OTHERS.items()
            if self.disk is not None or not name.startswith("disk")
        }
        self.venue.wait_connected()
        self._sender.start()
        try:
            self._strike_all(possible, faults, time.monotonic() + seconds)
        except KeyboardInterrupt:
            print("ended early")
        self._sender.stop()
        self._settle()

    def _strike_all(self, possible: dict[str, Fault], faults: int, until: float) -> None:
        others: list[str] = []
        for count in range(faults):
            if time.monotonic() >= until:
                break
            if count % (KILLS_FOR_EACH_OTHER + 1) == KILLS_FOR_EACH_OTHER:
                # Each of them once before any comes again.
                if not others:
                    others = sorted(possible)
                    self.rng.shuffle(others)
                name = others.pop()
                self.strike(name, possible[name])
            else:
                name = self.rng.choice(sorted(KILLS))
                self.strike(name, KILLS[name])
            # Some strike what has not come back from the one before.
            if self.rng.random() < RECOVERED:
                self._wait_for_life()
            time.sleep(self.rng.uniform(0.0, 0.6))
            if sys.stderr.isatty():
                print(f"\r{count + 1} faults, {self._sender.sent} sent", end="", file=sys.stderr)
            elif count % 100 == 99:
                print(f"{count + 1} faults, {self._sender.sent} sent", file=sys.stderr)

    def _wait_for_life(self) -> None:
        """Until each plugin is called again, or qehost has ended, or for long enough."""
        deadline = time.monotonic() + PATIENCE
        before = self._written()
        while time.monotonic() < deadline and self.run.process.poll() is None:
            if all(now > then for now, then in zip(self._written(), before, strict=True)):
                return
            time.sleep(0.02)

    def _written(self) -> list[int]:
        """How much each plugin has written down."""
        files = (self._folder / f"{name}.calls" for name in PLUGINS)
        return [file.stat().st_size if file.exists() else 0 for file in files]

    def _settle(self) -> None:
        """Until each plugin has had a message that was sent after all faults."""
        deadline = time.monotonic() + SETTLE
        while time.monotonic() < deadline:
            if self.run.process.poll() is not None:
                self.restart()
            self._sender.push()
            time.sleep(0.5)
            ends = [self.calls(name, tail=True) for name in PLUGINS]
            if all(c and max(each.number for each in c) >= self._sender.sent - 1 for c in ends):
                break
        self.run.process.terminate()
        self.run.wait()

    def calls(self, plugin: str, *, tail: bool = False) -> list[Call]:
        """All that it wrote down, in order; of these only the last ones."""
        with open(self._folder / f"{plugin}.calls", "rb") as file:
            if tail:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 4_000))
                file.readline()
            return [_call(line) for line in file]

    @property
    def sent(self) -> int:
        return self._sender.sent


def _call(line: bytes) -> Call:
    pid, at, seq, redelivered, kind, *rest = line.decode().split()
    numbers = [*map(int, rest), 0, 0]
    return Call(int(pid), float(at), int(seq), redelivered == "1", kind, numbers[0], numbers[1])


class Outcome(NamedTuple):
    """What the calls of one plugin show."""

    events: int
    redelivered: int
    in_gaps: int
    lost: list[int]
    """Numbers of events."""
    lost_messages: list[int]
    """Numbers of messages."""
    doubled: list[int]
    disordered: int
    stall: float
    stall_after: str


def judge(calls: list[Call], sent: int, moments: list[tuple[float, str]]) -> Outcome:
    seen: set[int] = set()
    doubled: list[int] = []
    redelivered = disordered = 0
    at: Counter[int] = Counter()
    gaps: set[int] = set()
    for call in calls:
        if call.kind == "gap":
            gaps |= set(range(call.number, call.until + 1))
            continue
        if call.seq in seen and not call.redelivered:
            doubled.append(call.seq)
        disordered += call.seq < at[call.pid]
        at[call.pid] = call.seq
        redelivered += call.redelivered
        seen.add(call.seq)
    lost = sorted(set(range(1, max(seen, default=0) + 1)) - seen - gaps)
    times = [call.at for call in calls]
    stall, begun = max(((b - a, a) for a, b in pairwise(times)), default=(0, 0))
    before = [name for moment, name in moments if begun - 2.0 <= moment <= begun + stall]
    return Outcome(
        len(seen),
        redelivered,
        len(gaps - seen),
        lost,
        _lost_messages(calls, gaps - seen, sent),
        doubled,
        disordered,
        stall,
        ", ".join(before[:3]),
    )


def _lost_messages(calls: list[Call], gaps: set[int], sent: int) -> list[int]:
    """Those that were sent and not received, and no new connection and no gap is told between what
    came before and what came after."""
    seqs = {call.number: call.seq for call in calls if call.kind == "status"}
    told = sorted({call.seq for call in calls if call.kind in ("connected", "error")} | gaps)
    received = sorted(seqs)
    lost = []
    for number in sorted(set(range(1, sent)) - set(seqs)):
        place = bisect_left(received, number)
        begin = seqs[received[place - 1]] if place else 0
        end = seqs[received[place]] if place < len(received) else 1 << 62
        if bisect_right(told, begin) == bisect_left(told, end):
            lost.append(number)
    return lost


def report(campaign: Campaign, outcomes: dict[str, Outcome], seconds: float, seed: int) -> int:
    kills = sum(campaign.struck[name] for name in KILLS)
    others = sum(campaign.struck[name] for name in OTHERS)
    print(f"\r{seconds / 60:.0f} minutes, seed {seed}, Python {sys.version.split()[0]}\n")
    rows = [("kills", f"{kills:,}"), ("other faults", f"{others:,}")]
    rows += [("messages sent", f"{campaign.sent:,}")]
    lost = [len(each.lost) + len(each.lost_messages) for each in outcomes.values()]
    doubled = [len(each.doubled) for each in outcomes.values()]
    worst = max(outcomes.values(), key=lambda each: each.stall)
    rows += [
        ("events, of each of two plugins", " + ".join(f"{o.events:,}" for o in outcomes.values())),
        ("lost, unannounced", f"{sum(lost):,}"),
        ("doubled, unmarked", f"{sum(doubled):,}"),
        ("out of order", f"{sum(o.disordered for o in outcomes.values()):,}"),
        ("told as gaps", " + ".join(f"{o.in_gaps:,}" for o in outcomes.values())),
        ("came again, marked", f"{sum(o.redelivered for o in outcomes.values()):,}"),
        ("longest stall", f"{worst.stall:.1f} s ({worst.stall_after})"),
        ("ended by itself", f"{campaign.gave_up}"),
    ]
    print("| | |\n|---|---|")
    for name, figure in rows:
        print(f"| {name} | {figure} |")
    print("\n" + ", ".join(f"{name} {n}" for name, n in sorted(campaign.struck.items())))
    for plugin, each in outcomes.items():
        for what, found in (
            ("events lost", each.lost),
            ("messages lost", each.lost_messages),
            ("events doubled", each.doubled),
        ):
            if found:
                print(f"{plugin}: {what}: {found[:20]}{' …' * (len(found) > 20)}")
    return 1 if sum(lost) + sum(doubled) + sum(o.disordered for o in outcomes.values()) else 0


def forget(campaign: Campaign) -> None:
    """What was noted in the memory of the machine, for a next start that never comes."""
    for name in PLUGINS:
        forget_doubt(StateFolder(campaign.run.state).progress_file(name))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--faults", type=int, default=1_000_000, help="at most")
    parser.add_argument("--rate", type=float, default=100.0, help="messages a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="the folder, with all that was written")
    options = parser.parse_args()
    # As `nohup` does: while Python itself starts, nothing else keeps SIGHUP from ending it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Told to end, it still says what came of it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="qehost-campaign-"))
        if not options.keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        disk = stack.enter_context(loop_disk(folder, DISK))
        venue = stack.enter_context(Venue(remember=0))
        begun = time.monotonic()
        campaign = Campaign(folder, venue, disk, options.rate, options.seed)
        stack.callback(forget, campaign)
        stack.callback(lambda: campaign.run.kill())
        campaign.carry_out(options.faults, options.minutes * 60)
        seconds = time.monotonic() - begun
        outcomes = {
            name: judge(campaign.calls(name), campaign.sent, campaign.moments) for name in PLUGINS
        }
        if options.keep:
            print(f"everything is in {folder}")
            (folder / "log").write_text("".join(campaign.run.log))
        return report(campaign, outcomes, seconds, options.seed)


if __name__ == "__main__":
    sys.exit(main())
