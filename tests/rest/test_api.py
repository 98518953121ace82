"""The calls and their typed replies, over a real socket."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import inspect
import json
from decimal import Decimal
from enum import Enum
from traceback import TracebackException

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from qehost.errors import (
    APIError,
    Error,
    ParameterArgumentError,
    ParameterRequiredError,
    ParameterTypeError,
    ParameterValueError,
    ServerError,
)
from qehost.rest import API, FailedCancel, ListenKey

KEY = "0123456789abcdef0123456789abcdef"
MASTERS = "/user/trading/v2/master-orders"


def signed(text):
    key = b"the-api-secret-0123456789abcdef"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


# --- the constructor ---------------------------------------------------------------------------


def test_the_constructor_is_the_documented_one():
    parameters = list(inspect.signature(API).parameters.values())
    documented = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert documented == [
        "api_key",
        "api_secret",
        "base_url",
        "timeout",
        "proxies",
        "show_limit_usage",
        "show_header",
        "time_unit",
        "private_key",
        "private_key_pass",
    ]
    assert API().base_url == "https://api.quantumexecute.com"
    assert not API().has_credentials


def test_the_repr_shows_the_address_and_nothing_else():
    api = API("key-key-key", "secret-secret", "https://me:pass@example.com/strategy-api")
    assert repr(api) == "API(base_url='https://example.com/strategy-api')"


@pytest.mark.parametrize(
    "arguments",
    [
        {"base_url": "example.com"},
        {"base_url": "wss://example.com"},
        {"timeout": 0},
        {"time_unit": "hour"},
        {"proxy": "gopher://example.com"},
        {"api_key": "key\n", "api_secret": "s"},
    ],
)
def test_what_can_not_be_used_is_refused_at_once(arguments):
    with pytest.raises((ParameterArgumentError, ParameterValueError)) as caught:
        API(**arguments)
    assert "key\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"api_key": "the-key\n"},
        {"base_url": "example.com"},
        {"timeout": 0},
        {"proxy": "gopher://me:the-secret@p"},
        {"private_key": "-----BEGIN the-secret", "private_key_pass": "the-secret"},
    ],
)
def test_a_traceback_with_locals_of_a_constructor_that_raised_shows_no_secret(arguments):
    given = {"api_key": "the-key", "api_secret": "the-secret", **arguments}
    with pytest.raises(Error) as caught:
        API(**given)
    traceback = caught.value.__traceback__.tb_next  # without the frame of this test
    shown = TracebackException(caught.type, caught.value, traceback, capture_locals=True)
    text = "".join(shown.format())
    assert "the-key" not in text
    assert "the-secret" not in text
    assert repr(API.__new__(API)) == "API(base_url='')"


def test_without_credentials_a_signed_call_is_refused_here(venue):
    with pytest.raises(ParameterRequiredError, match="api_key"):
        API(base_url=venue.url).master_orders()
    assert venue.requests == []


# --- what is sent ------------------------------------------------------------------------------


def test_public_calls_are_not_signed(venue, api):
    venue.answers = [venue.reply("")]
    assert api.ping() is None
    assert api.timestamp() == 1_735_372_000_000
    assert venue.requests[0].path == "/ping"
    assert venue.requests[0].query == ""


def test_a_prefix_of_the_address_is_kept(venue):
    api = API(base_url=venue.url + "/strategy-api/")
    venue.answers = [venue.reply("")]
    api.ping()
    assert venue.requests[0].path == "/strategy-api/ping"


def test_a_signed_call_carries_key_time_and_signature(venue, api):
    venue.answers = [venue.result({"listenKey": KEY, "expireAt": "1735458400", "success": True})]
    assert api.create_listen_key() == ListenKey(KEY, 1_735_458_400)
    request = venue.requests[0]
    assert (request.method, request.path) == ("POST", "/user/trading/v2/listen-key")
    assert request.headers["x-mbx-apikey"] == "the-api-key-0123456789abcdef"
    assert request.headers["content-type"] == "application/json;charset=utf-8"
    assert request.body == b""
    sent = int(request.fields["timestamp"])
    assert sent == pytest.approx(1_735_372_000_000, abs=5000)
    signature = signed(f"timestamp={sent}")
    assert request.query == f"timestamp={sent}&signature={signature}"


def test_a_private_key_signs_in_place_of_the_secret(venue):
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    api = API("k", base_url=venue.url, private_key=pem, clock=lambda: 1_735_372_000.0)
    venue.answers = [venue.result({"listenKey": KEY, "expireAt": "1735458400"})]
    api.create_listen_key()
    fields = venue.requests[0].fields
    text = f"timestamp={fields['timestamp']}"
    key.public_key().verify(base64.b64decode(fields["signature"]), text.encode())


def test_a_write_with_a_body_is_signed_as_the_protocol_shows(venue, api):
    venue.answers = [
        venue.result(
            {
                "successCount": 1,
                "failedOrders": [{"masterOrderId": "mo_002", "reason": "finished"}],
            }
        )
    ]
    reply = api.batch_cancel_master_orders(["mo_001", "mo_002"], reason="risk_limit_breach")
    assert reply.success_count == 1
    assert reply.failed_orders == [FailedCancel("mo_002", "finished")]
    request = venue.requests[0]
    assert (request.method, request.path) == ("PUT", f"{MASTERS}/batch-cancel")
    assert json.loads(request.body) == {
        "masterOrderIds": ["mo_001", "mo_002"],
        "reason": "risk_limit_breach",
    }
    sent = request.fields["timestamp"]
    to_sign = (
        "masterOrderIds=%5B%22mo_001%22%2C%22mo_002%22%5D&reason=risk_limit_breach"
        f"&timestamp={sent}"
    )
    assert request.fields == {"timestamp": sent, "signature": signed(to_sign)}


def test_the_time_unit_is_sent_along(venue):
    venue.answers = [venue.reply("")]
    API(base_url=venue.url, time_unit="MICROSECOND").ping()
    assert venue.requests[0].headers["x-mbx-time-unit"] == "MICROSECOND"


# --- listen key --------------------------------------------------------------------------------


def test_a_v1_key_is_made_at_the_v1_address(venue, api):
    venue.answers = [venue.result({"listenKey": KEY, "expireAt": 1735458400})]
    assert api.create_listen_key("v1").expire_at == 1_735_458_400
    assert venue.requests[0].path == "/user/trading/listen-key"


def test_the_repr_of_a_key_does_not_show_it():
    assert KEY not in f"{ListenKey(KEY, 5)!r} {ListenKey(KEY, 5)}"


@pytest.mark.parametrize("end", ["", None, "soon"])
def test_an_end_that_the_venue_does_not_say_is_0(venue, api, end):
    venue.answers = [venue.result({"listenKey": KEY, "expireAt": end})]
    assert api.create_listen_key() == ListenKey(KEY, 0)


def test_a_key_that_was_not_made_is_an_error(venue, api):
    venue.answers = [
        venue.result({"success": False, "message": "too many keys"}),
        venue.result({"success": True}),
    ]
    with pytest.raises(APIError, match="too many keys"):
        api.create_listen_key()
    with pytest.raises(ServerError, match="listenKey"):
        api.create_listen_key()


# --- lists -------------------------------------------------------------------------------------


def test_a_page_holds_the_objects_and_their_very_text(venue, api):
    text = '{"masterOrderId": "m1",  "totalQuantity": 0.1000000000000000055, "x": "\\u00e9"}'
    venue.answers = [
        venue.reply('{"items": [' + text + '], "total": "1", "page": 1, "pageSize": 50}')
    ]
    found = api.master_orders(
        page_size=50,
        status="COMPLETED",
        symbol="BTCUSDT",
        start_time=dt.datetime(2026, 7, 3, 11, 0, 0, 1500, dt.timezone(dt.timedelta(hours=2))),
        end_time="2026-07-04T00:00:00Z",
    )
    assert found.raw == [text]
    assert found.items[0]["masterOrderId"] == "m1"
    assert (found.total, found.page, found.page_size) == (1, 1, 50)
    fields = venue.requests[0].fields
    del fields["timestamp"], fields["signature"]
    assert fields == {
        "page": "1",
        "pageSize": "50",
        "status": "COMPLETED",
        "symbol": "BTCUSDT",
        "startTime": "2026-07-03T09:00:00.001Z",
        "endTime": "2026-07-04T00:00:00Z",
    }


def test_an_empty_list_may_be_null(venue, api):
    venue.answers = [venue.result({"items": None, "total": None})]
    found = api.order_fills(order_id="e1")
    assert (found.items, found.raw, found.total) == ([], [], 0)
    assert venue.requests[0].path == "/user/trading/v2/order-fills"
    assert venue.requests[0].fields["orderId"] == "e1"


def test_all_pages_are_read(venue, api):
    orders = [{"masterOrderId": f"m{i}"} for i in range(5)]

    def answer(request):
        number, size = int(request.fields["page"]), int(request.fields["pageSize"])
        items = orders[(number - 1) * size : number * size]
        return venue.result({"items": items, "total": len(orders)})

    venue.answer = answer
    pages = list(api.master_order_pages(page_size=2, status="NEW"))
    assert [item for p in pages for item in p.items] == orders
    assert len(venue.requests) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        {"page": 0},
        {"page_size": 101},
        {"page_size": 0},
        {"status": "PAUSED"},
        {"start_time": dt.datetime(2026, 7, 3)},
    ],
)
def test_what_the_venue_would_refuse_or_misread_is_not_sent(venue, api, arguments):
    with pytest.raises((ParameterArgumentError, ParameterValueError)):
        api.master_orders(**arguments)
    assert venue.requests == []


def test_a_list_that_is_none_is_an_error(venue, api):
    venue.answers = [venue.result({"items": "many"}), venue.result([1, 2])]
    for _ in range(2):
        with pytest.raises(ServerError, match="no list"):
            api.order_fills()


def test_one_order_is_found_by_either_id(venue, api):
    venue.answers = [venue.result({"masterOrderId": "a/b"}), venue.result({"masterOrderId": "m1"})]
    assert api.master_order("a/b")["masterOrderId"] == "a/b"
    assert api.master_order_by_client_order_id("my order")["masterOrderId"] == "m1"
    assert [r.path for r in venue.requests] == [
        f"{MASTERS}/a%2Fb",
        f"{MASTERS}/by-client-order-id/my%20order",
    ]
    with pytest.raises(ParameterRequiredError, match="master_order_id"):
        api.master_order("")


# --- actions -----------------------------------------------------------------------------------


def test_pause_resume_and_cancel(venue, api):
    venue.answers = [venue.result({"success": True, "message": "ok"})] * 3
    assert api.pause_master_order("m1") == "ok"
    assert api.resume_master_order("m1") == "ok"
    assert api.cancel_master_order("m1", reason="enough") == "ok"
    assert [(r.method, r.path, r.body) for r in venue.requests] == [
        ("PUT", f"{MASTERS}/m1/pause", b"{}"),
        ("PUT", f"{MASTERS}/m1/resume", b"{}"),
        ("PUT", f"{MASTERS}/m1/cancel", b'{"reason":"enough"}'),
    ]


def test_an_action_that_was_not_successful_raises(venue, api):
    venue.answers = [venue.result({"success": False, "message": "it has ended"})]
    with pytest.raises(APIError, match="it has ended"):
        api.cancel_master_order("m1")


def test_an_update_sends_exact_decimals_and_nothing_else(venue, api):
    venue.answers = [venue.result({"success": True})]
    api.update_master_order(
        "m1",
        total_quantity=Decimal("0.10000000"),
        pov_limit="1E-8",
        worst_price=-1,
        enable_make=False,
        execution_duration_seconds=11,
    )
    assert json.loads(venue.requests[0].body) == {
        "totalQuantity": "0.10000000",
        "povLimit": "0.00000001",
        "worstPrice": "-1",
        "enableMake": False,
        "executionDurationSeconds": 11,
    }


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({}, ParameterArgumentError, "at least one"),
        ({"total_quantity": 0.1}, ParameterTypeError, "total_quantity"),
        ({"total_quantity": True}, ParameterTypeError, "total_quantity"),
        ({"worst_price": "NaN"}, ParameterArgumentError, "worst_price"),
        ({"worst_price": "cheap"}, ParameterArgumentError, "worst_price"),
        ({"must_complete": 1}, ParameterTypeError, "must_complete"),
        ({"execution_duration_seconds": 10}, ParameterArgumentError, "more than 10"),
        ({"execution_duration_seconds": 60.0}, ParameterTypeError, "int"),
    ],
)
def test_an_update_that_makes_no_sense_is_not_sent(venue, api, fields, error, text):
    with pytest.raises(error, match=text):
        api.update_master_order("m1", **fields)
    assert venue.requests == []


@pytest.mark.parametrize("ids", ["mo_001", [], ["mo_001", ""]])
def test_a_batch_cancel_needs_a_list_of_ids(venue, api, ids):
    with pytest.raises((ParameterTypeError, ParameterRequiredError)):
        api.batch_cancel_master_orders(ids)
    assert venue.requests == []


# --- the documented methods --------------------------------------------------------------------


def test_the_general_methods_return_plain_values(venue, api):
    venue.answers = [
        venue.result({"a": 1.5}),
        venue.reply('{"b": 2}'),
        venue.reply(""),
        venue.result(None),
    ]
    assert api.query("/anything", {"x": "y z"}) == {"a": 1.5}
    assert venue.requests[0].query == "x=y+z"
    payload = {"x": 1, "recvWindow": 5000}
    assert api.sign_request("GET", "/anything", payload) == {"b": 2}
    assert payload == {"x": 1, "recvWindow": 5000}
    assert api.sign_request("DELETE", "/anything") is None
    assert api.sign_json_request("PUT", "/anything", {"x": [1]}, {"recvWindow": 9}) is None
    assert venue.requests[3].fields.keys() == {"recvWindow", "timestamp", "signature"}


def test_the_general_methods_of_the_venue_s_client_are_there(venue, api):
    venue.answers = [venue.result(number) for number in range(4)]
    assert api.send_request("DELETE", "/x", {"a": 1}) == 0
    assert api.limit_request("GET", "/x", {"a": 1}) == 1
    assert api.send_json_request("POST", "/x", {"a": 1}, {"b": 2}) == 2
    assert api.limited_encoded_sign_request("GET", "/x", {"a": "b@c"}) == 3
    plain, key, body, signed_ = venue.requests
    assert (plain.method, plain.query) == ("DELETE", "a=1")
    assert key.headers["x-mbx-apikey"] == "the-api-key-0123456789abcdef"
    assert (body.method, body.query, body.body) == ("POST", "b=2", b'{"a":1}')
    assert signed_.query.startswith("a=b@c&timestamp=")
    assert "signature" in signed_.fields


def test_the_documented_names_return_the_venue_s_dictionaries(venue, api):
    reply = {"listenKey": KEY, "expireAt": "5", "success": True, "message": ""}
    venue.answers = [
        venue.result(reply),
        venue.result({"items": []}),
        venue.result({"items": []}),
        venue.result({}),
        venue.result({}),
    ]
    assert api.create_listen_key_v2() == reply
    assert api.list_master_orders_v2(pageSize=5)["items"] == []
    assert api.list_order_fills_v2(masterOrderId="m1")["items"] == []
    assert api.get_master_order_v2("m1") == {}
    assert api.get_master_order_by_client_order_id_v2("c1") == {}
    assert venue.requests[1].fields["pageSize"] == "5"


def test_the_documented_actions_return_the_venue_s_dictionaries(venue, api):
    refused = {"success": False, "message": "no"}
    venue.answers = [venue.result(refused)] * 4 + [
        venue.result({"successCount": 1, "failedOrders": []})
    ]
    assert api.pause_master_order_v2("m1") == refused
    assert api.resume_master_order_v2("m1", reason="because") == refused
    assert api.cancel_master_order_v2("m1", recvWindow=9) == refused
    assert api.update_master_order_v2("m1", povLimit="0.1") == refused
    assert api.batch_cancel_master_orders_v2(["m1"])["successCount"] == 1
    assert [json.loads(r.body) for r in venue.requests] == [
        {},
        {"reason": "because"},
        {},
        {"povLimit": "0.1"},
        {"masterOrderIds": ["m1"]},
    ]
    assert venue.requests[2].fields["recvWindow"] == "9"


class Request:
    """As the venue's `UpdateMasterOrderV2Request` is."""

    def to_payload(self):
        return {"worstPrice": "5", "povLimit": Decimal("1E-8")}


@pytest.mark.parametrize(
    ("arguments", "params", "body"),
    [
        (
            (),
            {"worstPrice": 70000, "upTolerance": 0.05},
            '{"worstPrice":"70000","upTolerance":"0.05"}',
        ),
        ((), {"totalQuantity": Decimal("0.50")}, '{"totalQuantity":"0.50"}'),
        (
            (),
            {"makerRateLimit": "0.10", "lowTolerance": 1e-8},
            '{"makerRateLimit":"0.10","lowTolerance":"0.00000001"}',
        ),
        ((), {"worstPrice": -1, "povLimit": None}, '{"worstPrice":"-1"}'),
        (
            (),
            {"executionDurationSeconds": "60", "enableMake": True},
            '{"executionDurationSeconds":60,"enableMake":true}',
        ),
        (({"orderNotional": 5, "povMinLimit": None},), {}, '{"orderNotional":"5"}'),
        ((Request(),), {"worstPrice": 6}, '{"worstPrice":"6","povLimit":"0.00000001"}'),
        ((), {"recvWindow": 9}, "{}"),
    ],
)
def test_a_documented_update_sends_what_the_venue_s_client_sends(
    venue, api, arguments, params, body
):
    venue.answers = [venue.result({"success": True})]
    api.update_master_order_v2("m1", *arguments, **params)
    assert venue.requests[0].body.decode() == body
    assert ("recvWindow" in venue.requests[0].fields) == ("recvWindow" in params)


@pytest.mark.parametrize(
    "params",
    [
        {"limitPrice": 1},
        {"worst_price": 1},
        {"worstPrice": "cheap"},
        {"executionDurationSeconds": 10},
        {"executionDurationSeconds": 60.5},
        {"executionDurationSeconds": "soon"},
    ],
)
def test_a_documented_update_that_makes_no_sense_is_a_value_error_and_not_sent(venue, api, params):
    with pytest.raises(ValueError, match=next(iter(params))) as caught:
        api.update_master_order_v2("m1", **params)
    assert isinstance(caught.value, ParameterArgumentError)
    for wrong in ({"worstPrice": True}, {"request": "worstPrice"}):
        with pytest.raises(ParameterTypeError):
            api.update_master_order_v2("m1", **wrong)
    assert venue.requests == []


class Status(str, Enum):  # noqa: UP042 - as the venue has it
    NEW = "NEW"


def test_the_documented_lists_take_what_the_venue_s_client_takes(venue, api):
    venue.answers = [venue.result({"items": []})] * 2
    api.list_master_orders_v2(page_size=20, apiKeyUuid="u", status=Status.NEW)
    api.list_order_fills_v2(page_size="100")
    first, second = (request.fields for request in venue.requests)
    assert first.keys() == {"pageSize", "apiKeyId", "status", "timestamp", "signature"}
    assert (first["pageSize"], first["apiKeyId"], first["status"]) == ("20", "u", "NEW")
    assert second["pageSize"] == "100"
    for method in (api.list_master_orders_v2, api.list_order_fills_v2):
        with pytest.raises(ValueError, match="at most 100"):
            method(pageSize=101)


def test_an_id_may_be_a_number(venue, api):
    venue.answers = [venue.result({}), venue.result({"success": True})]
    api.get_master_order_v2(123)
    api.pause_master_order(0)
    assert [r.path for r in venue.requests] == [f"{MASTERS}/123", f"{MASTERS}/0/pause"]


def test_header_and_usage_come_with_an_answer_outside_the_envelope(venue):
    api = API(base_url=venue.url, show_limit_usage=True, show_header=True)
    venue.answers = [venue.reply("[1]", X_MBX_Used_Weight_1m="7"), venue.result([2])]
    shown = api.query("/x")
    assert shown["limit_usage"] == {"x-mbx-used-weight-1m": "7"}
    assert shown["header"]["content-length"] == "3"
    assert shown["data"] == [1]
    assert api.query("/x") == [2]
