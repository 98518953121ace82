"""Orders as structs, read of the simulated venue; and answers that hold none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qehost.errors import APIError, ServerError
from qehost.messages import MasterOrderDetail, OrderDetail
from qehost.rest import API
from qehost.simulator import Venue


@pytest.fixture(scope="module")
def market():
    with Venue(port=0, seed=5) as venue:
        venue.step(400)
        yield venue


@pytest.fixture
def market_api(market):
    api = API(market.api_key, market.api_secret, market.rest_url)
    yield api
    api.close()


def test_the_running_master_orders_are_those_of_the_list(market_api):
    found = list(market_api.running_master_orders())
    listed = [o for page in market_api.master_order_pages(status="NEW") for o in page.items]
    assert [each.master_order_id for each in found] == [o["masterOrderId"] for o in listed]
    assert all(isinstance(each, MasterOrderDetail) for each in found)
    assert [each.total_quantity for each in found] == [Decimal(o["totalQuantity"]) for o in listed]


def test_a_master_order_is_read_with_what_an_action_made_of_it(market_api):
    name = next(market_api.running_master_orders()).master_order_id
    market_api.pause_master_order_v2(name)
    assert market_api.master_order(name).status == "PAUSED"
    market_api.resume_master_order_v2(name)
    assert market_api.master_order(name).status != "PAUSED"


def test_the_child_orders_add_up_to_what_is_filled_of_the_master_order(market_api):
    for master in market_api.running_master_orders():
        children = list(market_api.child_orders(master.master_order_id))
        assert all(isinstance(each, OrderDetail) for each in children)
        assert {each.master_order_id for each in children} <= {master.master_order_id}
        filled = sum((each.filled_quantity or Decimal() for each in children), Decimal())
        assert filled == master.cum_filled_qty


def test_an_order_that_does_not_exist_is_refused_and_nothing_is_unknown(market_api):
    with pytest.raises(APIError) as caught:
        market_api.master_order("no such order")
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("answer", [{}, {"masterOrder": 3}, [1]])
def test_an_answer_without_a_master_order_is_told(venue, api, answer):
    venue.answers.append(venue.result(answer))
    with pytest.raises(ServerError, match="the answer has no master order"):
        api.master_order("m-1")


def test_an_entry_of_a_list_that_is_no_order_is_told(venue, api):
    venue.answers.append(venue.result({"items": [3], "total": 1}))
    with pytest.raises(ServerError, match="no order"):
        list(api.child_orders("m-1"))
