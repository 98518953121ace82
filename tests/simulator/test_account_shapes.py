"""What balance and position calls answer."""

from __future__ import annotations

from typing import Any

import pytest

from qehost.simulator.account_shapes import SHAPES

V1, V2 = "/user/exchange-apis", "/user/exchange/v2/exchange-apis"


@pytest.mark.parametrize("route", SHAPES)
def test_every_balance_and_position_can_be_read(client: Any, route: str) -> None:
    exchange = SHAPES[route].exchange
    (account,) = client.ok("GET", V2, {"exchange": exchange})["items"]
    more = {"instId": "BTC-USDT-SWAP", "tdMode": "cross"}
    answer = client.ok("GET", f"{V1}/{route}", {"bindingId": account["apiKeyId"], **more})
    assert answer["exchange"] == exchange
    assert len(answer) > 1
    others = client.ok("GET", V2)["items"]
    other = next(each for each in others if each["exchange"] != exchange)
    status, envelope = client.call("GET", f"{V1}/{route}", {"bindingId": other["apiKeyId"], **more})
    assert (status, exchange in envelope["message"]) == (400, True)
    assert client.call("GET", f"{V1}/{route}", {"bindingId": "none"})[0] == 404


def test_what_a_question_names_is_in_its_answer(client: Any) -> None:
    ltp = {"bindingId": "binding-1-ltp", "sym": "ETHUSDT"}
    assert client.ok("GET", f"{V1}/ltp-position", ltp)["data"][0]["sym"] == "ETHUSDT"
    okx = {"bindingId": "binding-1-okx", "tdMode": "cash"}
    assert client.call("GET", f"{V1}/okx-account-max-size", okx)[0] == 400
