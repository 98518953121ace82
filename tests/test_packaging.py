"""What the metadata promise is what is tested."""

from __future__ import annotations

import configparser
import os
import re
import runpy
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEWER = {"14", "15"}
"""Tested where somebody has them: we have not, so the classifiers do not promise them."""


@pytest.fixture
def project() -> dict[str, object]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        table: dict[str, object] = tomllib.load(file)["project"]
    return table


@pytest.fixture
def tox() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "tox.ini", encoding="utf-8")
    return parser


def bounds(requirements: list[str], sign: str) -> dict[str, tuple[int, ...]]:
    """Name → version, without trailing zeros."""
    found = {}
    for requirement in requirements:
        name, _, version = requirement.partition(sign)
        parts = [int(part) for part in version.split(".")]
        while parts and parts[-1] == 0:
            parts.pop()
        found[name] = tuple(parts)
    return found


def test_the_environment_min_tests_exactly_the_lower_bounds(
    project: dict[str, object], tox: configparser.ConfigParser
) -> None:
    dependencies = project["dependencies"]
    assert isinstance(dependencies, list)
    pins = tox["testenv:min"]["deps"].split()
    assert bounds(pins, "==") == bounds(dependencies, ">=")


def test_the_lower_bounds_are_what_is_installed_there(project: dict[str, object]) -> None:
    """What the tests need must not have brought newer ones."""
    dependencies = project["dependencies"]
    assert isinstance(dependencies, list)
    for name, bound in bounds(dependencies, ">=").items():
        [(_, installed)] = bounds([f"{name}=={version(name)}"], "==").items()
        assert installed >= bound
        if os.environ.get("TOX_ENV_NAME") == "min":
            assert installed == bound, name


def test_every_python_of_the_classifiers_is_tested(
    project: dict[str, object], tox: configparser.ConfigParser
) -> None:
    classifiers = project["classifiers"]
    assert isinstance(classifiers, list)
    classifier = "Programming Language :: Python :: 3."
    versions = {text.removeprefix(classifier) for text in classifiers if classifier in text}
    tested = {
        prefix: {version.strip() for version in names.split(",")}
        for prefix, names in re.findall(r"(\S*)py3{(.*)}", tox["tox"]["env_list"])
    }
    assert tested == {"": versions | NEWER}
    plugins = runpy.run_path(str(ROOT / "plugins" / "run_tests.py"))
    assert plugins["PYTHONS"] == tuple(f"3.{version}" for version in sorted(versions))


def test_the_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python -m pip install tox && tox run -e demo\n" in readme
    assert "python -m pip install tox && tox run\n" in readme


def test_the_extra_all_has_every_official_plugin_and_every_other_extra() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    plugins = {file.parent.name for file in ROOT.glob("plugins/*/pyproject.toml")}
    first, *others = extras["all"]
    assert first == f"qehost[{','.join(sorted(set(extras) - {'all'}))}]"
    assert {requirement.partition(">")[0] for requirement in others} == plugins
    for project in (ROOT / "plugins").glob("*/pyproject.toml"):
        with project.open("rb") as file:
            table = tomllib.load(file)["project"]
        bound = f">={table['version'].rpartition('.')[0]},<"
        assert any(each.startswith(f"{table['name']}{bound}") for each in others), table["name"]


def test_every_dependency_stands_with_its_licence_in_the_page() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    for project in (ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")):
        with project.open("rb") as file:
            dependencies = tomllib.load(file)["project"]["dependencies"]
        for requirement in dependencies:
            name = re.split(r"[<>=\[ ]", requirement)[0].lower()
            assert name == "qehost" or f"\n| {name} | " in page, f"{name}: docs/make_licences.py"


def test_a_release_builds_with_what_is_tested_and_publishes_without_a_password() -> None:
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert "- run: .ci/run\n" in workflow
    assert 'tox run -e dist -- --tag "$TAG"' in workflow
    assert "id-token: write" in workflow
    assert "secrets." not in workflow
    assert "{work_dir}{/}dist-files" in (ROOT / "tox.ini").read_text(encoding="utf-8")
    assert "path: .tox/dist-files/\n" in workflow
