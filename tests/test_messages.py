"""The messages and events travel whole: through msgpack and as dictionaries."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from decimal import Decimal
from typing import assert_type, get_args

import msgspec
import pytest
from msgspec.structs import replace

from qehost.messages import (
    AnyEvent,
    ClientPushMessage,
    Connected,
    ConnectedEvent,
    Disconnected,
    DisconnectedEvent,
    ErrorEvent,
    Event,
    EventKind,
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderDetail,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderDetail,
    OrderEvent,
    OrderMessage,
    Problem,
    StatusEvent,
    UnknownEvent,
)
from qehost.testing import Events

MASTER_ORDER = MasterOrderMessage(
    *("master_order", "m-1", "c-1", "TWAP", "BTCUSDT", "buy", 1.5, 300.0, "spot", "", False),
    *("PROCESSING", 1720000000.123, 1720000000, 1720000000123, "", 1720000000123),
)
ORDER = OrderMessage(
    *("order", "m-1", "x-1", "BTCUSDT", "spot", "buy", 100.0, 0.3, "PLACED", 1, 0.1, 100.0),
    *(0.1, 0.2, 0, 2, 0, "LIMIT", "", 2),
)
FILL = FillMessage("fill", "m-1", "x-1", "BTCUSDT", "spot", "buy", 100.1, 0.1, 2, 2)
EXACT = FillDetail("m-1", "x-1", price=Decimal("100.10"), quantity=Decimal("1E-8"))

EVENTS: list[AnyEvent] = [
    MasterOrderEvent(1, "main", "a", 9, "stream", False, "{}", MASTER_ORDER),
    OrderEvent(2, "main", "b", 9, "catch_up", False, "{}", ORDER),
    FillEvent(3, "main", "b", 9, "derived", True, "{}", FILL, EXACT),
    StatusEvent(4, "main", "c", 9, "stream", False, "{}", "connected"),
    ErrorEvent(5, "main", "", 9, "stream", False, "x", Problem("decode", "t", {"path": "$"})),
    ConnectedEvent(6, "main", "", 9, "stream", False, "", Connected("wss://x", 1, 2, 3)),
    DisconnectedEvent(7, "main", "", 9, "stream", False, "", Disconnected("reset")),
    UnknownEvent(8, "main", "d", 9, "stream", False, "{}", None),
]


def test_a_batch_of_mixed_events_survives_msgpack_whole() -> None:
    data = msgspec.msgpack.encode(EVENTS)
    assert msgspec.msgpack.decode(data, type=list[AnyEvent]) == EVENTS


def test_there_is_an_event_for_each_kind() -> None:
    assert {event.kind for event in EVENTS} == set(get_args(EventKind))
    assert {type(event) for event in EVENTS} == set(get_args(AnyEvent))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_an_event_as_a_dictionary_has_its_kind_and_names(event: Event) -> None:
    fields = event.as_dict()
    assert fields["kind"] == event.kind
    assert fields["seq"] == event.seq
    assert not isinstance(fields["message"], msgspec.Struct)


def test_decimals_stay_decimals_in_a_dictionary() -> None:
    assert str(EVENTS[2].as_dict()["exact"]["price"]) == "100.10"


def test_messages_are_immutable() -> None:
    with pytest.raises(AttributeError):
        ORDER.price = 1.0  # type: ignore[misc]
    with pytest.raises(AttributeError):
        EVENTS[0].seq = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (ClientPushMessage, "type messageId userId data"),
        (
            MasterOrderMessage,
            """type master_order_id client_id strategy symbol side qty duration_secs category action
            reduce_only status date ticktime_int ticktime_ms reason timestamp""",
        ),
        (
            OrderMessage,
            """type master_order_id order_id symbol category side price quantity status created_time
            fill_qty fill_price cum_filled_qty quantity_remaining ack_time last_fill_time
            cancel_time price_type reason timestamp""",
        ),
        (
            FillMessage,
            """type master_order_id order_id symbol category side fill_price filled_qty fill_time
            timestamp""",
        ),
    ],
)
def test_the_documented_fields_stand_in_the_documented_order(
    message: type[msgspec.Struct], fields: str
) -> None:
    assert message.__struct_fields__ == tuple(fields.split())


# --- as the documented dataclasses --------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [ClientPushMessage, MasterOrderMessage, OrderMessage, FillMessage, MasterOrderDetail]
)
def test_the_functions_of_dataclasses_take_messages(kind: type[msgspec.Struct]) -> None:
    names = kind.__struct_fields__
    message = kind(*range(len(names)))
    assert dataclasses.is_dataclass(message)
    assert tuple(each.name for each in dataclasses.fields(kind)) == names  # type: ignore[arg-type]
    assert dataclasses.asdict(message) == dict(zip(names, range(len(names)), strict=True))
    assert dataclasses.astuple(message) == tuple(range(len(names)))
    assert vars(message) == message.__dict__ == dataclasses.asdict(message)
    changed = dataclasses.replace(message, symbol="other") if "symbol" in names else message
    assert getattr(changed, "symbol", "other") == "other"


@pytest.mark.parametrize("frozen", [False, True])
def test_a_message_is_no_base_of_a_dataclass_and_says_what_to_write(frozen: bool) -> None:
    class Mine(FillMessage, frozen=True):
        note: str = ""

    with pytest.raises(TypeError, match="leave @dataclass out"):
        dataclasses.dataclass(frozen=frozen)(Mine)
    assert not hasattr(FillMessage, "__dataclass_params__")
    mine = Mine(*dataclasses.astuple(FILL))
    assert dataclasses.replace(mine, note="large").note == "large"


def test_an_event_as_a_dataclass_holds_its_message_as_a_dictionary() -> None:
    event = StatusEvent(1, "main", "", 0, "stream", False, "", "open")
    assert dataclasses.asdict(event)["message"] == "open"


# --- event.detail -------------------------------------------------------------------------------


def test_only_orders_and_fills_have_a_detail() -> None:
    events = Events()
    with_detail = (events.master_order(), events.order(), events.fill())
    assert all(event.detail is not None for event in with_detail)
    others = [event for event in EVENTS if event.kind not in ("master_order", "order", "fill")]
    assert {event.detail for event in others} == {None}


def test_the_type_of_a_detail_follows_from_the_event() -> None:
    events = Events()
    master, order, fill = events.master_order(), events.order(), events.fill()
    assert_type(master.detail, MasterOrderDetail)
    assert_type(order.detail, OrderDetail)
    assert_type(fill.detail, FillDetail)
    assert [type(event.detail) for event in (master, order, fill)] == [
        MasterOrderDetail,
        OrderDetail,
        FillDetail,
    ]


def test_a_detail_is_made_once_and_kept() -> None:
    events = Events()
    for event in (events.master_order(), events.order(), events.fill(origin="stream")):
        assert event.detail is event.detail


def test_a_detail_that_was_asked_for_is_no_part_of_the_event() -> None:
    asked, other = Events().order(), Events().order()
    assert asked.detail is not None
    assert asked == other
    assert asked.as_dict() == other.as_dict()
    assert msgspec.msgpack.encode(asked) == msgspec.msgpack.encode(other)
    changed = replace(asked, raw=Events().order(quantity="7").raw)
    assert changed.detail.quantity == 7


def test_a_detail_goes_with_its_event() -> None:
    event = Events().order()
    detail = event.detail
    kept = sys.getrefcount(detail)
    del event
    assert sys.getrefcount(detail) == kept - 1


def test_an_event_in_another_process_has_a_detail() -> None:
    event = Events().order(quantity="0.10")
    program = "import pickle, sys; print(pickle.load(sys.stdin.buffer).detail.quantity)"
    found = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(event), capture_output=True, check=True
    )
    assert found.stdout.split() == [b"0.10"]
