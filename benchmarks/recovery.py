"""`python benchmarks/recovery.py`: what killing the plugins' process costs, in time and in events.

The local venue sends numbered messages, `qehost run` hands them to a plugin that writes each one
down, and the host process is killed (SIGKILL) at random moments.  Measured: from each kill to the
first event that the new process delivers; and what was lost, and what came twice.

The peer is a multiprocessing child of the method `spawn` that does nothing but say that it is
there: the least that any restart in a fresh interpreter takes.  The delay of 0.1 s before a restart
is in our figure, and not in the peer's.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import msgspec

from qehost.simulator import Venue

SINK = """
import os, time
FILE = os.open("delivered", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

def on_status(status, event):
    line = f"{os.getpid()} {status} {event.redelivered:d} {time.monotonic()}\\\\n"
    os.write(FILE, line.encode())
""".replace("\\\\n", "\\n")
PATIENCE = 60.0


class Delivered(NamedTuple):
    pid: int
    number: int
    redelivered: bool
    at: float


class Sink:
    """What the plugin has written down so far."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_to = 0
        self.all: list[Delivered] = []

    def look(self) -> list[Delivered]:
        """What is new."""
        with contextlib.suppress(FileNotFoundError), self._file.open("rb") as file:
            file.seek(self._read_to)
            data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read_to += len(whole)
            new = [
                Delivered(int(pid), int(number), redelivered == b"1", float(at))
                for pid, number, redelivered, at in map(bytes.split, whole.splitlines())
            ]
            self.all += new
            return new
        return []

    def wait_for_another(self, pid: int) -> Delivered:
        """The first event that a process other than this one delivered."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for each in self.look():
                if each.pid != pid:
                    return each
            time.sleep(0.002)
        raise TimeoutError("nothing was delivered any more")


class Sender(threading.Thread):
    """Sends messages numbered from 1, `rate` a second, until `stop`."""

    def __init__(self, venue: Venue, rate: float) -> None:
        super().__init__(daemon=True)
        self.sent = 0
        self._venue = venue
        self._rate = rate
        self._end = threading.Event()

    def run(self) -> None:
        begun = time.monotonic()
        while not self._end.is_set():
            while self.sent < (time.monotonic() - begun) * self._rate:
                number = self.sent + 1
                self._venue.push(
                    msgspec.json.encode(
                        {
                            "type": "status",
                            "messageId": f"n{number}",
                            "userId": "",
                            "data": str(number),
                        }
                    )
                )
                self.sent = number
            time.sleep(0.002)

    def stop(self) -> None:
        self._end.set()
        self.join()


def kill_repeatedly(kills: int, rate: float, seed: int) -> tuple[list[float], list[Delivered], int]:
    """Seconds for each recovery, everything delivered, and how many messages were sent."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, Venue(remember=0) as venue:
        (Path(folder) / "sink.py").write_text(SINK)
        command = [
            sys.executable, "-c", "from qehost.cli import main; main()", "run", "-p", "sink",
            "--state-dir", "state", "--ws-url", venue.ws_url, "--rest-url", venue.rest_url,
            "--log-level", "critical",
        ]  # fmt: skip
        env = {
            **os.environ,
            "QEHOST_API_KEY": venue.api_key,
            "QEHOST_API_SECRET": venue.api_secret,
        }
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL)
        try:
            venue.wait_connected()
            sink = Sink(Path(folder) / "delivered")
            sender = Sender(venue, rate)
            sender.start()
            times = []
            pid = sink.wait_for_another(0).pid
            for done in range(kills):
                time.sleep(rng.uniform(0.0, 0.3))
                killed_at = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                first = sink.wait_for_another(pid)
                times.append(first.at - killed_at)
                pid = first.pid
                if sys.stderr.isatty():
                    print(f"\r{done + 1} of {kills} kills", end="", file=sys.stderr)
            sender.stop()
            deadline = time.monotonic() + PATIENCE
            while not any(each.number == sender.sent for each in sink.all):
                sink.look()
                if time.monotonic() > deadline:
                    break
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
            sink.look()
            return times, sink.all, sender.sent
        finally:
            process.kill()
            process.wait()


def spawn_times(count: int) -> list[float]:
    """Seconds from the start of a bare child until it says that it is there."""
    spawn = multiprocessing.get_context("spawn")
    times = []
    for _ in range(count):
        ours, theirs = spawn.Pipe()
        begun = time.monotonic()
        child = spawn.Process(target=_say_hello, args=(theirs,))
        child.start()
        ours.recv()
        times.append(time.monotonic() - begun)
        child.join()
        ours.close()
        theirs.close()
    return times


def _say_hello(pipe: Connection) -> None:
    pipe.send(None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    peer = statistics.median(spawn_times(10))
    times, delivered, sent = kill_repeatedly(options.kills, options.rate, options.seed)
    times.sort()
    counts = Counter(each.number for each in delivered)
    lost = sent - len(counts)
    twice = sum(count - 1 for count in counts.values())
    seen: set[int] = set()
    unmarked = 0
    for each in delivered:
        unmarked += each.number in seen and not each.redelivered
        seen.add(each.number)
    median = statistics.median(times)
    print(f"\r{options.kills} kills under {options.rate:g} messages/s, {sent:,} messages sent")
    print(f"lost                         {lost}")
    print(f"delivered twice, marked      {twice - unmarked}")
    print(f"delivered twice, not marked  {unmarked}")
    print(
        f"from kill to next event      p50 {median * 1e3:.0f} ms, "
        f"p95 {times[int(len(times) * 0.95)] * 1e3:.0f} ms, max {times[-1] * 1e3:.0f} ms"
    )
    print(f"a bare spawned child         p50 {peer * 1e3:.0f} ms; ratio {median / peer:.1f}")


if __name__ == "__main__":
    main()
