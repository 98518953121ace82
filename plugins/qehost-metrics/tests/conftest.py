"""A plugin that serves, what its pages say, and runs of the program against a local venue."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from qehost import ConnectionState, HostState, PluginState, Status
from qehost.testing import PluginHost, Venue

from qehost_metrics import Metrics

PROGRAM = str(Path(sys.executable).with_name("qehost"))
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PROMETHEUS, PROMTOOL = shutil.which("prometheus") or "", shutil.which("promtool") or ""
needs_prometheus = pytest.mark.skipif(
    not (PROMETHEUS and PROMTOOL),
    reason="no Prometheus here: apt-get install --no-install-recommends prometheus",
)
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
SETTINGS = """
state_dir = "state"
[accounts.main]
api_key = "{key}"
api_secret = "{secret}"
rest_url = "{rest}"
ws_url = "{ws}"
[plugins.metrics]
port = 0
process = "metrics"
max_down = 1.0
max_lag = 2.0
max_call = 1.0
"""


class Page:
    """An answer, and the samples in it."""

    def __init__(self, url, headers=()):
        request = urllib.request.Request(url, headers=dict(headers))
        try:
            with OPENER.open(request, timeout=30) as reply:
                self.status, self.headers, self.body = reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                self.status, self.headers, self.body = error.code, error.headers, error.read()
        self.text = self.body.decode()

    def json(self):
        return json.loads(self.body)

    def value(self, series):
        """Of one series, as `name{label="x"}`; None: it is not there."""
        for line in self.text.splitlines():
            if line.startswith(f"{series} "):
                return float(line[len(series) :].split()[0])
        return None

    def names(self):
        return set(re.findall(r"^([a-z_]+)(?:\{| )", self.text, re.MULTILINE))


class Serving:
    """The plugin in this process."""

    def __init__(self, host):
        self.host = host
        self._url = f"http://127.0.0.1:{port_of(host)}"

    def deliver(self, *events):
        self.host.deliver(*events)

    def get(self, path="/metrics", **headers):
        return Page(self._url + path, headers)

    def openmetrics(self):
        return self.get(Accept=OPENMETRICS)


def port_of(host):
    return host.plugin._server.port


def well(**fields):
    """The status of a qehost that is well."""
    now = time.time()
    values = {
        "version": "0.1.0",
        "pid": os.getpid(),
        "started_at": now - 60,
        "written_at": now,
        "ended": "",
        "connections": [
            ConnectionState("main", 11, "connected", now - 60, 0, 0, now - 1, 0.0, 9, True, 4096)
        ],
        "hosts": [
            HostState(
                "main", 12, True, 0, [], None, [PluginState("x", True, 3, 1, 2.5, 0, 0, 0, 4)]
            )
        ],
    }
    return Status(**{**values, **fields})


@pytest.fixture
def serving():
    with PluginHost(Metrics, {"port": 0}) as host:
        host.status = well()
        yield Serving(host)


def wait_for(condition, story=str):
    until = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < until, story()
        time.sleep(0.05)
    return found


class Run:
    """`qehost run` in its own folder."""

    def __init__(self, folder, venue, more=""):
        account = venue.accounts[0]
        (folder / "qehost.toml").write_text(
            SETTINGS.format(
                key=account.api_key, secret=account.api_secret, rest=venue.rest_url, ws=venue.ws_url
            )
            + more
        )
        self.folder = folder
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "run", "-c", "qehost.toml"], cwd=folder, stderr=log
            )
        try:
            line = self.wait_for(lambda: re.search(r"metrics at (http://\S+)/metrics", self.said()))
        except BaseException:
            self.stop()
            raise
        self.url = line.group(1)

    def said(self):
        return self.log.read_text()

    def get(self, path="/metrics", **headers):
        return Page(self.url + path, headers)

    def status(self):
        return json.loads((self.folder / "state" / "status.json").read_text())

    def wait_for(self, condition):
        def found_while_it_runs():
            assert self.process.poll() is None, self.said()
            return condition()

        return wait_for(found_while_it_runs, self.said)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(120)
        finally:
            self.process.kill()


@pytest.fixture
def venue():
    with Venue(seed=3, rate=50) as venue:
        yield venue


@pytest.fixture
def run(tmp_path, venue):
    run = Run(tmp_path, venue)
    yield run
    run.stop()
