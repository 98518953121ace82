"""Commands that plugins add: found, listed without being imported, and broken ones named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = """
import click
import msgspec
import qehost

class Config(msgspec.Struct):
    url: str = "none"

def on_fill(message): ...

@click.group()
def group(): "Look after the database."

@group.command()
@click.option("--loud", is_flag=True)
@qehost.plugin_command("store")
def check(context, loud):
    "Compare it with the journal."
    click.echo(f"{context.plugin} {context.config.url} {context.state_dir} {context.accounts}")
    click.echo(loud)

@group.command()
@qehost.plugin_command("store")
def act(context):
    context.api("hedge")
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    add(folder, "qehost-store", "store = store_module:group", "Keeps fills.", COMMAND)
    return folder


def add(folder: Path, distribution: str, entry: str, summary: str, source: str) -> None:
    module = entry.partition("= ")[2].partition(":")[0]
    (folder / f"{module}.py").write_text(source)
    metadata = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\nSummary: {summary}\n"
    )
    (metadata / "entry_points.txt").write_text(
        f"[console_scripts]\nx = y\n\n[qehost.commands]\n# a comment\n{entry}\n"
        f"[qehost]\n{module.removesuffix('_module')} = {module}\n"
    )


def qehost(*arguments: str, site: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "import importlib.metadata as m; real = m.distributions;"
        f"m.distributions = lambda: real(path=[{str(site)!r}]);"
        "from qehost.cli import main; main(prog_name='qehost')"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "QEHOST_API_KEY": "key",
        "QEHOST_API_SECRET": "secret",
    }
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=site.parent,
        env=environment,
        timeout=60,
        check=False,
    )


def test_the_help_lists_it_and_imports_nothing(site: Path) -> None:
    (site / "store_module.py").write_text("raise AssertionError")
    done = qehost("--help", site=site)
    assert done.returncode == 0
    section = done.stdout.partition("Commands of plugins:\n")[2]
    assert section.split()[:4] == ["store", "Keeps", "fills.", "(qehost-store)"]


def test_without_one_the_help_is_as_ever(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert "Commands of plugins" not in qehost("--help", site=folder).stdout


def test_it_gets_its_plugins_context(site: Path) -> None:
    (site.parent / "qehost.toml").write_text('[plugins.store]\nurl = "sqlite://"\n')
    done = qehost("store", "check", "--loud", "--state-dir", "state", site=site)
    assert done.stderr == ""
    folder = site.parent / "state" / "plugins" / "store"
    assert done.stdout == f"store sqlite:// {folder} ('main',)\nTrue\n"


def test_its_own_help_has_qehosts_options(site: Path) -> None:
    done = qehost("store", "check", "--help", site=site)
    for text in ("Compare it with the journal.", "--loud", "--config", "--state-dir"):
        assert text in done.stdout


def test_wrong_settings_and_errors_end_it_as_they_end_qehosts_own(site: Path) -> None:
    (site.parent / "qehost.toml").write_text("[plugins.store]\nurll = 3\n")
    done = qehost("store", "check", site=site)
    assert (done.returncode, "did you mean url?" in done.stderr) == (4, True)
    (site.parent / "qehost.toml").write_text("")
    done = qehost("store", "act", site=site)
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)
    assert "there is no account hedge" in done.stderr


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import no_such_module", "can't be imported: ModuleNotFoundError: No module named"),
        ("import sys; sys.exit(7)", "can't be imported: SystemExit: 7"),
        ("def group(): ...", "is a function: its author has to make it a click command or group"),
    ],
)
def test_a_broken_one_is_one_line_and_leaves_the_others_alone(
    site: Path, source: str, text: str
) -> None:
    (site / "store_module.py").write_text(source)
    done = qehost("store", "check", site=site)
    assert done.returncode == 3
    assert done.stderr.startswith("qehost: the command store of qehost-store ")
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
    assert qehost("new-plugin", "--help", site=site).returncode == 0


def test_two_of_one_name_are_both_named_and_qehosts_own_come_first(site: Path) -> None:
    add(site, "other-store", "store = other_module:group", "", COMMAND)
    add(site, "impostor", "run = impostor_module:group", "", "raise AssertionError")
    done = qehost("store", "check", site=site)
    assert done.returncode == 3
    assert "qehost-store" in done.stderr
    assert "other-store" in done.stderr
    assert "impostor" not in qehost("--help", site=site).stdout
    assert qehost("run", "--help", site=site).returncode == 0


def test_metadata_that_can_not_be_read_hides_no_other_command(site: Path) -> None:
    broken = site / "broken-1.0.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_bytes(b"Name: \xff")
    (broken / "entry_points.txt").write_bytes(b"[qehost.commands]\n\xff = \xff\n")
    assert qehost("store", "check", site=site).returncode == 0


def test_a_command_that_nobody_has_is_a_usage_error(site: Path) -> None:
    done = qehost("stroe", site=site)
    assert (done.returncode, "did you mean store?" in done.stderr) == (2, True)
