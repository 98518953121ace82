"""Variables that hold secrets are not handed on."""

from __future__ import annotations

import os

import pytest

from qehost.processes.environment import drop_secrets, environment_for_child
from qehost.secret import Secret

SECRET = "0f1e2d3c4b5a6978"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Secret(SECRET)
    monkeypatch.setattr("qehost.processes.environment.secret_variables", {"OF_A_PLUGIN"})
    monkeypatch.setenv("QEHOST_API_KEY", SECRET)
    monkeypatch.setenv("OF_A_PLUGIN", "known by its name alone")
    monkeypatch.setenv("COPY", f"x {SECRET}")
    monkeypatch.setenv("https_proxy", f"http://me:{SECRET}@proxy:3128")
    monkeypatch.setenv("HARMLESS", "1")


def test_a_child_gets_none_of_them_unless_they_are_kept() -> None:
    found = environment_for_child(keep_secrets=False)
    assert not found.keys() & {"QEHOST_API_KEY", "COPY", "OF_A_PLUGIN"}
    assert found.keys() >= {"HARMLESS", "https_proxy", "PATH"}
    assert environment_for_child(keep_secrets=True) == dict(os.environ)


def test_a_short_secret_that_is_a_word_of_a_path_costs_no_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Secret("python")
    monkeypatch.setenv("PATH", "/usr/lib/python/bin")
    monkeypatch.setenv("PASSWORD", "python")
    found = environment_for_child(keep_secrets=False)
    assert "PATH" in found
    assert "PASSWORD" not in found


def test_a_process_that_has_read_its_settings_drops_the_others_too() -> None:
    drop_secrets()
    assert not os.environ.keys() & {"QEHOST_API_KEY", "COPY", "OF_A_PLUGIN"}
    assert os.environ.keys() >= {"HARMLESS", "https_proxy", "PATH"}
