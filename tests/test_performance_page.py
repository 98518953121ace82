"""docs/performance.md and its pictures say what was measured, to the letter."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
KEPT = ["results.json", "long-run.json"]
PICTURES = ["performance-growth.svg", "performance-message.svg"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The scripts, the results and the page, without the pictures."""
    for name in ("benchmarks", "docs"):
        (tmp_path / name).mkdir()
    for script in (ROOT / "benchmarks").glob("*.py"):
        shutil.copy(script, tmp_path / "benchmarks")
    for name in KEPT:
        shutil.copy(ROOT / "benchmarks" / name, tmp_path)
    shutil.copy(ROOT / "docs" / "performance.md", tmp_path / "docs")
    return tmp_path


def report(copy: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/report.py", *KEPT]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=60)


def test_the_page_and_its_pictures_are_what_the_report_makes_of_the_results(copy: Path) -> None:
    ended = report(copy)
    assert ended.returncode == 0, ended.stderr
    made = sorted(path.name for path in (copy / "docs").iterdir())
    assert made == sorted(["performance.md", *PICTURES])
    for name in made:
        assert (copy / "docs" / name).read_bytes() == (ROOT / "docs" / name).read_bytes(), name
    for name in KEPT:
        kept = (copy / "benchmarks" / name).read_bytes()
        assert kept == (ROOT / "benchmarks" / name).read_bytes()


def test_the_results_are_of_both_sides() -> None:
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    assert results["machine"]["qe-connector"]
    assert all(len(row["runs"]) >= 5 for row in results["figures"] if row["name"] == "throughput")


def test_results_that_lack_a_figure_are_refused_and_change_nothing(copy: Path) -> None:
    results = json.loads((copy / "results.json").read_text(encoding="utf-8"))
    figures = [row for row in results["figures"] if row["name"] != "dispatch"]
    (copy / "results.json").write_text(json.dumps(results | {"figures": figures}))
    before = (copy / "docs" / "performance.md").read_bytes()
    ended = report(copy)
    assert ended.returncode == 1
    assert "no figure 'dispatch' in section 'layers'" in ended.stderr
    assert (copy / "docs" / "performance.md").read_bytes() == before
    assert [path.name for path in (copy / "docs").iterdir()] == ["performance.md"]


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_are_readable_in_light_and_dark(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    assert "@media (prefers-color-scheme: dark)" in text
    assert f"]({name})" in (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
