"""The client and the simulated venue: two readings of one protocol, which must agree."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from qehost.config.settings import AccountSettings
from qehost.errors import APIError
from qehost.processes.account_api import account_api
from qehost.rest import API
from qehost.rest.enums import (
    Algorithm,
    Exchange,
    MarketType,
    MasterOrderStatus,
    MasterOrderStatusV2,
    OrderSide,
)
from qehost.rest.venue_types import (
    BatchCancelV2Reply,
    CreateMasterOrderV2Reply,
    CreateMasterOrderV2Request,
    ExchangeApiListV2Reply,
    MasterOrderActionV2Reply,
    MasterOrderListV2Reply,
    MasterOrderV2Info,
    OrderFillListV2Reply,
    UpdateMasterOrderV2Request,
)
from qehost.secret import Secret
from qehost.simulator import Venue

FACTS = Path(__file__).with_name("venue_client.json").read_text(encoding="utf-8")
METHODS = json.loads(FACTS)["methods"]


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
    running = [o for p in api.master_order_pages(status="NEW", pageSize=2) for o in p.items]
    ended = [o for p in api.master_order_pages(status="COMPLETED", pageSize=2) for o in p.items]
    ids = [order["masterOrderId"] for order in running + ended]
    assert sorted(ids) == sorted(masters)
    fills = [o for p in api.order_fill_pages(pageSize=7) for o in p.items]
    assert len(fills) == api.list_order_fills_v2()["total"] > 7
    assert len({fill["id"] for fill in fills}) == len(fills)


def test_a_master_order_is_paused_resumed_changed_and_cancelled(venue, api):
    order = api.list_master_orders_v2(status="NEW")["items"][0]
    name = order["masterOrderId"]
    api.pause_master_order_v2(name)
    assert api.get_master_order_v2(name)["masterOrder"]["status"] == "PAUSED"
    api.resume_master_order_v2(name)
    api.update_master_order_v2(name, worstPrice=Decimal("-1"), povLimit="0.10", mustComplete=False)
    changed = api.get_master_order_by_client_order_id_v2(order["clientOrderId"])["masterOrder"]
    assert (changed["povLimit"], changed["mustComplete"]) == ("0.10", False)
    api.cancel_master_order_v2(name, reason="enough & more: ü @ 100 %")
    reply = api.batch_cancel_master_orders_v2([name, "no such order"])
    assert [failed["masterOrderId"] for failed in reply["failedOrders"]][-1] == "no such order"


def test_a_refusal_has_the_venue_s_code_reason_and_trace(api):
    with pytest.raises(APIError) as caught:
        api.get_master_order_v2("no such order")
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
        api.list_master_orders_v2(symbol=f"S{number}")
    api.close()


def test_names_and_texts_of_all_kinds_are_signed_as_the_venue_reads_them(venue, api):
    rng = random.Random(1)
    for _ in range(50):
        text = "".join(chr(rng.choice([*range(32, 127), 0xE9, 0x4E2D, 0x1F600])) for _ in range(9))
        api.sign_request("GET", "/user/trading/v2/order-fills", {"symbol": text, "x y": text})
        body = {"reason": text, "list": [text, 1.5, None, {"k": text}], "flag": True, "n": 10**20}
        with pytest.raises(APIError, match="NOT_FOUND"):
            api.sign_json_request("PUT", "/user/trading/v2/master-orders/none/cancel", body)


NEW = {
    "apiKeyId": "binding-1",
    "exchange": Exchange.BINANCE,
    "marketType": MarketType.SPOT,
    "symbol": "DOGEUSDT",
    "side": OrderSide.SELL,
    "algorithm": Algorithm.TWAP,
    "executionDurationSeconds": 600,
    "totalQuantity": "10",
    "worstPrice": "5.0",  # above the market, so that it rests
    "mustComplete": False,
}


def test_the_venue_s_own_example_runs_from_its_first_call_to_its_last(venue, api):
    accounts = ExchangeApiListV2Reply.from_dict(api.list_exchange_apis_v2(page=1, pageSize=20))
    assert accounts.items[0].apiKeyId == "binding-1"

    request = CreateMasterOrderV2Request(**NEW, clientOrderId="desk-1", notes="an example")
    made = CreateMasterOrderV2Reply.from_dict(api.create_master_order_v2(request))
    venue.step(200)
    # The venue finds none by such a status, and the example asks nevertheless.
    status = MasterOrderStatusV2.PROCESSING
    assert MasterOrderListV2Reply.from_dict(api.list_master_orders_v2(status=status)).items == []
    for reply in (
        api.get_master_order_v2(made.masterOrderId),
        api.get_master_order_by_client_order_id_v2("desk-1"),
    ):
        order = MasterOrderV2Info.from_dict(reply["masterOrder"])
        assert (order.masterOrderId, order.status) == (made.masterOrderId, "PROCESSING")
    fills = OrderFillListV2Reply.from_dict(
        api.list_order_fills_v2(masterOrderId=made.masterOrderId)
    )
    assert fills.total == 0

    tolerance = UpdateMasterOrderV2Request(upTolerance="0.02", lowTolerance="0.02")
    for reply in (
        api.pause_master_order_v2(made.masterOrderId, reason="an example"),
        api.resume_master_order_v2(made.masterOrderId, reason="an example"),
        api.update_master_order_v2(made.masterOrderId, tolerance),
        api.cancel_master_order_v2(made.masterOrderId, reason="an example"),
    ):
        assert MasterOrderActionV2Reply.from_dict(reply).success is True
    ids = [api.create_master_order_v2(NEW)["masterOrderId"] for _ in range(2)]
    left = api.batch_cancel_master_orders_v2([*ids, made.masterOrderId])
    assert BatchCancelV2Reply.from_dict(left).successCount == 2
    assert left["failedOrders"][0]["masterOrderId"] == made.masterOrderId


def test_a_master_order_lives_by_v1_s_names_alone(venue, api):
    made = api.create_master_order(
        Algorithm.POV,
        Exchange.BINANCE,
        "BTCUSDT",
        MarketType.SPOT,
        OrderSide.BUY,
        "binding-1",
        orderNotional=200,
        executionDuration=5,
        worstPrice=1,
    )
    name = made["masterOrderId"]
    venue.step(200)
    assert api.pause_master_order(name, reason="a break")["success"]
    assert api.get_master_order_detail(name)["masterOrder"]["status"] == "PAUSED"
    assert api.resume_master_order(name)["success"]
    assert api.update_master_order_params(name, mustComplete=False)["success"]
    assert api.cancel_master_order(name, reason="enough")["success"]
    ended = api.get_master_orders(status=MasterOrderStatus.COMPLETED, pageSize=100)["items"]
    assert name in [order["masterOrderId"] for order in ended]
    paths = {seen.path for seen in venue.requests if "/master-orders" in seen.path}
    assert paths
    assert not [path for path in paths if "/v2/" in path]


@pytest.mark.parametrize("name", METHODS)
def test_the_simulated_venue_answers_every_method(venue, api, name):
    fact = METHODS[name]
    account = api.list_exchange_apis_v2(pageSize=100)["items"]
    order = api.list_master_orders_v2(status="NEW")["items"][0]
    given = {
        **fact["given"],
        "binding_id": next(
            (each["apiKeyId"] for each in account if each["exchange"].lower() in name),
            "binding-1",
        ),
        "masterOrderId": order["masterOrderId"],
        "masterOrderIds": [order["masterOrderId"]],
        "clientOrderId": order["clientOrderId"],
    }
    wanted = {each: given[each] for each in fact["given"]}
    if name.startswith("update"):
        wanted["worstPrice"] = "-1"
    elif name.startswith("resume"):
        api.pause_master_order_v2(order["masterOrderId"])
    answer = getattr(api, name)(**wanted)
    assert answer is None if name == "ping" else answer is not None
    assert venue.requests[-1].status == 200
    assert f"/strategy-api{fact['call'].split()[1][:15]}" in venue.requests[-1].path
