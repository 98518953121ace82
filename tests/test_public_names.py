"""What `import qehost` gives."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import qehost

PUBLIC_MODULES = ("blotter", "errors", "hookspecs", "messages", "secret")
PUBLIC = {"qehost", *(f"qehost.{name}" for name in PUBLIC_MODULES)}
PLUGINS = Path(__file__).parents[1] / "plugins"


@pytest.mark.parametrize("name", qehost.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert hasattr(qehost, name)


def test_the_version_is_the_package_s() -> None:
    assert qehost.__version__ == version("qehost")


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Fill'"):
        _ = qehost.Fill  # type: ignore[attr-defined]


def test_importing_qehost_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import qehost; "
        "print(*(set(sys.modules) - before - {'qehost', 'importlib', 'typing'}))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not [name for name in loaded if name.partition(".")[0] in ("msgspec", "urllib3")]
    assert not [name for name in loaded if name.startswith("qehost.")]


@pytest.mark.parametrize("file", sorted(PLUGINS.glob("*/qehost_*/**/*.py")), ids=lambda f: f.stem)
def test_plugins_import_what_is_public_and_nothing_else(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            ours = {alias.name for alias in node.names if alias.name.split(".")[0] == "qehost"}
            assert ours <= PUBLIC
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "qehost":
            assert node.module in PUBLIC
            names = {alias.name for alias in node.names}
            modules = {name for name in names if f"{node.module}.{name}" in PUBLIC}
            assert names - modules <= set(import_module(node.module).__all__)
