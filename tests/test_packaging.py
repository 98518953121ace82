"""What the metadata promise is what is tested."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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


def test_every_python_of_the_classifiers_is_tested(
    project: dict[str, object], tox: configparser.ConfigParser
) -> None:
    classifiers = project["classifiers"]
    assert isinstance(classifiers, list)
    versions = {
        f"py{text.rpartition(' ')[2].replace('.', '')}"
        for text in classifiers
        if text.startswith("Programming Language :: Python :: 3.")
    }
    environments = {name.strip(" ,") for name in tox["tox"]["env_list"].split(",")}
    assert versions == {name for name in environments if name.startswith("py3")}


def test_the_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python -m pip install tox && tox run -e demo\n" in readme
    assert "python -m pip install tox && tox run\n" in readme
