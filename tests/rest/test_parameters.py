"""Which parameters a call has, and the rules between them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from qehost.errors import (
    ParameterArgumentError,
    ParameterRequiredError,
    ParameterTypeError,
)
from qehost.rest.enums import Algorithm, Exchange, MarketType
from qehost.rest.parameters import create_body, create_query_v1, update_query_v1

NEW = {
    "apiKeyId": "K-1",
    "exchange": "Binance",
    "marketType": "PERP",
    "symbol": "BTCUSDT",
    "side": "buy",
    "algorithm": "TWAP",
    "executionDurationSeconds": 60,
    "totalQuantity": "0.5",
}
NEW_V1 = {name: value for name, value in NEW.items() if name != "executionDurationSeconds"}


@pytest.mark.parametrize(("algorithm", "limit"), [("TWAP", "1"), ("VWAP", "1"), ("POV", "0.05")])
def test_a_new_master_order_has_the_venue_s_limit_of_participation(algorithm, limit):
    assert create_body(None, {**NEW, "algorithm": algorithm})["povLimit"] == limit
    given = {**NEW, "algorithm": algorithm, "povLimit": 0.1}
    assert create_body(None, given)["povLimit"] == "0.1"


def test_enums_datetimes_and_exact_numbers_are_taken():
    body = create_body(
        None,
        {
            **NEW,
            "exchange": Exchange.BITGET,
            "marketType": MarketType.SPOT,
            "algorithm": Algorithm.VWAP,
            "totalQuantity": Decimal("1E-8"),
            "worstPrice": -1,
            "triggerPrice": "",
            "triggerPrice1": 0,
            "startTimeMs": dt.datetime(2026, 7, 3, 9, tzinfo=dt.UTC),
            "maxTriggerWaitSecs": Decimal("2.5"),
            "executionDurationSeconds": "3600",
        },
    )
    assert body == {
        "apiKeyId": "K-1",
        "exchange": "Bitget",
        "marketType": "SPOT",
        "symbol": "BTCUSDT",
        "side": "buy",
        "algorithm": "VWAP",
        "executionDurationSeconds": 3600,
        "totalQuantity": "0.00000001",
        "worstPrice": "-1",
        "triggerPrice": "",
        "triggerPrice1": "0",
        "startTimeMs": 1783069200000,
        "maxTriggerWaitSecs": 2.5,
        "povLimit": "1",
    }


def test_what_is_given_by_name_comes_before_the_request():
    class Request:
        def to_payload(self):
            return {**NEW, "side": "sell"}

    assert create_body(Request(), {"side": None})["side"] == "sell"
    assert create_body(Request(), {"side": "buy"})["side"] == "buy"
    assert create_body(NEW, {})["side"] == "buy"


@pytest.mark.parametrize("name", ["apiKeyId", "exchange", "marketType", "symbol", "side"])
def test_what_every_new_master_order_needs_is_asked_for(name):
    for without in ({**NEW, name: None}, {k: v for k, v in NEW.items() if k != name}):
        with pytest.raises(ParameterRequiredError, match=name):
            create_body(None, without)
    with pytest.raises(ParameterRequiredError, match=name):
        create_query_v1({**NEW_V1, name: None})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"executionDurationSeconds": None}, "executionDurationSeconds is required"),
        ({"executionDurationSeconds": 10}, "more than 10"),
        ({"totalQuantity": None}, "exactly one"),
        ({"orderNotional": 100}, "exactly one"),
        ({"isTargetPosition": True, "orderNotional": 1, "totalQuantity": None}, "target position"),
        ({"povLimit": "1.01"}, "between 0 and 1"),
        ({"povLimit": -1}, "between 0 and 1"),
        ({"worstPrice": "cheap"}, "worstPrice must be a number"),
        ({"limitPrice": 5}, "limitPrice is V1's: V2 has worstPrice"),
        ({"limitPriceString": "5"}, "limitPriceString is V1's"),
        ({"marketType": "FUTURES"}, "SPOT or PERP"),
        ({"maxTriggerWaitSecs": -1}, "0 seconds or more"),
        ({"maxTriggerWaitSecs": float("nan")}, "0 seconds or more"),
        ({"maxTriggerWaitTimeoutAction": 11}, "from 0 to 10"),
        ({"maxTriggerWaitTimeoutAction": True}, "from 0 to 10"),
        ({"maxTriggerWaitTimeoutAction": 1.0}, "from 0 to 10"),
        ({"maxTriggerWaitTimeoutAction": "1"}, "from 0 to 10"),
        ({"startTimeMs": dt.datetime(2026, 7, 3)}, "time zone"),
        ({"worst_price": 5}, "worst_price is no parameter of this call"),
        (
            {"exchange": "Deribit", "symbol": "btcusd", "totalQuantity": None, "orderNotional": 1},
            "counted in USD",
        ),
        ({"marginType": "C", "totalQuantity": None, "orderNotional": 5}, "counted in contracts"),
        ({"marginType": "C", "totalQuantity": "1.5"}, "whole number"),
    ],
)
def test_a_new_master_order_that_makes_no_sense_is_a_value_error(changes, text):
    with pytest.raises(ValueError, match=text) as caught:
        create_body(None, {**NEW, **changes})
    assert isinstance(caught.value, ParameterArgumentError)


@pytest.mark.parametrize(
    "changes",
    [{"reduceOnly": 1}, {"totalQuantity": True}, {"maxTriggerWaitSecs": "5"}, {"worstPrice": []}],
)
def test_a_value_of_another_type_is_refused_by_its_name(changes):
    with pytest.raises(ParameterTypeError, match=next(iter(changes))):
        create_body(None, {**NEW, **changes})


def test_v1_has_its_own_defaults_and_numbers_without_an_exponent():
    query = create_query_v1({**NEW_V1, "worstPrice": 1e-8, "enableMake": False})
    assert query == {
        **NEW_V1,
        "algorithmType": "TWAP",
        "tailOrderProtection": True,
        "isTargetPosition": False,
        "enableMake": False,
        "worstPrice": "0.00000001",
    }
    assert update_query_v1({"limitPrice": 5, "worstPrice": None}) == {"limitPrice": 5}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"isTargetPosition": True, "totalQuantity": None}, "target position"),
        ({"exchange": "Deribit", "symbol": "ETHUSD", "orderNotional": 5}, "counted in USD"),
        ({"marginType": "C", "totalQuantity": 1.5}, "whole number"),
        ({"startTimeMs": 5}, "startTimeMs is no parameter of this call"),
    ],
)
def test_v1_refuses_what_the_venue_s_client_refuses(changes, text):
    with pytest.raises(ValueError, match=text):
        create_query_v1({**NEW_V1, **changes})
    with pytest.raises(ValueError, match="notes is no parameter"):
        update_query_v1({"notes": "new"})
