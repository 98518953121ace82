"""The names and types of what a test may give."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest

from qehost.messages import (
    FillDetail,
    FillMessage,
    MasterOrderDetail,
    MasterOrderMessage,
    OrderDetail,
    OrderMessage,
)
from qehost.testing import (
    Events,
    detail,
    fields,
    fill,
    master_order,
    order,
)


def test_names_of_the_message_and_of_the_detail_mean_the_same() -> None:
    assert detail(master_order(reason="no funds")).reject_reason == "no funds"
    assert master_order(reject_reason="no funds").message.reason == "no funds"
    assert order(timestamp=1_700_000_000_123).message.timestamp == 1_700_000_000_123
    with pytest.raises(TypeError, match="qty is another name of total_quantity"):
        master_order(total_quantity=1, qty=2)


def test_a_mistyped_field_gets_the_nearest_one() -> None:
    with pytest.raises(TypeError, match="there is no field symbl; did you mean symbol"):
        fill(symbl="BTCUSDT")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="there is no field acount; did you mean account"):
        Events().connected(acount="main")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="'1,5' is no number"):
        fill(quantity="1,5")
    with pytest.raises(TypeError, match="a fill that V1 pushes has none"):
        fill(origin="stream", notional="1")


@pytest.mark.parametrize(
    ("known", "names", "message", "detail_"),
    [
        (
            fields.MasterOrderFields,
            fields.MASTER_ORDER_NAMES,
            MasterOrderMessage,
            MasterOrderDetail,
        ),
        (fields.OrderFields, fields.ORDER_NAMES, OrderMessage, OrderDetail),
        (fields.FillFields, fields.FILL_NAMES, FillMessage, FillDetail),
    ],
)
def test_every_field_can_be_given_and_is_typed(
    known: Any, names: dict[str, str], message: Any, detail_: Any
) -> None:
    of_the_event = {*get_type_hints(fields.MessageFields), "origin", "stale"}
    hints = set(get_type_hints(known)) - of_the_event
    assert hints == {*detail_.__struct_fields__, *names}
    assert set(names) <= {*message.__struct_fields__}


def test_currencies_follow_from_the_symbol() -> None:
    child = detail(order(symbol="ETHBTC"))
    assert (child.base_currency, child.quote_currency) == ("ETH", "BTC")
    assert detail(order(symbol="XYZ")).quote_currency == ""
