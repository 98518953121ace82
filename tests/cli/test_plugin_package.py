"""The files of a new plugin's package."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Collection

import pytest

from qehost import hookspecs
from qehost.cli.plugin_package import Kind, package_files, supported_versions
from qehost.host.arguments import HOOKS

# --- its texts ------------------------------------------------------------------------------------


PLUGIN, TESTS = "src/qehost_my_alerts/__init__.py", "tests/test_my_alerts.py"


def package(hooks: Collection[str], name: str = "my-alerts") -> dict[str, str]:
    return package_files(name, hooks, "0.1.0")


def test_each_hook_has_the_signature_of_its_specification_and_a_test() -> None:
    made = package(HOOKS)
    found = {
        node.name: ", ".join(ast.unparse(each) for each in node.args.args[1:])
        for node in ast.walk(ast.parse(made[PLUGIN]))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("on_")
    }
    specified = {hook: inspect.signature(getattr(hookspecs, hook)).parameters for hook in HOOKS}
    assert found == {
        hook: ", ".join(f"{each.name}: {each.annotation}" for each in parameters.values())
        for hook, parameters in specified.items()
    }
    assert list(found) == list(HOOKS)
    assert re.findall(r"def test_(on_\w+)_is_logged\(", made[TESTS]) == list(HOOKS)


@pytest.mark.parametrize("hooks", [*([hook] for hook in HOOKS), list(HOOKS)])
def test_a_package_with_any_hooks_is_tidy_python(hooks: list[str]) -> None:
    made = package(hooks)
    for path in (PLUGIN, TESTS):
        tree = ast.parse(made[path])
        imported = [
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        ]
        for name in set(imported) - {"annotations"}:
            assert len(re.findall(rf"\b{name}\b", made[path])) > 1, f"{name} is not used"
        assert max(map(len, made[path].splitlines())) <= 100
        assert not re.search(r"[ \t]$|\n{4}|\n\n\Z", made[path], re.MULTILINE)
    assert re.findall(r"def (on_\w+)\(", made[PLUGIN]) == hooks
    assert re.findall(r"def test_(on_\w+)_is_logged\(", made[TESTS]) == hooks


@pytest.mark.parametrize("name", ["x", "example", "my-example-2", "a" * 32])
def test_a_package_has_its_name_everywhere_that_the_template_has_its_own(name: str) -> None:
    identifier = name.replace("-", "_")
    made = package(HOOKS, name)
    assert f"src/qehost_{identifier}/__init__.py" in made
    assert f"from qehost_{identifier} import Plugin" in made[f"tests/test_{identifier}.py"]
    assert f'getLogger("qehost.plugin.{name}")' in made[f"src/qehost_{identifier}/__init__.py"]
    if "example" not in name:
        assert not [path for path, text in made.items() if "example" in path + text]


@pytest.mark.parametrize("kind", ["async", "sink", "guard"])
@pytest.mark.parametrize("name", ["x", "a" * 32])
def test_a_package_of_another_kind_has_its_name_everywhere(kind: Kind, name: str) -> None:
    made = package_files(name, (), "0.1.0", kind)
    assert list(made) == list(package(HOOKS, name))
    assert f"from qehost_{name} import Plugin" in made[f"tests/test_{name}.py"]
    assert f"[plugins.{name}]" in made[f"src/qehost_{name}/__init__.py"] + made["README.md"]
    assert not [path for path, text in made.items() if "example" in path + text]
    assert max(len(line) for line in made[f"src/qehost_{name}/__init__.py"].splitlines()) <= 100


def test_the_metadata_name_the_plugin_and_the_qehost_it_needs() -> None:
    project = tomllib.loads(package(["on_fill"])["pyproject.toml"])["project"]
    assert project["name"] == "qehost-my-alerts"
    assert project["entry-points"]["qehost"] == {"my-alerts": "qehost_my_alerts:Plugin"}
    assert "qehost>=0.1,<0.2" in project["dependencies"]


@pytest.mark.parametrize(
    ("version", "range_"),
    [
        ("0.1.0", ">=0.1,<0.2"),
        ("0.12.3", ">=0.12,<0.13"),
        ("0.2.0rc1", ">=0.2.0rc1,<0.3"),
        ("1.4.2", ">=1.4,<2"),
        ("2.0.0", ">=2.0,<3"),
    ],
)
def test_the_range_ends_before_the_next_version_that_may_break(version: str, range_: str) -> None:
    assert supported_versions(version) == range_
