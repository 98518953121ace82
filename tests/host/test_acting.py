"""A plugin of a running qehost acts on the venue, and gets no credentials for it."""

from __future__ import annotations

from pathlib import Path

from running import QUICK, Run

from qehost.simulator import Venue

PAUSING = """
import pprint

def on_start(context):
    global api
    api = context.api
    context.logger.info("%r %r %s", context, api("main"), pprint.pformat(vars(api("main"))))

def on_master_order(message, event):
    if message.status == "PROCESSING":
        api(event.account).pause_master_order_v2(message.master_order_id)
"""


def test_a_plugin_pauses_a_master_order_and_no_secret_is_shown(tmp_path: Path) -> None:
    def paused() -> bool:
        venue.step(5)
        return any(
            request.path.endswith("/pause") and request.status == 200 for request in venue.requests
        )

    with (
        Venue(seed=1) as venue,
        Run(tmp_path, venue=venue, settings=QUICK, plugins={"pausing": PAUSING}) as run,
    ):
        run.wait_for(lambda: run.records("on_connected"))
        run.wait_for(paused, "a master order that is paused")
        assert run.stop() == 0
        run.wait_for_line(r"API\(base_url=")
        action = r"plugin pausing, on_master_order at event \d+ of main: PUT /\S+/pause"
        run.wait_for_line(f"{action}$")
        run.wait_for_line(f"{action}: answered$")
        # What the log had to hide would show as dots.
        for secret in (venue.api_key, venue.api_secret, "••••"):
            assert not run.logged(secret)
