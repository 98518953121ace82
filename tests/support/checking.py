"""What `qehost check` says."""

from __future__ import annotations

import json
from typing import NamedTuple

from click.testing import CliRunner

from qehost.cli import main


class Checked(NamedTuple):
    code: int
    output: str
    found: dict[str, list[tuple[str, str]]]
    """By subject: state and text."""


def check(*arguments: str) -> Checked:
    result = CliRunner().invoke(main, ["check", "--json", *arguments])
    shown = json.loads(result.stdout)
    found: dict[str, list[tuple[str, str]]] = {}
    for each in shown["checks"]:
        found.setdefault(each["subject"], []).append((each["state"], each["text"]))
    assert shown["ok"] == (result.exit_code == 0)
    return Checked(result.exit_code, result.output, found)


def state_of(subject: str, *arguments: str) -> tuple[str, str]:
    """The state of this line, and its text and advice."""
    lines = CliRunner().invoke(main, ["check", *arguments]).stdout.splitlines()
    line = next(line for line in lines if line.split(maxsplit=1)[1].startswith(f"{subject}: "))
    state, text = line.split(maxsplit=1)
    return state, text.removeprefix(f"{subject}: ")
