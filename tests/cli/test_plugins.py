"""`qehost plugins`, as a process of its own: what it prints and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with installed plugins, and the only one that has any."""
    folder = tmp_path / "site"
    folder.mkdir()
    add(folder, "good-plugin", "good", "def on_fill(message): ...\ndef on_order(message): ...")
    add(folder, "bad-plugin", "bad", "print('noise')\nraise SystemExit(3)")
    add(folder, "off-plugin", "off", "raise AssertionError")
    return folder


def add(folder: Path, distribution: str, name: str, source: str) -> None:
    (folder / f"{name}_module.py").write_text(source)
    metadata = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
    )
    (metadata / "entry_points.txt").write_text(f"[qehost]\n{name} = {name}_module\n")


def qehost(
    *arguments: str, site: Path | None, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    # The plugins of the environment that runs the tests are not looked at.
    code = (
        "import importlib.metadata as m; real = m.distributions;"
        f"m.distributions = lambda: real(path=[{str(site)!r}]) if {site is not None} else iter(());"
        "from qehost.cli import main; main(prog_name='qehost')"
    )
    env = {**os.environ, "PYTHONPATH": str(site or ""), "NO_COLOR": "1", **environment}
    return subprocess.run(
        [sys.executable, "-c", code, "plugins", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env,
        timeout=60,
        check=False,
    )


def test_a_line_a_plugin_when_piped(site: Path, tmp_path: Path) -> None:
    done = qehost("-p", "no:off", site=site, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == (
        "Plugin  From             State    Hooks\n"
        f"bad     bad-plugin 1.0   failed   bad_module can't be imported: SystemExit: 3 "
        f"({site}/bad_module.py:2)\n"
        "good    good-plugin 1.0  loaded   on_order, on_fill\n"
        "off     off-plugin 1.0   blocked  -p no:off\n"
    )
    assert done.stderr == "noise\n"


def test_json_holds_everything_and_nothing_else(site: Path, tmp_path: Path) -> None:
    done = qehost("--json", "-p", "no:off", site=site, cwd=tmp_path)
    assert done.returncode == 0
    bad, good, off = json.loads(done.stdout)
    assert good == {
        "name": "good",
        "distribution": "good-plugin",
        "version": "1.0",
        "module": "good_module",
        "process": "main",
        "order": 0,
        "hooks": ["on_order", "on_fill"],
        "state": "loaded",
        "why": "",
        "warnings": [],
        "invalid": False,
        "given": "",
    }
    assert (bad["state"], off["state"]) == ("failed", "blocked")


def test_a_module_of_the_current_folder_with_settings_of_a_file(site: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import msgspec\nclass Config(msgspec.Struct):\n    colour: str\ndef on_tick(): ..."
    )
    settings = tmp_path / "qehost.toml"
    settings.write_text("[plugins.mine]\ncolour = 'red'\nprocess = 'slow'\n")
    done = qehost(
        *("--json", "-c", str(settings), "-p", "mine", "-p", "no:off", "-p", "no:bad"),
        site=site,
        cwd=tmp_path,
    )
    mine = json.loads(done.stdout)[2]
    assert (mine["name"], mine["distribution"], mine["process"], mine["state"]) == (
        "mine",
        "",
        "slow",
        "loaded",
    )


def test_without_plugins_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = qehost(site=None, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == (
        "No plugin is installed.\n\n"
        "  pip install qehost-console   shows every message on the terminal\n"
        "  -p FILE.py                   adds the plugin in a file\n"
    )
    assert json.loads(qehost("--json", site=None, cwd=tmp_path).stdout) == []


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            "goood",
            (
                "plugin goood: no plugin of this name is installed, and no module of this name "
                "can be imported (did you mean good?)"
            ),
        ),
        (
            "no:bat",
            (
                "plugin bat: -p no:bat blocks nothing: no plugin and no distribution with "
                "plugins has this name (did you mean bad?)"
            ),
        ),
    ],
)
def test_an_unknown_name_is_a_wrong_command_line(
    spec: str, text: str, site: Path, tmp_path: Path
) -> None:
    done = qehost("-p", spec, site=site, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"qehost: {text}\n")


def test_a_section_of_an_unknown_plugin_is_invalid_settings(site: Path, tmp_path: Path) -> None:
    settings = tmp_path / "qehost.toml"
    settings.write_text("[plugins.goood]\norder = 1\n")
    done = qehost("-c", str(settings), site=site, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (
        4,
        "",
        (
            f"qehost: {settings}:1: plugins.goood: no plugin of this name is installed or given "
            "with -p (did you mean good?)\n"
        ),
    )


def test_credentials_that_are_not_there_do_not_hide_the_list(site: Path, tmp_path: Path) -> None:
    (tmp_path / "qehost.toml").write_text('[accounts.main]\napi_key = { file = "/not/here" }\n')
    done = qehost("--json", site=site, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "good" in [each["name"] for each in json.loads(done.stdout)]
    (tmp_path / "qehost.toml").write_text("[plugins.good]\nenabled = 3\n")
    assert qehost(site=site, cwd=tmp_path).returncode == 4


def test_a_plugin_that_ends_its_process_or_leaves_a_thread_is_a_line_as_any_other(
    site: Path, tmp_path: Path
) -> None:
    (tmp_path / "gone.py").write_text("print('bye', flush=True)\nimport os\nos._exit(0)")
    (tmp_path / "thready.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n"
    )
    options = ("-p", "gone", "-p", "thready", "-p", "no:bad", "-p", "no:off")
    done = qehost(*options, site=site, cwd=tmp_path)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "Plugin",
        "bad",
        "gone",
        "good",
        "off",
        "thready",
    ]
    assert "it ended the process while it was imported (exit code 0)" in lines[2]
    assert done.stderr.startswith("bye\n")
