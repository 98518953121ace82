"""Test each plugin's wheel beside a wheel of qehost, in clean environments, and check its types.

    python plugins/run_tests.py                               # all plugins, all interpreters
    python plugins/run_tests.py --only qehost-store --python 3.12 -- -k kill

What comes after `--` goes to pytest.  Most tests wait for processes, so two plugins are tested at a
time (`--jobs`).  Types are checked on the first interpreter that is here, with what stands in the
plugin's pyproject.toml under [tool.mypy].  Needs virtualenv.  The exit code is 0 if all is well;
an interpreter that is not here is left out, with a line that says so.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
PYTHONS = ("3.11", "3.12", "3.13")
TEST = ("-m", "pytest", "-c")
CHECK_TYPES = ("-m", "mypy", "--config-file", "pyproject.toml")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--python", nargs="+", default=PYTHONS, metavar="VERSION")
    parser.add_argument("--only", nargs="+", default=None, metavar="PLUGIN")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("pytest", nargs="*", help="arguments of pytest, after --")
    options = parser.parse_args()
    plugins = [
        project.parent
        for project in sorted(HERE.glob("*/pyproject.toml"))
        if options.only is None or project.parent.name in options.only
    ]
    if not plugins:
        parser.error(f"no plugin in {HERE} is named so")
    with tempfile.TemporaryDirectory() as folder:
        wheels = Path(folder) / "wheels"
        for project in (HERE.parent, *plugins):
            pip_wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
            subprocess.run([*pip_wheel, "--wheel-dir", wheels, project], check=True)
        here = [version for version in options.python if is_here(version, Path(folder))]
        jobs = [
            Job(plugin, version, version == here[0], Path(folder), wheels, options.pytest)
            for version in here
            for plugin in plugins
        ]
        failed = []
        with ThreadPoolExecutor(options.jobs) as pool:
            # In their order, though a later one may have ended before.
            for job, (is_well, output) in zip(jobs, pool.map(run, jobs), strict=True):
                print(f"=== {job.name}", output, sep="\n", flush=True)
                if not is_well:
                    failed.append(job.name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


class Job(NamedTuple):
    plugin: Path
    version: str
    checks_types: bool
    folder: Path
    wheels: Path
    arguments: list[str]

    @property
    def name(self) -> str:
        return f"{self.plugin.name} on Python {self.version}"


def is_here(version: str, folder: Path) -> bool:
    virtualenv = [sys.executable, "-m", "virtualenv", "--quiet", "--python", version]
    if subprocess.run([*virtualenv, str(folder / version)], check=False).returncode == 0:
        return True
    print(f"SKIPPED Python {version}: there is no such interpreter on the path", flush=True)
    return False


def run(job: Job) -> tuple[bool, str]:
    """Whether all is well, and what was printed."""
    plugin, folder = job.plugin, job.folder / f"{job.plugin.name}-{job.version}"
    output: list[str] = []

    def runs(*command: object, cwd: Path = folder) -> bool:
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd=cwd, check=False, stdout=PIPE, stderr=STDOUT, text=True)
        output.append(done.stdout)
        return done.returncode == 0

    folder.mkdir()
    python = folder / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    project = plugin / "pyproject.toml"
    package = plugin.name.replace("-", "_")
    built = [next(job.wheels.glob(f"{each}-*.whl")) for each in ("qehost", package)]
    virtualenv = [sys.executable, "-m", "virtualenv", "--quiet", "--python", job.version]
    install = [python, "-m", "pip", "install", "--quiet"]
    is_well = (
        runs(*virtualenv, folder / "env")
        and runs(*install, *built, "--group", f"{project}:test")
        # Not from the plugin's folder: its source must not hide what was installed.
        and runs(python, *TEST, project, "--rootdir", plugin, plugin / "tests", *job.arguments)
    )
    if job.checks_types:
        cache = ["--cache-dir", folder / "mypy"]
        is_well &= runs(*install, "--group", f"{HERE.parent / 'pyproject.toml'}:type") and runs(
            python, *CHECK_TYPES, package, *cache, cwd=plugin
        )
    return is_well, "".join(output)


if __name__ == "__main__":
    sys.exit(main())
