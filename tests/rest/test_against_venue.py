"""The client and the simulated venue: two readings of one protocol, which must agree."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from qehost.errors import APIError
from qehost.rest import API
from qehost.rest.account import account_api
from qehost.secret import Secret
from qehost.settings import AccountSettings
from qehost.simulator import Venue


@pytest.fixture
def venue():
    with Venue(port=0, seed=5) as venue:
        venue.step(400)
        yield venue


@pytest.fixture
def api(venue):
    api = API(venue.api_key, venue.api_secret, venue.rest_url + "/strategy-api")
    yield api
    api.close()


def test_all_master_orders_and_all_fills_are_read(venue, api):
    masters = {
        sent.update.subject.master_order_id
        for sent in venue.sent
        if sent.update and not hasattr(sent.update.subject, "order_created_time")
    }
    running = [o for p in api.master_order_pages(status="NEW", page_size=2) for o in p.items]
    ended = [o for p in api.master_order_pages(status="COMPLETED", page_size=2) for o in p.items]
    ids = [order["masterOrderId"] for order in running + ended]
    assert sorted(ids) == sorted(masters)
    fills = [o for p in api.order_fill_pages(page_size=7) for o in p.items]
    assert len(fills) == api.order_fills().total > 7
    assert len({fill["id"] for fill in fills}) == len(fills)


def test_a_master_order_is_paused_resumed_changed_and_cancelled(venue, api):
    order = api.master_orders(status="NEW").items[0]
    name = order["masterOrderId"]
    api.pause_master_order(name)
    assert api.master_order(name)["status"] == "PAUSED"
    api.resume_master_order(name)
    api.update_master_order(name, worst_price=Decimal("-1"), pov_limit="0.10", must_complete=False)
    changed = api.master_order_by_client_order_id(order["clientOrderId"])
    assert (changed["povLimit"], changed["mustComplete"]) == ("0.10", False)
    api.cancel_master_order(name, reason="enough & more: ü @ 100 %")
    reply = api.batch_cancel_master_orders([name, "no such order"])
    assert [failed.master_order_id for failed in reply.failed_orders][-1] == "no such order"


def test_a_refusal_has_the_venue_s_code_reason_and_trace(api):
    with pytest.raises(APIError) as caught:
        api.master_order("no such order")
    error = caught.value
    assert (error.code, error.reason, error.status_code) == (404, "NOT_FOUND", 404)
    assert error.trace_id


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_private_keys_are_accepted(venue, kind):
    key = (
        rsa.generate_private_key(65537, 2048)
        if kind == "rsa"
        else ed25519.Ed25519PrivateKey.generate()
    )
    venue.accounts[0].public_key = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    ).decode()
    api = account_api(
        AccountSettings(
            rest_url=venue.rest_url,
            api_key=Secret(venue.api_key),
            private_key=Secret(pem),
            private_key_pass=Secret("open sesame"),
        )
    )
    # Base64 has characters that a query must encode; some signature will hold each of them.
    for number in range(20):
        api.master_orders(symbol=f"S{number}")
    api.close()


def test_names_and_texts_of_all_kinds_are_signed_as_the_venue_reads_them(venue, api):
    rng = random.Random(1)
    for _ in range(50):
        text = "".join(chr(rng.choice([*range(32, 127), 0xE9, 0x4E2D, 0x1F600])) for _ in range(9))
        api.sign_request("GET", "/user/trading/v2/order-fills", {"symbol": text, "x y": text})
        body = {"reason": text, "list": [text, 1.5, None, {"k": text}], "flag": True, "n": 10**20}
        with pytest.raises(APIError, match="NOT_FOUND"):
            api.sign_json_request("PUT", "/user/trading/v2/master-orders/none/cancel", body)
