"""What is wrong with accounts shows before anything is asked of the venue."""

from __future__ import annotations

from pathlib import Path

import pytest

from qehost import config
from qehost.cli.checks.accounts import account_mistakes

ACCOUNT = '[accounts.desk]\napi_key = "key-of-the-desk"\napi_secret = "secret-of-the-desk"\n'


def mistakes(folder: Path, text: str) -> list[str]:
    file = folder / "qehost.toml"
    file.write_text(text)
    loaded, others = config.try_load(file, {})
    assert others == []
    return [each.replace(f"{folder}/", "") for each in account_mistakes(loaded)]


def test_an_account_that_can_be_used_is_no_mistake(tmp_path: Path) -> None:
    assert mistakes(tmp_path, ACCOUNT) == []


def test_missing_credentials_are_told_with_the_account(tmp_path: Path) -> None:
    (told,) = mistakes(tmp_path, "[accounts.desk]\n")
    assert "desk" in told
    assert "api_key" in told


@pytest.mark.parametrize("setting", ["ca_file", "client_cert"])
def test_a_certificate_that_is_not_there_is_told_with_its_place(
    tmp_path: Path, setting: str
) -> None:
    (told,) = mistakes(tmp_path, f'{ACCOUNT}{setting} = "nowhere.pem"\n')
    assert "nowhere.pem" in told
    assert told.startswith(("qehost.toml", "accounts.desk"))


def test_every_account_is_looked_at(tmp_path: Path) -> None:
    other = ACCOUNT.replace("desk", "other")
    told = mistakes(tmp_path, f'{ACCOUNT}ca_file = "a.pem"\n{other}ca_file = "b.pem"\n')
    assert [name in each for name, each in zip("ab", told, strict=True)] == [True, True]
