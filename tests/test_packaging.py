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
