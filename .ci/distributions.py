"""Builds the wheel and the sdist of qehost and of each plugin, and looks into them.

    python .ci/distributions.py FOLDER               # tox run -e dist
    python .ci/distributions.py FOLDER --tag v0.1.0  # a release: is this its version?

Needs build, hatchling and twine.  The exit code is 0 if each has what it should and nothing else,
and what it says of itself can be shown.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECTS = [ROOT, *sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))]
ALWAYS = {"PKG-INFO", "pyproject.toml", ".gitignore"}
"""What hatchling puts into each sdist."""
METADATA = {"METADATA", "WHEEL", "RECORD", "entry_points.txt"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tag", help="of the release: v and the version of qehost")
    options = parser.parse_args()
    wrong = list(_wrong_with_release(options.tag)) if options.tag else []
    for before in options.folder.glob("qehost*"):
        before.unlink()
    for project in PROJECTS:
        build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", options.folder]
        done = subprocess.run([*build, project], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{project} can't be built:\n{done.stdout}{done.stderr}")
        wrong += _wrong_with(project, options.folder)
    files = sorted(options.folder.glob("qehost*"))
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)
    for text in wrong:
        print(f"WRONG: {text}")
    return 1 if wrong else 0


def _table(project: Path) -> dict[str, object]:
    with (project / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def _wrong_with_release(tag: str) -> Iterator[str]:
    version = _table(ROOT)["project"]["version"]  # type: ignore[index]
    if tag != f"v{version}":
        yield f"the tag is {tag}, the version in pyproject.toml {version}"
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = rf"^## {re.escape(str(version))} \(\d{{4}}-\d\d-\d\d\)$"
    if not re.search(heading, changes, re.MULTILINE):
        yield f"CHANGELOG.md has no section of {version} with a date"


def _wrong_with(project: Path, folder: Path) -> Iterator[str]:
    table = _table(project)
    name, version = (str(table["project"][key]) for key in ("name", "version"))  # type: ignore[index]
    stem = f"{name.replace('-', '_')}-{version}"
    package = stem.partition("-")[0]
    wheel = set(zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl").namelist())
    about = {each for each in wheel if each.startswith(f"{stem}.dist-info/")}
    yield from _differences(f"the wheel of {name}", wheel - about, _files(project, package))
    licences = f"{stem}.dist-info/licenses/"
    own = {each for each in about if not each.startswith(licences)}
    yield from _differences(
        f"the wheel of {name}", own, {f"{stem}.dist-info/{each}" for each in METADATA}
    )
    if f"{licences}LICENSE" not in about:
        yield f"the wheel of {name} has no licence"

    with tarfile.open(folder / f"{stem}.tar.gz") as archive:
        sdist = {member.name.removeprefix(f"{stem}/") for member in archive if member.isfile()}
    targets = table["tool"]["hatch"]["build"]["targets"]  # type: ignore[index]
    wanted = set(ALWAYS)
    for each in targets["sdist"]["include"]:
        wanted |= _files(project, each.lstrip("/"))
    yield from _differences(f"the sdist of {name}", sdist, wanted)


def _files(project: Path, name: str) -> set[str]:
    """The file of this name, or all in the folder of this name, but what tools leave behind."""
    path = project / name
    found = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return {
        each.relative_to(project).as_posix()
        for each in found
        if "__pycache__" not in each.parts and not re.search(r"/\.\w+_cache/", each.as_posix())
    }


def _differences(what: str, found: set[str], wanted: set[str]) -> Iterator[str]:
    for name in sorted(found - wanted):
        yield f"{what} has {name}"
    for name in sorted(wanted - found):
        yield f"{what} lacks {name}"


if __name__ == "__main__":
    sys.exit(main())
