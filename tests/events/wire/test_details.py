"""Every field of the venue's object, exact."""

from __future__ import annotations

from decimal import Decimal

from samples import (
    UPDATED,
    V1_FILL,
    V1_MASTER_ORDER,
    V1_ORDER,
    V2_MASTER_ORDER,
    V2_ORDER,
    detail,
    push,
    read,
)

from qehost.events import wire
from qehost.messages import (
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderDetail,
    OrderDetail,
    StatusEvent,
)

# --- the outer message ------------------------------------------------------------------------


def test_a_master_order_in_detail_has_every_field_exactly() -> None:
    for origin in ("stream", "catch_up"):
        exact = detail("master_data", V2_MASTER_ORDER, origin)
        assert exact == MasterOrderDetail(
            created_at="2024-07-03T09:46:39Z",
            updated_at=UPDATED,
            master_order_id="m-1",
            client_order_id="c-1",
            api_key_id="k-1",
            trading_account="acc",
            exchange="Binance",
            market_type="SPOT",
            category="spot",
            symbol="BTCUSDT",
            base_currency="BTC",
            quote_currency="USDT",
            side="buy",
            margin_type="U",
            reduce_only=True,
            is_margin=False,
            algorithm="TWAP",
            total_quantity=Decimal("1.50"),
            order_notional=None,
            start_time_ms=1719999999000,
            execution_duration_seconds=300,
            worst_price=Decimal(-1),
            must_complete=True,
            maker_rate_limit=Decimal(-1),
            pov_limit=Decimal("0.80"),
            pov_min_limit=Decimal("0.1"),
            up_tolerance=Decimal(0),
            low_tolerance=None,
            strict_up_bound=False,
            tail_order_protection=True,
            enable_make=True,
            is_target_position=False,
            notes="a note",
            status="PROCESSING",
            reject_reason="none",
            finished_ms=1720000001000,
            cum_filled_qty=Decimal("0.25"),
            cum_filled_notional=Decimal("16000.1000"),
            avg_filled_price=Decimal("64000.4"),
            maker_rate=Decimal("0.5"),
            completed_quantity=Decimal("0.25"),
            commission={"BNB": Decimal("0.00120"), "USDT": Decimal("0.12")},
            trigger_price=Decimal("1E-8"),
            trigger_price1=Decimal("123456789.123456789"),
            max_trigger_wait_secs=60,
            max_trigger_wait_timeout_action="CANCEL",
        )
        assert str(exact.cum_filled_notional) == "16000.1000"
        assert str(exact.commission["BNB"]) == "0.00120"


def test_the_samples_have_every_field_of_the_details() -> None:
    assert len(V2_MASTER_ORDER) == len(MasterOrderDetail.__struct_fields__)
    assert len(V2_ORDER) == len(OrderDetail.__struct_fields__)


def test_the_older_name_of_the_api_key_is_read() -> None:
    fields = {**V2_MASTER_ORDER, "apiKeyUuid": "old"}
    assert detail("master_data", fields).api_key_id == "k-1"
    for nothing in ("", None):
        assert detail("master_data", {**fields, "apiKeyId": nothing}).api_key_id == "old"
    del fields["apiKeyId"]
    assert detail("master_data", fields).api_key_id == "old"


def test_an_order_in_detail_has_every_field_exactly() -> None:
    exact = detail("order_data", V2_ORDER)
    assert exact == OrderDetail(
        id="77",
        order_created_time=1719999999000,
        master_order_id="m-1",
        exchange="Binance",
        category="spot",
        symbol="BTCUSDT",
        side="buy",
        filled_notional=Decimal("10.010"),
        filled_quantity=Decimal("0.10"),
        average_price=Decimal("100.10"),
        price=Decimal("100.20"),
        status="PLACED",
        reject_reason="none",
        base_currency="BTC",
        quote_currency="USDT",
        order_type="LIMIT",
        order_id="x-1",
        quantity=Decimal("0.3"),
        created_at="2024-07-03T09:46:39Z",
        updated_at=UPDATED,
    )
    assert str(exact.filled_notional) == "10.010"


def test_v1_objects_fill_the_details_they_have() -> None:
    master_order = detail("master_data", V1_MASTER_ORDER)
    assert master_order == MasterOrderDetail(
        master_order_id="m-1",
        client_order_id="c-1",
        algorithm="TWAP",
        symbol="BTCUSDT",
        side="buy",
        total_quantity=Decimal("1.5"),
        execution_duration_seconds=300,
        category="spot",
        reduce_only=True,
        status="NEW",
        reject_reason="none",
        updated_at="1720000000123",
    )
    assert detail("order_data", V1_ORDER) == OrderDetail(
        order_created_time=1719999999000,
        master_order_id="m-1",
        category="spot",
        symbol="BTCUSDT",
        side="buy",
        filled_quantity=Decimal("0.1"),
        average_price=Decimal("100.1"),
        price=Decimal("100.2"),
        status="PLACED",
        reject_reason="none",
        order_type="LIMIT",
        order_id="x-1",
        quantity=Decimal("0.3"),
        updated_at="1720000000123",
    )
    assert detail("data", V1_FILL) == FillDetail(
        master_order_id="m-1",
        order_id="x-1",
        symbol="BTCUSDT",
        category="spot",
        side="buy",
        price=Decimal("100.1"),
        quantity=Decimal("0.1"),
        fill_time=1719999999002,
    )


def test_a_v1_number_keeps_every_digit_in_detail() -> None:
    text = push("data", V1_FILL).replace("100.1,", "100.10000000000000000001,")
    message = wire.decode(text)
    assert message is not None
    assert isinstance(message.message, FillMessage)
    exact = wire.detail(FillEvent(1, "main", "", 0, "stream", False, text, message.message))
    assert isinstance(exact, FillDetail)
    assert str(exact.price) == "100.10000000000000000001"


def test_a_v1_duration_need_not_be_whole() -> None:
    fields = {**V1_MASTER_ORDER, "duration_secs": 60.5}
    assert read("master_data", fields).duration_secs == 60.5
    assert detail("master_data", fields).execution_duration_seconds is None


def test_a_derived_fill_brings_its_own_detail_and_other_events_have_none() -> None:
    fill = FillMessage("fill", "m", "x", "", "", "", 1.0, 1.0, 0, 0)
    exact = FillDetail("m", "x", quantity=Decimal("1.0"))
    event = FillEvent(1, "main", "", 0, "derived", False, push("order_data", V2_ORDER), fill, exact)
    assert wire.detail(event) is exact
    assert wire.detail(StatusEvent(1, "main", "", 0, "stream", False, "{}", "x")) is None
