"""The venue's users, and what shows who somebody is."""

from __future__ import annotations

import pytest

from qehost.simulator.accounts import Account, AccountList

NOW = 1_735_372_000_000
DAY = 24 * 3_600_000


@pytest.fixture
def accounts() -> AccountList:
    return AccountList(Account(7, index, NOW) for index in range(3))


def test_credentials_follow_from_the_seed_and_are_each_users_own(accounts: AccountList) -> None:
    again = [Account(7, index, NOW + DAY) for index in range(3)]
    other = [Account(8, index, NOW) for index in range(3)]
    credentials = [(each.api_key, each.api_secret) for each in accounts]
    assert [(each.api_key, each.api_secret) for each in again] == credentials
    assert len({*credentials, *((each.api_key, each.api_secret) for each in other)}) == 6


def test_a_user_is_found_by_its_api_key(accounts: AccountList) -> None:
    assert accounts.by_api_key(accounts[1].api_key) is accounts[1]
    assert accounts.by_api_key("nobody's") is None


def test_there_is_one_listen_key_at_a_time(accounts: AccountList) -> None:
    first, second = (accounts[0].new_listen_key(NOW) for _ in range(2))
    assert accounts.by_listen_key(first, NOW) is None
    assert accounts.by_listen_key(second, NOW) is accounts[0]


def test_before_the_first_key_no_text_is_one(accounts: AccountList) -> None:
    assert accounts.by_listen_key("", NOW) is None


@pytest.mark.parametrize(("lifetime", "milliseconds"), [(None, DAY), (1.5, 1_500)])
def test_a_key_lives_a_day_or_as_long_as_is_said(
    accounts: AccountList, lifetime: float | None, milliseconds: int
) -> None:
    key = accounts[0].new_listen_key(NOW, lifetime)
    assert accounts[0].accepts(key, NOW + milliseconds - 1)
    assert not accounts[0].accepts(key, NOW + milliseconds)


def test_no_secret_is_in_the_representation(accounts: AccountList) -> None:
    accounts[0].new_listen_key(NOW)
    shown = repr(accounts)
    for secret in (accounts[0].api_key, accounts[0].api_secret, accounts[0].listen_key):
        assert secret not in shown
