"""`qehost status --check`: one line and an exit code for a monitoring system."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from running_status import status, write


def test_what_passes_a_limit_is_2_and_comes_first(tmp_path: Path) -> None:
    write(tmp_path)
    result = status(tmp_path, "--check")
    assert result.exit_code == 2
    (line,) = result.stdout.splitlines()
    assert line.startswith("CRITICAL: UNPROTECTED: account main is not journalled")
    assert line.index("UNPROTECTED") < line.index("7 dead letters")


def test_what_somebody_should_look_at_is_1(tmp_path: Path) -> None:
    write(tmp_path, protected=True)
    result = status(tmp_path, "--check", "--max-lag", "100")
    assert result.exit_code == 1
    assert result.stdout.startswith("WARNING: main has been in on_order of plugin sluggish")


def test_all_is_well_is_0_with_what_there_is(tmp_path: Path) -> None:
    write(tmp_path, protected=True, busy=False)
    result = status(tmp_path, "--check", "--max-lag", "100", "--max-dead-letters", "7")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "OK: 1 of 1 account connected, 1 plugin running, 234 events behind (host process main) | "
    )


def test_an_account_that_connects_is_named_while_that_is_no_fault_yet(tmp_path: Path) -> None:
    write(tmp_path, protected=True, busy=False, down_for=3.0)
    result = status(tmp_path, "--check", "--max-lag", "100", "--max-dead-letters", "7")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "OK: account main is connecting for 3 s; 0 of 1 account connected, 1 plugin running, "
    )


def test_the_figures_are_those_of_whoever_is_furthest_behind(tmp_path: Path) -> None:
    write(tmp_path, protected=True, busy=False, plugin_behind=(500, 90.5))
    result = status(tmp_path, "--check", "--max-lag", "100", "--max-dead-letters", "7")
    assert "500 events behind (plugin sluggish)" in result.stdout
    assert {"behind=500;;1000", "lag=90.5s;;100"} <= set(result.stdout.split())


def test_the_figures_have_the_form_that_monitoring_reads(tmp_path: Path) -> None:
    write(tmp_path)
    _, _, figures = status(tmp_path, "--check").stdout.strip().partition(" | ")
    for figure in figures.split():
        assert re.fullmatch(r"[a-z_]+=[\d.]+(s|B)?(;[\d.]*;[\d.]+)?", figure)
    assert "behind=234;;1000" in figures.split()


@pytest.mark.parametrize(
    ("facts", "text"),
    [({"age": 34.0}, "is stuck"), ({"ended": "stopped by SIGTERM"}, "not running"), (None, "noth")],
)
def test_one_that_does_not_run_is_2(
    tmp_path: Path, facts: dict[str, object] | None, text: str
) -> None:
    if facts is not None:
        write(tmp_path, **facts)  # type: ignore[arg-type]
    result = status(tmp_path, "--check")
    assert result.exit_code == 2
    assert result.stdout.startswith("CRITICAL: ")
    assert text in result.stdout
    assert len(result.stdout.splitlines()) == 1


def test_a_status_that_can_not_be_read_is_2_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{")
    result = status(tmp_path, "--check")
    assert result.exit_code == 2
    assert result.stdout.startswith("CRITICAL: ")


def test_it_goes_with_no_other_form(tmp_path: Path) -> None:
    write(tmp_path)
    assert status(tmp_path, "--check", "--json").exit_code == 2
    assert "do not go together" in status(tmp_path, "--check", "--json").stderr
