"""An API with the settings of an account."""

from __future__ import annotations

from pathlib import Path

import pytest

from qehost.config.settings import AccountSettings
from qehost.errors import Error
from qehost.processes.account_api import account_api
from qehost.secret import Secret
from qehost.simulator import Venue


def test_it_asks_as_the_account_where_the_account_is() -> None:
    with Venue() as venue:
        account = AccountSettings(
            rest_url=venue.rest_url,
            api_key=Secret(venue.api_key),
            api_secret=Secret(venue.api_secret),
        )
        api = account_api(account)
        assert api.list_master_orders_v2()["items"] == []
        assert [request.status for request in venue.requests][-1] == 200
        api.close()


def test_a_file_that_can_not_be_read_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(Error, match="nowhere"):
        account_api(AccountSettings(ca_file=str(tmp_path / "nowhere.pem")))
