"""The files of a new plugin's package, made from the templates.

`templates/qehost-example` is a complete package with every hook, which the linter, the type checker
and pytest take as it is.  A new package is a copy of it under another name, without the hooks that
were not asked for.  The template of another kind has what is its own: the module, the tests and the
README.  Nothing is written here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from importlib import resources
from typing import Literal

from packaging.version import Version

__all__ = ["Kind", "package_files", "supported_versions"]

Kind = Literal["plain", "async", "sink", "guard"]

MODULE = "src/qehost_example/__init__.py"
TESTS = "tests/test_example.py"
README = "README.md"
# Two without their dots, so that they do not apply to this repository.
FILES = {
    "pyproject.toml": "pyproject.toml",
    README: README,
    "gitignore": ".gitignore",
    "tox.ini": "tox.ini",
    "ci.yml": ".github/workflows/ci.yml",
    MODULE: MODULE,
    "src/qehost_example/py.typed": "src/qehost_example/py.typed",
    TESTS: TESTS,
}
WIDTH = 100

# A method or a test, with the empty lines above it.
HOOK = re.compile(r"(?s)\n+ *def (?:test_)?(on_[a-z_]+?)(?:_is_logged)?\(.+?(?=\n+ *def |\Z)")
IMPORT = re.compile(r"(?sm)^from (\S+) import (?:\((.+?)\)|(.+?))\n")


def package_files(
    name: str, hooks: Collection[str], version: str, kind: Kind = "plain"
) -> dict[str, str]:
    """The package of the plugin `name`: path → text.  A plain one has these hooks.

    `version` is that of qehost; the package requires it, or a later one that is compatible.
    """
    templates = resources.files("qehost.cli").joinpath("templates")
    files = {}
    for source, target in FILES.items():
        own = kind != "plain" and source in (README, MODULE, TESTS)
        template = templates.joinpath(f"qehost-example-{kind}" if own else "qehost-example")
        text = template.joinpath(*source.split("/")).read_text(encoding="utf-8")
        if source in (MODULE, TESTS) and not own:
            text = _with_hooks(text, hooks)
        elif source == "pyproject.toml":
            text = text.replace('"qehost"', f'"qehost{supported_versions(version)}"')
        files[_renamed(target, name)] = _renamed(text, name)
    return files


def supported_versions(version: str) -> str:
    """The versions of qehost that a plugin made with this one works with.

    >>> supported_versions("0.1.3")
    '>=0.1,<0.2'
    """
    this = Version(version)
    upper = f"0.{this.minor + 1}" if this.major == 0 else str(this.major + 1)
    # `>=0.2` would exclude 0.2.0rc1 itself.
    lower = this.public if this.is_prerelease else f"{this.major}.{this.minor}"
    return f">={lower},<{upper}"


def _with_hooks(source: str, hooks: Collection[str]) -> str:
    """The source with these hooks alone, and with the imports that it still needs."""
    source = HOOK.sub(lambda hook: hook[0] if hook[1] in hooks else "", source).rstrip("\n") + "\n"
    used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}

    def needed(found: re.Match[str]) -> str:
        module, names = found[1], re.findall(r"\w+", found[2] or found[3])
        return _import(module, [each for each in names if each in used or module == "__future__"])

    return IMPORT.sub(needed, source)


def _import(module: str, names: list[str]) -> str:
    if not names:
        return ""
    line = f"from {module} import {', '.join(names)}"
    if len(line) > WIDTH:
        line = "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])
    return f"{line}\n"


def _renamed(text: str, name: str) -> str:
    identifier = name.replace("-", "_")
    return re.sub(
        r"(qehost_|test_)?example", lambda it: f"{it[1]}{identifier}" if it[1] else name, text
    )
