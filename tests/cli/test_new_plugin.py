"""`qehost new-plugin`: what it makes builds, installs, passes its tests, is found and is called."""

from __future__ import annotations

import configparser
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner, Result

from qehost.cli import main
from qehost.cli.new_plugin import DEFAULT_HOOKS
from qehost.host.arguments import HOOKS
from qehost.host.discovery import Candidate

ROOT = Path(__file__).parents[2]
QEHOST = "from qehost.cli import main; main(prog_name='qehost')"


def new_plugin(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["new-plugin", *arguments])


# --- the package, installed -----------------------------------------------------------------------


class Installed(NamedTuple):
    folder: Path
    python: Path

    def run(self, *arguments: str, **environment: str) -> str:
        """Standard output and error of a command in the fresh environment."""
        done = subprocess.run(
            [self.python, *arguments],
            cwd=self.folder,
            env={**clean_environment(), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


def clean_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("QEHOST_", "PYTEST_", "PYTHONPATH"))
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A package with every hook, its wheel and qehost's in an environment of their own."""
    work = tmp_path_factory.mktemp("new-plugin")
    folder = work / "package"
    made = new_plugin("my-alerts", "--hooks", "all", "--dir", str(folder))
    assert made.exit_code == 0, made.output
    for project in (folder, ROOT):
        build = ["-m", "hatchling", "build", "--target", "wheel", "--directory", str(work)]
        subprocess.run([sys.executable, *build], cwd=project, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", work / "venv"], check=True)
    python = work / "venv" / "bin" / "python"
    (site,) = (work / "venv").glob("lib/python3*/site-packages")
    # The dependencies come from the environment of this test; nothing is downloaded.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = ["-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps", "--quiet"]
    wheels = map(str, work.glob("*.whl"))
    subprocess.run(
        [sys.executable, *pip, "--force-reinstall", *wheels], check=True, capture_output=True
    )
    return Installed(folder, python)


def test_both_come_from_their_wheels(installed: Installed) -> None:
    code = "import qehost, qehost_my_alerts as p; print(qehost.__file__, p.__file__)"
    venv = str(installed.python.parent.parent)
    assert all(path.startswith(venv) for path in installed.run("-I", "-c", code).split())


def test_its_own_tests_pass_one_for_each_hook(installed: Installed) -> None:
    told = installed.run("-m", "pytest", "-p", "no:cacheprovider")
    passed = re.search(r"(\d+) passed", told)
    assert passed is not None
    assert int(passed[1]) == len(HOOKS) + 3


def test_qehost_plugins_shows_it_loaded(installed: Installed) -> None:
    reports = json.loads(installed.run("-c", QEHOST, "plugins", "--json"))
    (report,) = [each for each in reports if each["name"] == "my-alerts"]
    assert (report["state"], report["hooks"]) == ("loaded", list(HOOKS))
    assert (report["distribution"], report["version"]) == ("qehost-my-alerts", "0.1.0")


def test_qehost_run_calls_it_with_its_settings(installed: Installed) -> None:
    run = subprocess.Popen(
        [installed.python, "-c", QEHOST, "run", "--simulate"],
        cwd=installed.folder,
        env={
            **clean_environment(),
            "QEHOST_PLUGINS__MY_ALERTS__PREFIX": "desk 1: ",
            "NO_PROXY": "127.0.0.1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    expected = ["watching main", "main: connected to", r"\d+ events at once", "stopped: "]
    with run:
        assert run.stdout is not None
        seen = []
        for line in run.stdout:
            seen.append(line)
            if expected and re.search(f"desk 1: {expected[0]}", line):
                expected.pop(0)
                if len(expected) == 1:
                    run.send_signal(signal.SIGTERM)
    assert not expected, "".join(seen)
    assert run.returncode == 0


def test_the_installed_qehost_makes_packages_too(installed: Installed, tmp_path: Path) -> None:
    installed.run("-c", QEHOST, "new-plugin", "other", "--dir", str(tmp_path / "other"))
    assert (tmp_path / "other" / "src" / "qehost_other" / "__init__.py").exists()


def test_the_hooks_made_by_default_are_hooks() -> None:
    assert set(DEFAULT_HOOKS.split(",")) <= set(HOOKS)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("plain", "my-alerts"), ("async", "my-async"), ("sink", "my-sink"), ("guard", "a" * 32)],
)
def test_each_kind_passes_its_own_tests(tmp_path: Path, kind: str, name: str) -> None:
    folder = tmp_path / "package"
    options = [] if kind == "plain" else [f"--{kind}"]
    made = new_plugin(name, *options, "--dir", str(folder))
    assert made.exit_code == 0, made.output
    metadata = tmp_path / "site" / f"{name}-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    module = f"qehost_{name.replace('-', '_')}"
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(f"[qehost]\n{name} = {module}:Plugin\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**clean_environment(), "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{metadata.parent}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_its_tox_and_its_ci_test_on_every_python_that_it_takes(here: Path) -> None:
    new_plugin("x")
    made = here / "qehost-x"
    tox = configparser.ConfigParser()
    tox.read(made / "tox.ini", encoding="utf-8")
    assert tox["tox"]["env_list"] == "py3{11,12,13}, lint, type"
    ci = (made / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert 'python: ["3.11", "3.12", "3.13"]' in ci
    project = tomllib.loads((made / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11"


def test_a_kind_with_hooks_of_its_own_takes_no_others(here: Path) -> None:
    done = new_plugin("x", "--sink", "--hooks", "on_fill")
    assert (done.exit_code, "leave out --hooks" in done.output) == (2, True)
    assert list(here.iterdir()) == []


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_asks_nothing_and_tells_what_to_do_next(here: Path) -> None:
    done = new_plugin("large-fills")
    assert done.exit_code == 0
    written = {str(p.relative_to(here)) for p in here.rglob("*") if p.is_file()}
    assert written == {
        "qehost-large-fills/.github/workflows/ci.yml",
        "qehost-large-fills/.gitignore",
        "qehost-large-fills/README.md",
        "qehost-large-fills/pyproject.toml",
        "qehost-large-fills/src/qehost_large_fills/__init__.py",
        "qehost-large-fills/src/qehost_large_fills/py.typed",
        "qehost-large-fills/tests/test_large_fills.py",
        "qehost-large-fills/tox.ini",
    }
    assert written == set(done.output.partition("\n\n")[0].splitlines())
    assert "cd qehost-large-fills" in done.output


def test_an_empty_folder_is_taken_and_a_full_one_is_left_alone(here: Path) -> None:
    (here / "empty").mkdir()
    assert new_plugin("x", "--dir", "empty").exit_code == 0
    done = new_plugin("x", "--dir", "empty")
    assert (done.exit_code, "empty exists and is not empty" in done.output) == (2, True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("My Alerts", "a letter first; how about my-alerts?"),
        ("my_alerts", "how about my-alerts?"),
        ("2fast", "how about fast?"),
        ("qehost-alerts", "is called qehost-NAME anyway; how about alerts?"),
        ("a--b", "how about a-b?"),
        ("../evil", "how about evil?"),
        ("…", "a letter first"),
        ("a" * 40, f"has 32 characters at most; how about {'a' * 32}?"),
    ],
)
def test_a_name_that_is_none_gets_a_reason_and_a_valid_one(
    name: str, text: str, here: Path
) -> None:
    done = new_plugin(name)
    assert done.exit_code == 2
    assert text in " ".join(done.output.split())
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("hooks", "text"),
    [
        ("on_fill,on_oder", "on_oder is no hook (did you mean on_order?)"),
        ("xyz", "xyz is no hook (the hooks are on_start, on_stop,"),
        (",", "a plugin needs one hook at least"),
    ],
)
def test_an_unknown_hook_gets_the_nearest(hooks: str, text: str, here: Path) -> None:
    done = new_plugin("x", "--hooks", hooks)
    assert done.exit_code == 2
    assert text in " ".join(done.output.split())
    assert list(here.iterdir()) == []


def test_a_name_that_an_installed_plugin_has_is_told(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Candidate("My_Alerts", "alerts", "alerts-dist", "2.1"), Candidate("x", "y")]
    monkeypatch.setattr("qehost.cli.new_plugin.installed", lambda: iter(found))
    done = new_plugin("my-alerts")
    assert done.exit_code == 0
    assert "\nNote: alerts-dist 2.1 has a plugin called My_Alerts, too." in done.output


def test_a_folder_that_cannot_be_written_is_told(here: Path) -> None:
    (here / "file").write_text("")
    done = new_plugin("x", "--dir", "file/inside")
    assert done.exit_code == 3
    assert "can't be written: Not a directory" in done.output


def test_the_help_of_qehost_knows_it_and_stays_light() -> None:
    code = (
        "import sys; from qehost.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'msgspec', 'pluggy', 'rich', 'urllib3', 'packaging', 'sqlite3'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert "new-plugin" in told
