"""`qehost run --simulate`: the local venue beside the run."""

from __future__ import annotations

from pathlib import Path

from running import QUICK, Run


def test_the_demo_of_a_disconnect_heals_for_all_to_see(tmp_path: Path) -> None:
    with Run(tmp_path, "--simulate", "--fault", "drop=500ms", settings=QUICK) as run:
        run.wait_for_connections(2)
        run.wait_for(lambda: [r for r in run.records("on_order") if r["origin"] == "catch_up"])
        assert "closed the connection with code 1001" in run.records("on_disconnected")[0]["reason"]
        assert run.stop() == 0


def test_a_fault_without_the_local_venue_is_a_usage_error(tmp_path: Path) -> None:
    with Run(tmp_path, "--fault", "drop=5s") as run:
        assert run.wait() == 2
        run.wait_for_line("it needs --simulate")
