"""Plugins written for a test: modules and installed distributions in a folder on sys.path."""

from __future__ import annotations

import importlib.metadata
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def modules_of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imports and puts on sys.path is gone after it; plugins of this machine are not
    there for it."""
    path, modules = list(sys.path), set(sys.modules)
    real = importlib.metadata.distributions
    monkeypatch.setattr(
        importlib.metadata,
        "distributions",
        lambda: real(path=[entry for entry in sys.path if entry.startswith(str(tmp_path))]),
    )
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder that Python looks in, like site-packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    sys.path.insert(0, str(folder))
    return folder


@pytest.fixture
def write(site: Path) -> Write:
    """Write a module into the folder: `write("demo", "def on_fill(): ...")`."""

    def write(module: str, source: str) -> Path:
        file = site / f"{module.replace('.', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source))
        return file

    return write


@pytest.fixture
def install(site: Path) -> Write:
    """Install a distribution: its metadata as pip writes them.

    `install("demo-plugin", "demo = demo_module", version="1.2")`
    """

    def install(
        distribution: str, *entry_points: str, version: str = "1.0", into: Path = site
    ) -> Path:
        into.mkdir(exist_ok=True)
        folder = into / f"{distribution.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        (folder / "entry_points.txt").write_text("\n".join(["[qehost]", *entry_points, ""]))
        return folder

    return install
