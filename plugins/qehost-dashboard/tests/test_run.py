"""With `qehost run` and a local venue: real processes, a real stream, a real death."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from conftest import free_port, wait_for
from playwright.sync_api import expect
from qehost.testing import Venue

PROGRAM = str(Path(sys.executable).with_name("qehost"))
SETTINGS = """
state_dir = "state"
[accounts.main]
api_key = "{key}"
api_secret = "{secret}"
rest_url = "{rest}"
ws_url = "{ws}"
[plugins.dashboard]
port = {port}
process = "dashboard"
"""


class Run:
    """`qehost run`, which may be killed and started again."""

    def __init__(self, folder, venue):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.folder = folder
        account = venue.accounts[0]
        (folder / "qehost.toml").write_text(
            SETTINGS.format(
                key=account.api_key,
                secret=account.api_secret,
                rest=venue.rest_url,
                ws=venue.ws_url,
                port=self.port,
            )
        )
        self.process = None

    def start(self):
        command = [PROGRAM, "run", "-c", "qehost.toml", "--strict"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stderr=log, start_new_session=True
            )

    def state(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}api/state", timeout=30) as answer:
                return json.load(answer)
        except OSError:
            return None

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    @property
    def log(self):
        return (self.folder / "log").read_text()


@pytest.fixture
def run(tmp_path):
    with Venue(seed=5, rate=20) as venue:
        running = Run(tmp_path, venue)
        running.start()
        yield running
        if running.process.poll() is None:
            running.kill()


def orders(run):
    """The ids of those that the page has."""
    return {row["id"] for row in (run.state() or {}).get("changes", {}).get("masters", [])}


def test_a_live_market_fills_the_page_and_a_death_is_seen_and_gone_by(run, look):
    wait_for(run.state, "the page")
    look.expected = ("ERR_", "net::", "503")
    page = look.open(run.url)
    expect(page.locator("#alive")).to_have_text("Live")
    expect(page.locator("#links")).to_contain_text("main")
    expect(page.locator("#links")).to_contain_text("up ")
    expect(page.locator("#figures")).to_contain_text("protected")
    expect(page.locator("#orders tbody tr").nth(2)).to_be_visible()
    before = orders(run)
    run.kill()
    expect(page.locator("#alive")).to_contain_text("Stale since")
    run.start()
    expect(page.locator("#alive")).to_have_text("Live")
    wait_for(lambda: before <= orders(run), "what was there before")
    page.close()
    assert run.stop() == 0
    assert "Traceback" not in run.log
    assert not [line for line in run.log.splitlines() if "ERROR" in line and "dashboard" in line]
