"""The venue's objects as dataclasses."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qehost.rest.enums import Exchange
from qehost.rest.venue_types import (
    BatchCancelV2FailedItem,
    BatchCancelV2Reply,
    CreateMasterOrderV2Request,
    ExchangeApiListV2Reply,
    MasterOrderListV2Reply,
    OrderFillV2Info,
    UpdateMasterOrderV2Request,
)


def test_a_request_gives_what_is_sent():
    request = CreateMasterOrderV2Request(
        apiKeyId="K-1",
        exchange=Exchange.OKX,
        totalQuantity=Decimal("1E-8"),
        triggerPrice="",
        maxTriggerWaitSecs=2.5,
    )
    assert request.to_payload() == {
        "apiKeyId": "K-1",
        "exchange": "OKX",
        "totalQuantity": "0.00000001",
        "triggerPrice": "",
        "maxTriggerWaitSecs": 2.5,
    }
    assert UpdateMasterOrderV2Request(worstPrice=0.1).to_payload() == {"worstPrice": "0.1"}
    with pytest.raises(ValueError, match="from 0 to 10"):
        CreateMasterOrderV2Request(maxTriggerWaitTimeoutAction=11).to_payload()


def test_a_request_is_sent_as_it_is(venue, api):
    venue.answers = [venue.result({"masterOrderId": "MO-1"})]
    api.create_master_order_v2(
        CreateMasterOrderV2Request("K-1", "Binance", "SPOT", "BTCUSDT", "buy", "POV", 60),
        orderNotional=100,
    )
    assert venue.requests[0].body == (
        b'{"povLimit":"0.05","apiKeyId":"K-1","exchange":"Binance","marketType":"SPOT",'
        b'"symbol":"BTCUSDT","side":"buy","algorithm":"POV","executionDurationSeconds":60,'
        b'"orderNotional":"100"}'
    )


def test_a_reply_is_read_whatever_it_leaves_out_or_adds():
    assert MasterOrderListV2Reply.from_dict({"items": None, "total": None}).items == []
    page = MasterOrderListV2Reply.from_dict(
        {
            "items": [
                {"masterOrderId": "m", "apiKeyUuid": "K", "startTimeMs": "5", "new": 1},
                {"finishedMs": "soon", "mustComplete": True, "commission": {"USDT": "1"}},
            ],
            "total": "2",
            "pageSize": 20,
        }
    )
    assert (page.total, page.page, page.pageSize) == (2, 0, 20)
    first, second = page.items
    assert (first.masterOrderId, first.apiKeyId, first.startTimeMs) == ("m", "K", 5)
    assert (second.finishedMs, second.mustComplete) == ("soon", True)
    assert second.commission == {"USDT": "1"}


def test_decimals_are_text_whatever_they_came_as():
    fill = OrderFillV2Info.from_dict({"filledQuantity": 1e-8, "price": "0.10", "quantity": 5})
    assert (fill.filledQuantity, fill.price, fill.quantity) == ("0.00000001", "0.10", "5")


@pytest.mark.parametrize("name", ["apiKeyId", "apiKeyUuid", "id"])
def test_an_exchange_account_has_one_id_under_three_names(name):
    (found,) = ExchangeApiListV2Reply.from_dict({"items": [{name: "K-1"}]}).items
    assert (found.apiKeyId, found.apiKeyUuid, found.id) == ("K-1", "K-1", "K-1")


def test_what_a_batch_cancel_left_is_read():
    reply = BatchCancelV2Reply.from_dict(
        {"successCount": "1", "failedOrders": [{"masterOrderId": "m", "reason": "it has ended"}]}
    )
    assert reply == BatchCancelV2Reply(1, [BatchCancelV2FailedItem("m", "it has ended")])
