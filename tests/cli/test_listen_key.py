"""`qehost listen-key`"""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner

from qehost.cli import main
from qehost.simulator import Venue


@pytest.fixture(scope="module")
def venue():
    with Venue(port=0) as venue:
        yield venue


@pytest.fixture
def run(venue, monkeypatch):
    monkeypatch.setenv("QEHOST_API_KEY", venue.api_key)
    monkeypatch.setenv("QEHOST_API_SECRET", venue.api_secret)
    return lambda *arguments: CliRunner().invoke(main, ["listen-key", *arguments])


def test_the_key_alone_goes_to_standard_output(run, venue):
    result = run("--rest-url", venue.rest_url)
    assert result.exit_code == 0
    assert len(result.stdout.strip()) == 32
    assert "UTC" in result.stderr
    assert result.stdout.strip() not in result.stderr


def test_json_has_the_end_in_seconds(run, venue):
    result = run("--rest-url", venue.rest_url, "--protocol", "v1", "--json")
    shown = json.loads(result.stdout)
    assert shown.keys() == {"account", "listen_key", "expire_at"}
    assert shown["expire_at"] == pytest.approx(time.time() + 86_400, abs=60)
    assert result.stderr == ""


def test_a_refusal_is_one_line_and_exit_3(run, venue, monkeypatch):
    monkeypatch.setenv("QEHOST_API_SECRET", "not-the-secret-at-all")
    result = run("--rest-url", venue.rest_url)
    assert result.exit_code == 3
    assert "SIGNATURE_INVALID" in result.stderr
    assert "not-the-secret-at-all" not in result.output
    assert result.stdout == ""


def test_missing_credentials_name_the_variables_and_exit_4(run, venue, monkeypatch):
    monkeypatch.delenv("QEHOST_API_KEY")
    monkeypatch.delenv("QEHOST_API_SECRET")
    result = run("--rest-url", venue.rest_url)
    assert result.exit_code == 4
    assert "QEHOST_API_KEY" in result.stderr


def test_of_several_accounts_one_must_be_named(run, venue, tmp_path, monkeypatch):
    monkeypatch.delenv("QEHOST_API_KEY")
    monkeypatch.delenv("QEHOST_API_SECRET")
    file = tmp_path / "qehost.toml"
    file.write_text(
        "".join(
            f'[accounts.{name}]\nrest_url = "{venue.rest_url}"\n'
            f'api_key = "{venue.api_key}"\napi_secret = "{venue.api_secret}"\n'
            for name in ("one", "two")
        )
    )
    assert "which account" in run("-c", str(file)).stderr
    assert "no account three" in run("-c", str(file), "--account", "three").stderr
    result = run("-c", str(file), "--account", "two", "--json")
    assert json.loads(result.stdout)["account"] == "two"
