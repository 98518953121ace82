"""The REST clients that plugins act with."""

from __future__ import annotations

import logging

import pytest

from qehost.config.settings import AccountSettings
from qehost.errors import Error, TransportError
from qehost.host.api_clients import ApiClients
from qehost.secret import Secret
from qehost.storage.progress import HookCall

KEY, SECRET = "a-key-of-the-account", "a-secret-of-the-account"


def account(**settings: Secret) -> AccountSettings:
    return AccountSettings(rest_url="http://127.0.0.1:9", **settings)  # type: ignore[arg-type]


def test_each_account_has_one_client_made_when_first_asked_for() -> None:
    signed = account(api_key=Secret(KEY), api_secret=Secret(SECRET))
    apis = ApiClients({"main": signed, "hedge": signed})
    assert apis("guard", "main") is apis("guard", "main")
    assert apis("guard", "main") is not apis("guard", "hedge")
    assert apis("guard", "main").has_credentials


def test_the_plugins_of_a_process_share_the_connections_of_an_account() -> None:
    signed = account(api_key=Secret(KEY), api_secret=Secret(SECRET))
    apis = ApiClients({"main": signed})
    apis("guard", "main").close()
    with pytest.raises(Error, match="closed"):
        apis("other", "main").ping()


@pytest.mark.parametrize(
    ("call", "caller"),
    [
        (
            HookCall("guard", "on_fill", "main", 17, 0.0),
            "plugin guard, on_fill at event 17 of main",
        ),
        (HookCall("guard", "on_tick", "", 0, 0.0), "plugin guard, on_tick"),
        (HookCall("other", "on_fill", "a", 17, 0.0), "plugin guard"),
        (None, "plugin guard"),
    ],
)
def test_an_action_is_logged_with_plugin_hook_and_event(
    call: HookCall | None, caller: str, caplog: pytest.LogCaptureFixture
) -> None:
    signed = account(api_key=Secret(KEY), api_secret=Secret(SECRET))
    apis = ApiClients({"main": signed}, lambda: call)
    caplog.set_level(logging.INFO, "qehost.rest")
    with pytest.raises(TransportError):
        apis("guard", "main").pause_master_order_v2("m-1")
    told = [record.getMessage() for record in caplog.records if "PUT" in record.getMessage()]
    sent, outcome = told
    assert sent == f"{caller}: PUT /user/trading/v2/master-orders/m-1/pause"
    assert outcome.startswith(f"{sent}: its outcome is unknown: ")


def test_an_account_without_credentials_is_told_what_to_set() -> None:
    apis = ApiClients({"main": account(listen_key=Secret("a-listen-key"))})
    with pytest.raises(Error, match=r"set api_key and api_secret under \[accounts\.main\]"):
        apis("guard", "main")


def test_an_unknown_account_gets_the_nearest_name() -> None:
    with pytest.raises(Error, match=r"there is no account hege \(did you mean hedge\?\)"):
        ApiClients({"hedge": account()})("guard", "hege")
    with pytest.raises(Error, match=r"no account x \(the accounts are none\)"):
        ApiClients({})("guard", "x")


def test_closing_ends_the_clients_that_were_made() -> None:
    apis = ApiClients({"main": account(api_key=Secret(KEY), api_secret=Secret(SECRET))})
    api = apis("guard", "main")
    apis.close()
    with pytest.raises(Error, match="closed"):
        api.ping()
