"""The tutorial, word for word: each command and each file of it, in an empty environment with the
wheels of this tree.

`tox run -e docs` runs it; it installs what the pages install.  Comments in a page say what a reader
knows: `<!-- test: keep -->` a command that runs until `<!-- test: end -->`, which is Ctrl-C, and
`<!-- test: by hand -->` what needs an account, or root.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_for

ROOT = Path(__file__).parents[1]
STEP = re.compile(
    r"^(?:<!-- test: (?P<how>keep|by hand) -->\n)?"
    r"(?:```(?P<language>sh|python|toml)\n(?P<code>.*?)^```$|<!-- test: (?P<end>end) -->$)",
    re.MULTILINE | re.DOTALL,
)
PATIENCE = 600.0
"""Seconds for one block: some install packages."""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    projects = [ROOT, *(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))]
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder]
    subprocess.run([*pip, *projects], check=True)
    return folder


class Reader:
    """Somebody who types what a page says, in a shell of their own."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.cwd = folder / "home"
        self.cwd.mkdir()
        (folder / "bin").mkdir()
        python = folder / "bin" / "python3"
        python.write_text(f'#!/bin/sh\nexec "{sys._base_executable}" "$@"\n')  # type: ignore[attr-defined]
        python.chmod(0o755)
        kept = ("PIP_", "SSL_", "REQUESTS_", "HTTP", "http", "NO_PROXY", "no_proxy", "HOME", "LANG")
        self.environ = {
            **{name: value for name, value in os.environ.items() if name.startswith(kept)},
            "PATH": f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "XDG_STATE_HOME": str(folder / "state"),
            "PIP_FIND_LINKS": str(wheels),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        self._after = folder / "after"
        self.running: subprocess.Popen[bytes] | None = None

    def types(self, code: str) -> str:
        """What the block printed.  It has to end with 0, each line of it."""
        keep = f"\nexport -p > {self._after}.env; pwd > {self._after}.cwd\n"
        done = self._bash(f"set -e\n{code}{keep}")
        assert done.returncode == 0, f"{code}\nended with {done.returncode}:\n{done.stdout}"
        exported = self._bash(f"set -a; . {self._after}.env; env -0").stdout
        self.environ = dict(
            line.split("=", 1) for line in exported.split("\0") if "=" in line.partition("\n")[0]
        )
        self.cwd = Path(Path(f"{self._after}.cwd").read_text().strip())
        return done.stdout

    def _bash(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.cwd,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def starts(self, code: str) -> None:
        self.running = subprocess.Popen(
            ["bash", "-c", f"exec {code}"],
            cwd=self.cwd,
            env=self.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

        def fills() -> bool:
            return (
                "(derived)" in self._bash("qehost status && qehost journal list --kind fill").stdout
            )

        wait_for(fills, "a fill")

    def presses_ctrl_c(self) -> None:
        assert self.running is not None
        os.killpg(self.running.pid, signal.SIGINT)
        assert self.running.wait(60.0) == 0
        self.running = None

    def writes(self, code: str) -> None:
        named = re.match(r"# (\S+\.(?:py|toml))\n", code)
        assert named is not None, code
        (self.cwd / named[1]).write_text(code, encoding="utf-8")


@pytest.mark.timeout(3 * PATIENCE)
@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("docs/tutorial/*.md")), ids=lambda page: page.stem
)
def test_every_command_of_the_page_does_what_it_says(
    page: Path, tmp_path: Path, wheels: Path
) -> None:
    reader = Reader(tmp_path, wheels)
    printed = []
    try:
        for step in STEP.finditer(page.read_text(encoding="utf-8")):
            if step["end"]:
                reader.presses_ctrl_c()
            elif step["how"] == "keep":
                reader.starts(step["code"].strip())
            elif step["how"] != "by hand" and step["language"] == "sh":
                printed.append(reader.types(step["code"]))
            elif step["how"] != "by hand":
                reader.writes(step["code"])
        assert reader.running is None
    finally:
        if reader.running is not None:
            reader.running.kill()
    EXPECTED[page.stem](printed)


def first_run(printed: list[str]) -> None:
    installed, looked, _, exported, ended = printed
    assert re.search(r"console.*store", installed, re.DOTALL)
    assert "connected" in looked
    assert exported.startswith("seq,") or "," in exported
    assert "disconnected" in ended


def first_plugin(printed: list[str]) -> None:
    shown = "".join(printed)
    assert "the stream is down: " in shown
    assert re.search(r"^main (buy|sell) [\d.]+ \w+ [\d.]+$", shown, re.MULTILINE)
    assert "passed" in shown
    assert "large-fills" in shown


def production(printed: list[str]) -> None:
    raised, mended, _ = printed
    assert "ZeroDivisionError" in raised or "DivisionByZero" in raised
    letters = re.findall(r"^ *\d+  \d{4}-.*careless.*$", mended, re.MULTILINE)
    assert letters
    assert [letter for letter in letters if "delivered" not in letter] == []


EXPECTED = {"first-run": first_run, "first-plugin": first_plugin, "production": production}
