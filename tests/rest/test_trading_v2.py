"""V2's methods, over a real socket."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from enum import Enum

import pytest

from qehost.errors import (
    ParameterArgumentError,
    ParameterRequiredError,
    ParameterTypeError,
    ServerError,
)

KEY = "0123456789abcdef0123456789abcdef"
MASTERS = "/user/trading/v2/master-orders"


def test_a_page_holds_the_objects_and_their_very_text(venue, api):
    text = '{"masterOrderId": "m1",  "totalQuantity": 0.1000000000000000055, "x": "\\u00e9"}'
    venue.answers = [
        venue.reply('{"items": [' + text + '], "total": "1", "page": 1, "pageSize": 50}')
    ]
    (found,) = api.master_order_pages(
        pageSize=50,
        status="COMPLETED",
        symbol="BTCUSDT",
        startTime=dt.datetime(2026, 7, 3, 11, 0, 0, 1500, dt.timezone(dt.timedelta(hours=2))),
        endTime="2026-07-04T00:00:00Z",
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
    assert list(api.order_fill_pages(orderId="e1")) == []
    assert venue.requests[0].path == "/user/trading/v2/order-fills"
    assert venue.requests[0].fields["orderId"] == "e1"


def test_all_pages_are_read(venue, api):
    orders = [{"masterOrderId": f"m{i}"} for i in range(5)]

    def answer(request):
        number, size = int(request.fields["page"]), int(request.fields["pageSize"])
        items = orders[(number - 1) * size : number * size]
        return venue.result({"items": items, "total": len(orders)})

    venue.answer = answer
    pages = list(api.master_order_pages(pageSize=2, status="NEW"))
    assert [item for p in pages for item in p.items] == orders
    assert len(venue.requests) == 3


@pytest.mark.parametrize(
    "params",
    [
        {"pageSize": 101},
        {"pageSize": 0},
        {"pageSize": "many"},
        {"startTime": dt.datetime(2026, 7, 3)},
    ],
)
def test_what_the_venue_would_refuse_or_misread_is_not_sent(venue, api, params):
    for call in (api.list_master_orders_v2, api.list_order_fills_v2, api.master_order_pages):
        with pytest.raises(ParameterArgumentError, match=next(iter(params))):
            call(**params)
    with pytest.raises(ParameterArgumentError, match="page must be 1 or more"):
        api.list_order_fills_v2(page=0)
    assert venue.requests == []


def test_a_status_that_finds_nothing_names_those_that_do(venue, api, caplog):
    knows = "the status PROCESSING: a list knows NEW, for all that still run, and COMPLETED"
    with pytest.raises(ParameterArgumentError, match=knows):
        api.master_order_pages(status="PROCESSING")
    # Programs for the venue's client ask like this, its own examples among them.
    venue.answers = [venue.result({"items": []})]
    assert api.list_master_orders_v2(status="PROCESSING") == {"items": []}
    assert venue.requests[0].fields["status"] == "PROCESSING"
    assert knows in caplog.text


def test_a_list_that_is_none_is_an_error(venue, api):
    venue.answers = [venue.result({"items": "many"}), venue.result([1, 2])]
    for _ in range(2):
        with pytest.raises(ServerError, match="no list"):
            list(api.order_fill_pages())


def test_one_order_is_found_by_either_id(venue, api):
    venue.answers = [venue.result({"masterOrderId": "a/b"}), venue.result({"masterOrderId": "m1"})]
    assert api.get_master_order_v2("a/b")["masterOrderId"] == "a/b"
    assert api.get_master_order_by_client_order_id_v2("my order")["masterOrderId"] == "m1"
    assert [r.path for r in venue.requests] == [
        f"{MASTERS}/a%2Fb",
        f"{MASTERS}/by-client-order-id/my%20order",
    ]
    with pytest.raises(ParameterRequiredError, match="masterOrderId"):
        api.get_master_order_v2("")


def test_an_id_may_be_a_number(venue, api):
    venue.answers = [venue.result({}), venue.result({"success": True})]
    api.get_master_order_v2(123)
    api.pause_master_order_v2(0)
    assert [r.path for r in venue.requests] == [f"{MASTERS}/123", f"{MASTERS}/0/pause"]


def test_reads_return_the_venue_s_dictionaries(venue, api):
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


def test_actions_return_the_venue_s_dictionaries_also_of_a_refusal(venue, api):
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


class Status(str, Enum):  # noqa: UP042 - as the venue has it
    NEW = "NEW"


def test_lists_take_what_the_venue_s_client_takes(venue, api):
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
def test_an_update_sends_what_the_venue_s_client_sends(venue, api, arguments, params, body):
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
def test_an_update_that_makes_no_sense_is_a_value_error_and_not_sent(venue, api, params):
    with pytest.raises(ValueError, match=next(iter(params))) as caught:
        api.update_master_order_v2("m1", **params)
    assert isinstance(caught.value, ParameterArgumentError)
    for wrong in (
        {"worstPrice": True},
        {"enableMake": 1},
        {"request": "worstPrice"},
    ):
        with pytest.raises(ParameterTypeError):
            api.update_master_order_v2("m1", **wrong)
    assert venue.requests == []


@pytest.mark.parametrize("ids", ["mo_001", [], ["mo_001", ""]])
def test_a_batch_cancel_needs_a_list_of_ids(venue, api, ids):
    with pytest.raises((ParameterTypeError, ParameterRequiredError)):
        api.batch_cancel_master_orders_v2(ids)
    assert venue.requests == []
