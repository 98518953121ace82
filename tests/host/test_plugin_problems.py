"""What plugins say is wrong."""

from __future__ import annotations

import logging

import pytest

from qehost.host.plugin_problems import MOST, PluginProblems
from qehost.secret import Secret


def told(problems: PluginProblems) -> list[tuple[str, str, str]]:
    return [(each.plugin, each.key, each.text) for each in problems.all()]


def test_a_problem_is_there_until_it_is_cleared() -> None:
    problems = PluginProblems()
    problems.note("store", "database", "it is full")
    problems.note("store", "schema", "it is old")
    problems.note("other", "database", "it is away")
    problems.note("store", "database", "")
    assert told(problems) == [("store", "schema", "it is old"), ("other", "database", "it is away")]


def test_it_keeps_its_beginning_when_its_text_changes() -> None:
    problems = PluginProblems()
    problems.note("store", "disk", "90 % full")
    (before,) = problems.all()
    problems.note("store", "disk", "95 % full")
    (after,) = problems.all()
    assert (after.text, after.since) == ("95 % full", before.since)


def test_the_log_has_it_when_it_begins_changes_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    problems = PluginProblems()
    for text in ("full", "full", "fuller", "", ""):
        problems.note("store", "disk", text)
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("qehost.plugin.store", "WARNING", "disk: full"),
        ("qehost.plugin.store", "WARNING", "disk: fuller"),
        ("qehost.plugin.store", "INFO", "disk: no longer a problem"),
    ]


def test_it_is_bounded_and_holds_no_secret() -> None:
    problems = PluginProblems()
    secret = Secret("a-password-of-the-plugin")
    problems.note("store", "k" * 10_000, f"{secret.reveal()} {'x' * 10_000}")
    (one,) = problems.all()
    assert "password" not in one.text
    assert len(one.key) + len(one.text) <= 1100
    for number in range(MOST + 1):
        problems.note("store", str(number), "x")
    problems.note("other", "x", "x")
    assert len(problems.all()) == MOST + 1
    assert problems.all()[0].key == "1"
