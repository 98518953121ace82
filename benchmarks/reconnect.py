"""How long a stream is down: from each kind of end to the next open connection.

::

    python benchmarks/reconnect.py            # both settings, about four minutes
    python benchmarks/reconnect.py 0.1        # reconnect_delay = 0.1 alone, half a minute

It runs the real command on a local venue with eight accounts, ends all streams at once in one way
after the other, and reads from the venue's side when each account was there again.  What the
silent venue costs is mostly ping_interval + pong_timeout (30 s + 10 s by default, here 2 s + 1 s).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from qehost.config.settings import ConnectionSettings
from qehost.connection.state_machine import PROOF
from qehost.simulator import Venue

QEHOST = [sys.executable, "-c", "from qehost.cli import main; main(prog_name='qehost')"]
ACCOUNTS = 8
PATIENCE = 120.0

ENDS: dict[str, Callable[[Venue], object]] = {
    "close frame": lambda venue: venue.drop("close", 1000),
    "end of file": lambda venue: venue.drop("end"),
    "reset": lambda venue: venue.drop("reset"),
    "torn frame": lambda venue: venue.inject("torn"),
    "protocol violation": lambda venue: venue.inject("reserved"),
    "not UTF-8": lambda venue: venue.inject("invalid-utf8"),
    "reset, then HTTP 500": lambda venue: refuse_all(venue, "handshake-500"),
    "reset, then HTTP 429, wait 1 s": lambda venue: refuse_all(venue, "handshake-429"),
    "silence (noticed after 3 s)": lambda venue: venue.inject("silence"),
}


def refuse_all(venue: Venue, fault: str) -> None:
    """Ends all streams, and meets the first attempt of each account with the fault."""
    venue.inject(fault, ACCOUNTS)
    venue.drop("reset")


def opened(venue: Venue, since: float) -> list[float]:
    """When streams have opened since then."""
    return [seen.at for seen in venue.requests if seen.status == 101 and seen.at > since]


def wait_opened(venue: Venue, since: float) -> list[float]:
    deadline = time.monotonic() + PATIENCE
    while len(times := opened(venue, since)) < ACCOUNTS:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {len(times)} of {ACCOUNTS} accounts came back")
        time.sleep(0.01)
    return times


def settings(venue: Venue) -> str:
    return "\n".join(
        f'[accounts.number{account.index}]\nws_url = "{venue.ws_url}"\n'
        f'rest_url = "{venue.rest_url}"\n'
        f'api_key = "{account.api_key}"\napi_secret = "{account.api_secret}"'
        for account in venue.accounts
    )


def measure(delay: float) -> dict[str, list[float]]:
    """Seconds without a stream, by kind of end, one for each account."""
    with tempfile.TemporaryDirectory() as folder, Venue(accounts=ACCOUNTS) as venue:
        file = Path(folder) / "qehost.toml"
        file.write_text(settings(venue), encoding="utf-8")
        file.chmod(0o600)
        environment = {
            **os.environ,
            "QEHOST_CONNECTION__RECONNECT_DELAY": str(delay),
            "QEHOST_CONNECTION__PING_INTERVAL": "2",
            "QEHOST_CONNECTION__PONG_TIMEOUT": "1",
        }
        run = subprocess.Popen(
            [*QEHOST, "run", "-c", str(file), "--state-dir", folder],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            since = 0.0
            found = {}
            wait_opened(venue, since)
            for name, end in ENDS.items():
                # Until each connection has proved itself.
                time.sleep(PROOF + 0.2)
                since = time.monotonic()
                end(venue)
                found[name] = [at - since for at in wait_opened(venue, since)]
            return found
        finally:
            run.terminate()
            run.wait()


def main() -> None:
    delays = [float(text) for text in sys.argv[1:]] or [ConnectionSettings().reconnect_delay, 0.1]
    results = [measure(delay) for delay in delays]
    heads = (f"`reconnect_delay` {delay:g} s" for delay in delays)
    print(f"| seconds without a stream: median, worst of 8 | {' | '.join(heads)} |")
    print("|---" * (len(delays) + 1) + "|")
    for name in ENDS:
        cells = (
            f"{statistics.median(result[name]):.2f}, {max(result[name]):.2f}" for result in results
        )
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
