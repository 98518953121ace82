"""An order's life in few lines, its figures, and a run of the program against a local venue."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from qehost.testing import Events, Venue

from qehost_stats.making import figures_of
from qehost_stats.traces import Traces

START = 1_764_036_000_000  # epoch ms, 2025-11-25T02:00:00Z
MS = 1_000_000
PROGRAM = str(Path(sys.executable).with_name("qehost"))
EVENTS = 1_500
SETTINGS = """
state_dir = "state"
[accounts.main]
api_key = "{key}"
api_secret = "{secret}"
rest_url = "{rest}"
ws_url = "{ws}"
[plugins.stats]
every = 1
"""


class Life:
    """The events of one master order, at seconds after START."""

    def __init__(self, **terms):
        self.terms = {"master_order_id": "mo-1", "start_time_ms": START, **terms}
        self.events = []
        self._make = Events(start_ms=START, step_ms=0)
        self._filled = {}

    def _head(self, at):
        return {"received_at": int((START + at * 1000) * MS)}

    def master(self, at, status="PROCESSING", **fields):
        moment = int(START + at * 1000)
        fields = {"updated_at": "", "timestamp": moment, **fields}
        del fields["updated_at"]
        self.events.append(
            self._make.master_order(status=status, **{**self.terms, **fields}, **self._head(at))
        )

    def child(self, at, number=1, filled="0", price="100", status="PLACED", average=None, **fields):
        """A state of a child order; where more is filled than before, with its fill."""
        own = {k: self.terms[k] for k in ("symbol", "side", "category") if k in self.terms}
        update = self._make.order(
            master_order_id=self.terms["master_order_id"],
            id=f"v{number}",
            order_id=f"o{number}",
            price=price,
            status=status,
            filled_quantity=filled,
            average_price=average or price,
            order_created_time=int(START + at * 1000),
            timestamp=int(START + at * 1000),
            **{"quantity": "1", **own, **fields},
            **self._head(at),
        )
        self.events.append(update)

    def fill(self, at, quantity, price, number=1, cum=None, **fields):
        """A fill, and in front of it the child order's state, which stays open."""
        own = {k: self.terms[k] for k in ("symbol", "side", "category") if k in self.terms}
        self.events.append(
            self._make.fill(
                id=f"v{number}",
                master_order_id=self.terms["master_order_id"],
                order_id=f"o{number}",
                quantity=quantity,
                price=price,
                cum_quantity=cum or quantity,
                fill_time=int(START + at * 1000),
                **{**own, **fields},
                **self._head(at),
            )
        )

    def figures(self, now=None):
        traces = Traces()
        traces.add(self.events)
        (trace,) = traces.unsettled()
        return figures_of(trace, int(START + now * 1000) if now else traces.as_of)


@pytest.fixture
def life():
    return Life


@pytest.fixture(scope="session")
def qehost():
    """Call the program, which must end with 0 unless `fails`."""

    def call(*arguments, cwd=None, fails=False):
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert bool(done.returncode) is fails, done.stderr
        return done

    return call


@pytest.fixture(scope="session")
def journal(tmp_path_factory, qehost):
    """The folder of a run against a local venue, which answers REST on: settings, state, log."""
    folder = Path(tmp_path_factory.mktemp("run"))
    with Venue(seed=3) as venue:
        account = venue.accounts[0]
        (folder / "qehost.toml").write_text(
            SETTINGS.format(
                key=account.api_key, secret=account.api_secret, rest=venue.rest_url, ws=venue.ws_url
            )
        )
        with (folder / "log").open("wb") as log:
            run = subprocess.Popen([PROGRAM, "run", "-c", "qehost.toml"], cwd=folder, stderr=log)
            try:
                _wait_for_events(qehost, folder, venue)
            finally:
                run.send_signal(signal.SIGTERM)
                run.wait(200)
        yield folder


def _wait_for_events(qehost, folder, venue):
    """Until the journal has enough of the market, however slow the machine is."""
    command = ("stats", "report", "-c", "qehost.toml", "--no-venue", "--format", "json", "-o", "-")
    until = time.monotonic() + 250
    venue.wait_connected(timeout=120)
    venue.rate = 300
    while len(venue.sent) < EVENTS and time.monotonic() < until:
        time.sleep(0.05)
    venue.rate = 0  # the venue keeps a bounded number of orders, and is asked about these
    while time.monotonic() < until:
        if json.loads(qehost(*command, cwd=folder).stdout)["events"] >= EVENTS:
            return
    raise AssertionError("the venue's market did not come")


@pytest.fixture(scope="session")
def report(journal, qehost):
    """The report of that run, as JSON."""
    qehost("stats", "report", "-c", "qehost.toml", "-o", "report.json", cwd=journal)
    return json.loads((journal / "report.json").read_text())
