"""The general methods, over a real socket."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from qehost.rest import API

KEY = "0123456789abcdef0123456789abcdef"
MASTERS = "/user/trading/v2/master-orders"


def signed(text):
    key = b"the-api-secret-0123456789abcdef"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


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


def test_a_signed_call_carries_key_time_and_signature(venue, api):
    venue.answers = [venue.result({"listenKey": KEY, "expireAt": "1735458400", "success": True})]
    assert api.create_listen_key_v2()["listenKey"] == KEY
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
    api.create_listen_key_v2()
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
    reply = api.batch_cancel_master_orders_v2(["mo_001", "mo_002"], reason="risk_limit_breach")
    assert reply["successCount"] == 1
    assert reply["failedOrders"] == [{"masterOrderId": "mo_002", "reason": "finished"}]
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


def test_header_and_usage_come_with_an_answer_outside_the_envelope(venue):
    api = API(base_url=venue.url, show_limit_usage=True, show_header=True)
    venue.answers = [venue.reply("[1]", X_MBX_Used_Weight_1m="7"), venue.result([2])]
    shown = api.query("/x")
    assert shown["limit_usage"] == {"x-mbx-used-weight-1m": "7"}
    assert shown["header"]["content-length"] == "3"
    assert shown["data"] == [1]
    assert api.query("/x") == [2]
