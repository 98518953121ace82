"""The REST clients that plugins act with."""

from __future__ import annotations

import pytest

from qehost.errors import Error
from qehost.host.apis import Apis
from qehost.secret import Secret
from qehost.settings import AccountSettings

KEY, SECRET = "a-key-of-the-account", "a-secret-of-the-account"


def account(**settings: Secret) -> AccountSettings:
    return AccountSettings(rest_url="http://127.0.0.1:9", **settings)  # type: ignore[arg-type]


def test_each_account_has_one_client_made_when_first_asked_for() -> None:
    signed = account(api_key=Secret(KEY), api_secret=Secret(SECRET))
    apis = Apis({"main": signed, "hedge": signed})
    assert apis("main") is apis("main")
    assert apis("main") is not apis("hedge")
    assert apis("main").has_credentials


def test_an_account_without_credentials_is_told_what_to_set() -> None:
    apis = Apis({"main": account(listen_key=Secret("a-listen-key"))})
    with pytest.raises(Error, match=r"set api_key and api_secret under \[accounts\.main\]"):
        apis("main")


def test_an_unknown_account_gets_the_nearest_name() -> None:
    with pytest.raises(Error, match=r"there is no account hege \(did you mean hedge\?\)"):
        Apis({"hedge": account()})("hege")
    with pytest.raises(Error, match=r"no account x \(the accounts are none\)"):
        Apis({})("x")


def test_closing_ends_the_clients_that_were_made() -> None:
    apis = Apis({"main": account(api_key=Secret(KEY), api_secret=Secret(SECRET))})
    api = apis("main")
    apis.close()
    with pytest.raises(Error, match="closed"):
        api.ping()
