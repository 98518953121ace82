"""A wall clock that jumps: deadlines and order do not depend on it."""

from __future__ import annotations

import os
from pathlib import Path

from promise import Numbers, check
from running import QUICK, Run

from qehost.simulator import Venue

# Python runs this in every process before anything else.
JUMPING = """
import os, time

_time, _time_ns = time.time, time.time_ns

def _offset():
    try:
        with open(os.environ["QEHOST_TEST_OFFSET"]) as file:
            return int(file.read() or 0)
    except OSError:
        return 0

time.time = lambda: _time() + _offset()
time.time_ns = lambda: _time_ns() + _offset() * 10**9
"""


def test_events_keep_their_order_and_calls_their_time_when_the_clock_jumps(
    tmp_path: Path, venue: Venue
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(JUMPING)
    offset = tmp_path / "offset"
    offset.write_text("0")
    path = os.pathsep.join(filter(None, (str(tmp_path / "site"), os.environ.get("PYTHONPATH"))))
    env = {"QEHOST_TEST_OFFSET": str(offset), "PYTHONPATH": path}
    settings = {**QUICK, "host.hang_timeout": 30.0, "connection.ping_interval": 0.5}
    with Run(tmp_path, venue=venue, settings=settings, env=env) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        received_at = []
        for jump in (0, 7_200, -7_200):
            offset.write_text(str(jump))
            numbers.push(20)
            numbers.wait_for_all(run)
            received_at.append(run.records("on_status")[-1]["received_at"])
        # The clock did jump, and nothing else did.
        assert received_at[1] - received_at[2] > 3_600 * 10**9
        assert not run.logged("disconnected|ERROR|CRITICAL")
        assert run.stop() == 0
        check(run)
        assert not run.records(redelivered=True)
