"""Exchange accounts, their balances and positions."""

from __future__ import annotations

from typing import Any

V1, V2 = "/user/exchange-apis", "/user/exchange/v2/exchange-apis"


def test_each_exchange_has_an_account(client: Any) -> None:
    listed = client.ok("GET", V2)
    assert (listed["total"], listed["page"], listed["pageSize"]) == (7, 1, 20)
    assert listed["items"][0]["apiKeyId"] == "binding-1"
    (okx,) = client.ok("GET", V2, {"exchange": "OKX"})["items"]
    assert (okx["apiKeyId"], okx["exchange"], okx["isValid"]) == ("binding-1-okx", "OKX", True)
    assert "verificationMethod" not in okx
    (old,) = client.ok("GET", V1, {"exchange": "okx"})["items"]
    assert (old["id"], old["verificationMethod"]) == ("binding-1-okx", "API")
    status, _ = client.call("GET", V2, {"pageSize": 101})
    assert status == 400
    assert client.ok("GET", V1, {"pageSize": 101})["pageSize"] == 100
