"""V1's methods: V1's addresses, everything in the query."""

from __future__ import annotations

import datetime as dt
import inspect

import pytest

from qehost.errors import ParameterRequiredError
from qehost.rest.enums import Algorithm, Exchange, MarketType, OrderSide
from qehost.rest.trading_v1 import TradingV1


def test_a_new_master_order_is_one_query(venue, api):
    reply = {"masterOrderId": "m1", "success": True, "message": ""}
    venue.answers = [venue.result(reply)]
    made = api.create_master_order(
        Algorithm.TWAP,
        Exchange.BINANCE,
        "BTCUSDT",
        MarketType.SPOT,
        side=OrderSide.BUY,
        apiKeyId="K-1",
        totalQuantity=1.5,
        startTime=dt.datetime(2026, 7, 3, 9, tzinfo=dt.UTC),
        notes=None,
    )
    assert made == reply
    (request,) = venue.requests
    sent = {k: v for k, v in request.fields.items() if k not in ("timestamp", "signature")}
    assert (request.method, request.path) == ("POST", "/user/trading/master-orders")
    assert request.body == b""
    assert sent == {
        "algorithm": "TWAP",
        "algorithmType": "TWAP",
        "exchange": "Binance",
        "symbol": "BTCUSDT",
        "marketType": "SPOT",
        "side": "buy",
        "apiKeyId": "K-1",
        "totalQuantity": "1.5",
        "startTime": "2026-07-03T09:00:00.000Z",
        "tailOrderProtection": "True",
        "enableMake": "True",
        "isTargetPosition": "False",
    }


def test_a_refusal_is_given_as_the_venue_says_it(venue, api):
    refused = {"success": False, "message": "it has ended"}
    venue.answers = [venue.result(refused)] * 2
    assert api.pause_master_order("m1", reason="a break") == refused
    assert api.cancel_master_order("m/1") == refused
    first, second = venue.requests
    assert first.fields["reason"] == "a break"
    assert (second.path, second.fields["masterOrderId"]) == (
        "/user/trading/master-orders/m%2F1/cancel",
        "m/1",
    )
    with pytest.raises(ParameterRequiredError, match="masterOrderId"):
        api.resume_master_order("")


def test_no_name_of_v1_goes_to_a_v2_address():
    source = inspect.getsource(TradingV1)
    assert "v2/" not in source
