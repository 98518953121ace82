"""A real run: its process is stopped in the middle of a call, disarmed, killed and started anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import read, wait_for
from qehost import API
from qehost.testing import Venue

from qehost_guard.intents import Intent, Intents
from qehost_guard.switch import Switch

QEHOST = [sys.executable, "-c", "from qehost.cli import main; main(prog_name='qehost')"]
PATIENCE = 300.0

pytestmark = pytest.mark.timeout(1500)


class Run:
    """`qehost run` with a guard that pauses every order that is filled."""

    def __init__(self, folder: Path, venue: Venue) -> None:
        self.cwd = folder
        self.venue = venue
        self.folder = folder / "state" / "plugins" / "guard"
        (folder / "qehost.toml").write_text(
            f"""
            state_dir = "state"
            [accounts.main]
            ws_url = "{venue.ws_url}"
            rest_url = "{venue.rest_url}"
            api_key = {{ env = "TEST_KEY" }}
            api_secret = {{ env = "TEST_SECRET" }}
            [host]
            hang_timeout = 0    # it is the test that ends the process that stands still
            [plugins.guard]
            process = "guard"
            armed = true
            settle = "1s"
            max_age = "1h"
            [[plugins.guard.rules]]
            notional = 0
            action = "pause"
            [[plugins.guard.rules]]
            notional = 0
            name = "seen"
            """
        )
        secrets = {"TEST_KEY": venue.api_key, "TEST_SECRET": venue.api_secret}
        with (folder / "log.txt").open("w") as log:
            self.process = subprocess.Popen(
                [*QEHOST, "run", "-c", "qehost.toml"],
                cwd=folder,
                env={**os.environ, **secrets},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Without the secrets that the run has."""
        return subprocess.run(
            [*QEHOST, "guard", *arguments, "-c", "qehost.toml"],
            cwd=self.cwd,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def calls(self, status: int) -> list[str]:
        """The orders of the pauses that were answered so."""
        return [
            each.path.split("/")[-2]
            for each in self.venue.requests
            if each.path.endswith("/pause") and each.status == status
        ]

    def until_called(self, status: int, number: int) -> str:
        """Move the market until there are so many such pauses; the order of the last one."""
        while len(self.calls(status)) < number:
            (update,) = self.venue.step()
            if getattr(update.subject, "filled_quantity", 0):
                # An order that goes on without the guard may be over before its pause.
                order = update.subject.master_order_id
                wait_for(
                    lambda order=order: len(self.calls(status)) >= number or self._has_ended(order),
                    f"what becomes of {order}",
                    PATIENCE,
                )
        return self.calls(status)[number - 1]

    def _has_ended(self, order: str) -> bool:
        pauses = [
            each
            for each in self.intents()
            if (each.rule, each.master_order_id) == ("notional-pause", order)
        ]
        return bool(pauses) and pauses[-1].state in ("done", "refused", "moot")

    def intents(self) -> list[Intent]:
        return read(self.folder, Intents.all)

    def pause_of(self, order: str) -> Intent:
        (found,) = (
            each
            for each in self.intents()
            if (each.master_order_id, each.action) == (order, "pause")
        )
        return found


@pytest.fixture
def run(tmp_path: Path, venue: Venue) -> Iterator[Run]:
    started = Run(tmp_path, venue)
    try:
        venue.wait_connected(timeout=PATIENCE)
        wait_for((started.folder / "switch.lock").exists, "the guard", PATIENCE)
        yield started
    finally:
        started.stop()


def test_a_stopped_process_is_disarmed_and_ended_and_its_call_is_read_back(
    run: Run, venue: Venue
) -> None:
    run.until_called(200, 1)
    wait_for(lambda: Switch(run.folder).wait(0), "the end of the call")
    venue.inject("rest-hang")
    order = run.until_called(0, 1)
    pid, number = Switch(run.folder).in_flight()
    os.kill(pid, signal.SIGSTOP)

    refused = run.command("disarm")

    intent = run.pause_of(order)
    assert (refused.returncode, intent.id) == (1, number)
    assert f"process {pid} is in one:" in refused.stderr
    assert f"{number} main {order} notional-pause: pause: calling" in refused.stderr

    ended = run.command("disarm", "--kill")

    assert ended.returncode == 0, ended.stderr
    assert "was ended: no call is in flight, and none can begin" in ended.stdout

    # The pause has been carried out for all the guard can know, and somebody resumes the order.
    person = API(venue.api_key, venue.api_secret, venue.rest_url, proxy="none")
    person.pause_master_order_v2(order)
    person.resume_master_order_v2(order)
    wait_for(lambda: run.pause_of(order).state == "done", "the outcome", PATIENCE)
    intent = run.pause_of(order)
    assert (intent.how, intent.attempts) == ("pushed", 1)
    assert person.master_order(order).status != "PAUSED"

    before = len(run.calls(200))

    def hears_of_fills_and_does_nothing() -> bool:
        venue.step()
        time.sleep(0.02)
        seen = run.intents()
        acted_on = {each.master_order_id for each in seen if each.rule != "seen"}
        return any(each.master_order_id not in acted_on for each in seen)

    wait_for(hears_of_fills_and_does_nothing, "fills of another order", PATIENCE)
    assert len(run.calls(200)) == before

    assert run.command("arm").returncode == 0
    again = run.until_called(200, before + 1)
    assert again != order
