"""Text → events: order, sequence, duplicates, derived fills, catching up, and restoring."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from fed import fed
from hypothesis import given
from hypothesis import strategies as st

from qehost.errors import DecodeError, GapError, VenueError, from_problem
from qehost.events import order_memory, wire
from qehost.events.codec import decode_events, encode_events
from qehost.events.pipeline import Pipeline
from qehost.events.rest_objects import decode_rest
from qehost.messages import (
    AnyEvent,
    Connected,
    ConnectedEvent,
    Disconnected,
    DisconnectedEvent,
    ErrorEvent,
    FillEvent,
    MasterOrderDetail,
    MasterOrderEvent,
    OrderDetail,
    OrderEvent,
    StatusEvent,
    UnknownEvent,
)

AT = 1_720_000_000_000_000_000
START = 1_719_999_999_000


def order(at: int = 0, filled: str = "0", **fields: Any) -> dict[str, Any]:
    return {
        "id": "77",
        "orderId": "x-1",
        "masterOrderId": "m-1",
        "symbol": "BTCUSDT",
        "side": "buy",
        "category": "spot",
        "quantity": "0.3",
        "price": "100",
        "filledQuantity": filled,
        "filledNotional": str(Decimal(filled) * 100),
        "averagePrice": "100",
        "status": "PLACED",
        "orderType": "LIMIT",
        "orderCreatedTime": "1719999999000",
        "updatedAt": str(START + at),
        **fields,
    }


def master_order(at: int = 0, filled: str = "0", **fields: Any) -> dict[str, Any]:
    return {
        "masterOrderId": "m-1",
        "status": "PROCESSING",
        "cumFilledQty": filled,
        "updatedAt": str(START + at),
        **fields,
    }


def v1_fill(quantity: float, at: int) -> dict[str, Any]:
    return {
        "type": "fill",
        "master_order_id": "m-1",
        "order_id": "x-1",
        "filled_qty": quantity,
        "fill_price": 100,
        "fill_time": START + at,
        "timestamp": START + at,
    }


def push(type_: str, data: Any, message_id: str = "") -> str:
    inner = data if isinstance(data, str) else json.dumps(data)
    return json.dumps({"type": type_, "messageId": message_id, "userId": "u-1", "data": inner})


def kinds(events: list[AnyEvent]) -> list[str]:
    return [event.kind for event in events]


# --- the stream -------------------------------------------------------------------------------


def test_each_message_becomes_an_event_of_its_kind_with_what_came() -> None:
    texts = [
        push("status", "connected", "a"),
        push("master_data", master_order(), "b"),
        push("order_data", order(), "c"),
        push("data", v1_fill(0.1, 5), "d"),
        push("error", "no more", "e"),
        push("brand_new", "{}", "f"),
    ]

    events = fed(Pipeline("main"), texts, AT)

    assert [type(event) for event in events] == [
        StatusEvent,
        MasterOrderEvent,
        OrderEvent,
        FillEvent,
        ErrorEvent,
        UnknownEvent,
    ]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event.raw for event in events] == texts
    assert [event.message_id for event in events] == list("abcdef")
    assert {(event.account, event.received_at, event.origin) for event in events} == {
        ("main", AT, "stream")
    }
    assert events[0].message == "connected"
    error = from_problem(events[4].message)
    assert isinstance(error, VenueError)
    assert str(error) == "no more"


def test_a_v2_order_that_grew_is_followed_by_its_fill() -> None:
    pipeline = Pipeline("main")
    text = push("order_data", order(filled="0.1"), "a")

    first, second = fed(pipeline, [text], AT)

    assert isinstance(first, OrderEvent)
    assert isinstance(second, FillEvent)
    assert (first.seq, second.seq, pipeline.next_seq) == (1, 2, 3)
    assert (second.origin, second.message_id, second.raw) == ("derived", "a", text)
    assert second.exact is not None
    assert (second.exact.price, second.exact.quantity) == (100, Decimal("0.1"))
    assert (second.message.filled_qty, second.message.fill_price) == (0.1, 100.0)
    assert second.message.fill_time == second.message.timestamp == START
    assert wire.detail(second) is second.exact
    exact = wire.detail(first)
    assert isinstance(exact, OrderDetail)
    assert exact.filled_quantity == Decimal("0.1")


def test_no_fill_is_derived_from_a_v1_order() -> None:
    v1 = {"type": "order", "order_id": "x-1", "cum_filled_qty": 0.1, "status": "FILLED"}
    assert kinds(fed(Pipeline("main"), [push("order_data", v1)], AT)) == ["order"]


def test_a_message_id_is_delivered_once() -> None:
    pipeline = Pipeline("main")
    first = push("order_data", order(filled="0.1"), "a")
    assert kinds(fed(pipeline, [first, first], AT)) == ["order", "fill"]
    assert fed(pipeline, [first], AT) == []
    assert pipeline.next_seq == 3
    assert pipeline.notices.counts.repeats == 2


def test_a_message_whose_id_came_too_long_ago_to_compare_them_is_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(order_memory, "_RECENT", 3)
    pipeline = Pipeline("main")
    texts = [
        push("order_data", order(filled="0.1"), "a"),
        push("data", v1_fill(0.1, 5), "b"),
        push("status", "hello", "c"),
    ]
    fed(pipeline, texts, AT)
    fed(pipeline, [push("status", str(number), f"{number}") for number in range(3)], AT)
    again = fed(pipeline, texts, AT)
    assert kinds(again) == ["order", "fill", "status"]
    assert all(event.redelivered for event in again)
    assert fed(pipeline, texts, AT) == []
    reused = fed(pipeline, [push("status", "another", "c")], AT)
    assert [event.redelivered for event in reused] == [True]
    assert pipeline.notices.counts.repeats == 3


def test_messages_without_an_id_are_all_delivered() -> None:
    text = push("status", "x")
    assert kinds(fed(Pipeline("main"), [text, text], AT)) == ["status", "status"]


def test_a_pong_is_no_event() -> None:
    assert fed(Pipeline("main"), ["pong"], AT) == []


def test_what_cant_be_read_is_one_error_with_its_text_and_the_stream_goes_on() -> None:
    bad = push("order_data", '{"price"', "a")
    good = push("order_data", order(), "a")

    events = fed(Pipeline("main"), [bad, "no json", good], AT)

    assert kinds(events) == ["error", "error", "order"]
    assert [event.seq for event in events] == [1, 2, 3]
    assert [event.raw for event in events] == [bad, "no json", good]
    error = from_problem(events[0].message, events[0].raw)
    assert isinstance(error, DecodeError)
    assert (error.path, error.raw) == ("$.data", bad)


def test_a_field_that_cant_be_read_is_told_after_its_message_with_path_and_text() -> None:
    text = push("order_data", order(filled="0.1", price="abc"), "a")

    told, fill, error = fed(Pipeline("main"), [text], AT)

    assert isinstance(told, OrderEvent)
    assert (told.message.price, told.message.fill_qty) == (0.0, 0.1)
    exact = wire.detail(told)
    assert isinstance(exact, OrderDetail)
    assert (exact.price, exact.filled_quantity) == (None, Decimal("0.1"))
    assert fill.message.filled_qty == 0.1
    fault = from_problem(error.message, error.raw)
    assert isinstance(fault, DecodeError)
    assert (fault.path, fault.raw) == ("$.data.price", text)
    assert error.origin == "derived"  # the text itself came with the order


def test_a_field_that_the_message_does_not_show_is_told_once() -> None:
    pipeline = Pipeline("main")
    texts = [
        push("master_data", master_order(at, maxTriggerWaitSecs=2.5), str(at)) for at in (1, 2)
    ]
    events = fed(pipeline, texts, AT)
    assert kinds(events) == ["master_order", "error", "master_order"]
    assert events[1].message.facts == {"path": "$.data.maxTriggerWaitSecs"}
    assert pipeline.notices.counts.unreadable == 2
    for told in events[::2]:
        exact = wire.detail(told)
        assert isinstance(exact, MasterOrderDetail)
        assert exact.max_trigger_wait_secs is None


@pytest.mark.parametrize("field", ["filledQuantity", "filledNotional"])
def test_a_figure_that_cant_be_read_gives_no_fill_and_the_next_one_gives_it(field: str) -> None:
    pipeline = Pipeline("main")
    texts = [
        push("order_data", order(1, "0.1")),
        push("order_data", {**order(2, "0.2"), field: "much"}),
        push("order_data", order(3, "0.3")),
    ]
    events = fed(pipeline, texts, AT)
    if field == "filledQuantity":
        assert kinds(events) == ["order", "fill", "order", "error", "order", "fill"]
        assert filled(events) == [0.1, 0.2]
    else:  # the price is told by the average then
        assert kinds(events) == ["order", "fill", "order", "fill", "error", "order", "fill"]
        assert filled(events) == [0.1, 0.1, 0.1]
        assert {event.message.fill_price for event in events if event.kind == "fill"} == {100.0}


def filled(events: list[AnyEvent]) -> list[float]:
    return [event.message.filled_qty for event in events if isinstance(event, FillEvent)]


def test_a_fill_that_does_not_add_up_is_an_error_behind_its_order() -> None:
    far = order(quantity="1E+300", filled="1E+300", filledNotional="1")
    texts = [push("order_data", order(filled="1E-300")), push("order_data", far)]
    events = fed(Pipeline("main"), texts, AT)
    assert kinds(events) == ["order", "fill", "order", "error"]
    assert events[3].message.facts == {"path": "$.data.filledQuantity"}


def test_an_order_without_any_id_tells_that_its_fill_is_not_told() -> None:
    nameless = order(filled="0.1", id="", orderId="0")
    events = fed(Pipeline("main"), [push("order_data", nameless)], AT)
    assert kinds(events) == ["order", "error"]
    assert events[1].message.facts == {"path": "$.data.id"}


@pytest.mark.parametrize("data", [None, "null", "", "plain"])
@pytest.mark.parametrize("type_", ["master_data", "order_data"])
def test_what_is_no_object_is_an_error_each_time_a_line_once_and_a_count(
    type_: str, data: Any
) -> None:
    pipeline = Pipeline("main")
    texts = [json.dumps({"type": type_, "messageId": str(n), "data": data}) for n in range(5)]
    assert kinds(fed(pipeline, texts, AT)) == ["error"] * 5
    assert pipeline.notices.counts.unreadable == 5
    (line,) = pipeline.notices.take()
    assert "$.data" in line


@pytest.mark.parametrize("data", [None, "null", "", "plain", "[1]", '{"type": "position"}'])
@pytest.mark.parametrize("type_", ["data", "brand_new"])
def test_what_is_of_no_known_type_is_handed_on_with_a_line_and_a_count(
    type_: str, data: Any
) -> None:
    pipeline = Pipeline("main")
    texts = [json.dumps({"type": type_, "messageId": str(n), "data": data}) for n in range(5)]
    assert kinds(fed(pipeline, texts, AT)) == ["unknown"] * 5
    assert pipeline.notices.counts.unknown == 5
    assert len(pipeline.notices.take()) == 1


@pytest.mark.parametrize("field", ["masterOrderId", "orderId", "id"])
@pytest.mark.parametrize("value", [{"a": 1}, ["x"]])
def test_an_id_that_cant_be_read_makes_the_message_unreadable(field: str, value: Any) -> None:
    (error,) = fed(Pipeline("main"), [push("order_data", order(**{field: value}))], AT)
    assert error.message.facts == {"path": f"$.data.{field}"}
    (error,) = caught_up(Pipeline("main"), [], [json.dumps(order(**{field: value}))], AT)
    assert error.message.facts == {"path": f"$.{field}"}


@pytest.mark.parametrize("type_", ["master_data", "order_data"])
def test_an_object_without_any_id_is_told_with_an_error(type_: str) -> None:
    texts = [push(type_, {"status": "PAUSED"})]
    told, error = fed(Pipeline("main"), texts, AT)
    assert told.message.status == "PAUSED"
    assert error.message.facts == {"path": "$.data.masterOrderId"}


@pytest.mark.parametrize("placeholder", ["", "0", "-1", "{}", "[]", "false", None, {}, [], False])
def test_what_stands_in_the_place_of_a_message_id_tells_no_repeat(placeholder: Any) -> None:
    pipeline = Pipeline("main")
    text = json.dumps({"type": "status", "messageId": placeholder, "data": "hello"})
    assert kinds(fed(pipeline, [text, text], AT)) == ["status", "status"]


def test_a_message_id_that_comes_again_with_other_content_is_told_with_a_warning() -> None:
    pipeline = Pipeline("main")
    ids = ("1", "2", "3")
    texts = [push("status", text, each) for text in ("first", "second") for each in ids]
    assert len(fed(pipeline, texts, AT)) == 6
    assert fed(pipeline, texts, AT) == []
    assert pipeline.notices.counts.repeats == 6
    (line,) = pipeline.notices.take()
    assert "another content" in line


def test_text_without_utf8_is_journalled_in_a_form_that_has_it() -> None:
    (event,) = fed(Pipeline("main"), ["\ud800"], AT)
    assert event.raw == "\\ud800"
    msgspec.msgpack.encode(event)


# --- the connection ---------------------------------------------------------------------------


def test_what_happens_to_the_connection_takes_its_place_in_the_sequence() -> None:
    pipeline = Pipeline("main", next_seq=7)
    connected = Connected("wss://venue", 1)
    disconnected = Disconnected("reset")
    assert pipeline.connected(connected, AT) == ConnectedEvent(
        7, "main", "", AT, "stream", False, "", connected
    )
    (status,) = fed(pipeline, [push("status", "x")], AT)
    assert status.seq == 8
    assert pipeline.disconnected(disconnected, AT) == DisconnectedEvent(
        9, "main", "", AT, "stream", False, "", disconnected
    )
    event = pipeline.problem(GapError("a gap"), AT)
    assert (event.seq, event.raw, event.message.code) == (10, "", "gap")
    assert pipeline.next_seq == 11


# --- catching up ------------------------------------------------------------------------------


def caught_up(
    pipeline: Pipeline, master_orders: list[str], orders: list[str], at: int
) -> list[AnyEvent]:
    return pipeline.catch_up(decode_rest(master_orders, orders), at)


def test_rest_brings_what_the_stream_did_not_in_the_order_of_time() -> None:
    pipeline = Pipeline("main")
    fed(pipeline, [push("order_data", order(1)), push("master_data", master_order(1))], AT)

    events = caught_up(
        pipeline,
        [json.dumps(master_order(9, "0.3", status="COMPLETED")), json.dumps(master_order(1))],
        [
            json.dumps(order(9, "0.3", status="FILLED")),
            json.dumps(order(5, "0.2", id="78", orderId="x-2")),
            json.dumps(order(1)),
        ],
        AT,
    )

    assert [(event.kind, event.message.timestamp - START) for event in events] == [
        ("order", 5),
        ("fill", 5),
        ("order", 9),
        ("fill", 9),
        ("master_order", 9),
    ]
    assert [event.seq for event in events] == [3, 4, 5, 6, 7]
    assert [event.origin for event in events] == [
        "catch_up",
        "derived",
        "catch_up",
        "derived",
        "catch_up",
    ]
    assert {event.message_id for event in events} == {""}
    exact = wire.detail(events[2])
    assert isinstance(exact, OrderDetail)
    assert exact.filled_quantity == Decimal("0.3")
    fill = wire.detail(events[3])
    assert fill is not None
    assert fill == events[3].exact  # type: ignore[union-attr]


def test_a_state_from_rest_with_other_digits_is_the_same_state() -> None:
    pipeline = Pipeline("main")
    fed(pipeline, [push("order_data", order(1, "0.10"))], AT)
    again = json.dumps(order(1, "0.1", updatedAt=START + 1))
    assert caught_up(pipeline, [], [again, again], AT) == []


def test_what_rest_brought_is_told_by_the_stream_too_and_marked() -> None:
    pipeline = Pipeline("main")
    rest = caught_up(pipeline, [json.dumps(master_order(1))], [json.dumps(order(2, "0.1"))], AT)
    assert kinds(rest) == ["master_order", "order", "fill"]
    stream = fed(
        pipeline,
        [
            push("master_data", master_order(1), "a"),
            push("order_data", order(2, "0.1"), "b"),
            push("order_data", order(3, "0.3"), "c"),
        ],
        AT,
    )
    assert [(event.kind, event.seq, event.redelivered) for event in stream] == [
        ("master_order", 4, True),
        ("order", 5, True),
        ("order", 6, False),
        ("fill", 7, False),
    ]
    assert filled(stream) == [0.2]


def test_rest_does_not_take_an_order_back_in_time() -> None:
    pipeline = Pipeline("main")
    fed(pipeline, [push("master_data", master_order(9, "0.3", status="COMPLETED"))], AT)
    assert caught_up(pipeline, [json.dumps(master_order(5, "0.1"))], [], AT) == []


def test_a_v1_stream_and_rest_tell_a_fill_once() -> None:
    pipeline = Pipeline("main")
    assert kinds(fed(pipeline, [push("data", v1_fill(0.1, 1))], AT)) == ["fill"]
    rest = caught_up(pipeline, [], [json.dumps(order(5, "0.3"))], AT)
    assert kinds(rest) == ["order", "fill"]
    assert rest[1].message.filled_qty == 0.2
    (late,) = fed(pipeline, [push("data", v1_fill(0.2, 4))], AT)
    assert (late.kind, late.redelivered) == ("fill", True)


def test_a_v1_fill_that_was_lost_behind_its_order_comes_alone_and_once() -> None:
    pipeline = Pipeline("main")
    state = {
        "type": "order",
        "master_order_id": "m-1",
        "order_id": "x-1",
        "status": "PLACED",
        "cum_filled_qty": 0.3,
        "timestamp": START + 5,
    }
    told = fed(pipeline, [push("order_data", state)], AT)
    rest = [json.dumps(order(5, "0.3"))]
    told += caught_up(pipeline, [], rest, AT)
    assert kinds(told) == ["order", "fill"]
    assert told[1].message.filled_qty == 0.3
    assert caught_up(pipeline, [], rest, AT) == []

    restarted = Pipeline("main")
    restarted.restore(told)
    assert restarted.next_seq == 3
    assert caught_up(restarted, [], rest, AT) == []
    (late,) = fed(restarted, [push("data", v1_fill(0.3, 5))], AT)
    assert late.redelivered


def test_what_cant_be_read_from_rest_is_one_error_and_the_rest_is_told() -> None:
    bad = json.dumps(order(price="abc"))
    events = caught_up(Pipeline("main"), ["[]"], [bad, json.dumps(order())], AT)
    assert kinds(events) == ["error", "order", "error", "order"]
    assert [event.raw for event in events[:3]] == ["[]", bad, bad]
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert events[2].message.facts == {"path": "$.price"}
    assert events[2].origin == "catch_up"


def test_what_cant_be_read_from_rest_is_told_once_also_after_a_restart() -> None:
    pipeline, bad = Pipeline("main"), json.dumps(order(price="abc"))
    told = caught_up(pipeline, [], [bad], AT)
    assert kinds(told) == ["order", "error"]
    assert caught_up(pipeline, [], [bad], AT) == []
    restarted = Pipeline("main")
    restarted.restore(told)
    assert caught_up(restarted, [], [bad, "[]"], AT)[0].seq == 3
    assert caught_up(restarted, [], [bad, "[]"], AT) == []


def test_a_field_type_of_the_venue_s_own_is_no_obstacle() -> None:
    pipeline = Pipeline("main")
    odd = json.dumps({"type": "LIMIT", **order(3, "0.2")})
    odder = json.dumps({**master_order(2), "type": "fill"})
    events = caught_up(pipeline, [odder], [odd, json.dumps(order(5, "0.3"))], AT)
    assert kinds(events) == ["master_order", "order", "fill", "order", "fill"]
    assert decode_events(encode_events(events)) == events


# --- after a restart --------------------------------------------------------------------------

orders = st.builds(
    lambda at, filled, number, status: order(
        at, filled, id=number, orderId=f"x-{number}", status=status
    ),
    st.integers(0, 4),
    st.sampled_from(["0", "0.1", "0.10", "0.2", "0.3", ""]).map(lambda text: text or "0"),
    st.sampled_from(["1", "2"]),
    st.sampled_from(["PLACED", "FILLED"]),
)
master_orders = st.builds(master_order, st.integers(0, 4), st.sampled_from(["0", "0.1"]))
v1_fills = st.builds(v1_fill, st.sampled_from([0.1, 0.2]), st.integers(0, 4))
bad = st.sampled_from(["no json", push("order_data", order(price="abc"), "3")])
frames = st.one_of(
    st.builds(push, st.just("order_data"), orders, st.sampled_from(["", "1", "2", "3"])),
    st.builds(push, st.just("master_data"), master_orders, st.sampled_from(["", "4", "5"])),
    st.builds(push, st.just("data"), v1_fills, st.sampled_from(["", "6", "7"])),
    st.builds(push, st.just("status"), st.just("x"), st.sampled_from(["", "8"])),
    bad,
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), st.lists(frames, max_size=4)),
        st.tuples(st.just("catch_up"), st.tuples(st.lists(master_orders), st.lists(orders))),
        st.tuples(st.just("connection"), st.none()),
    ),
    max_size=8,
)


def take(pipeline: Pipeline, step: tuple[str, Any]) -> list[AnyEvent]:
    what, texts = step
    match what:
        case "feed":
            return fed(pipeline, texts, AT)
        case "catch_up":
            masters, children = ([json.dumps(item) for item in items] for items in texts)
            return caught_up(pipeline, masters, children, AT)
        case _:
            return [
                pipeline.disconnected(Disconnected("reset"), AT),
                pipeline.connected(Connected("wss://venue"), AT),
                pipeline.problem(GapError("a gap"), AT),
            ]


@given(steps, steps)
def test_a_restored_pipeline_goes_on_as_if_it_had_never_stopped(
    before: list[tuple[str, Any]], after: list[tuple[str, Any]]
) -> None:
    first = Pipeline("main")
    journal = [event for step in before for event in take(first, step)]
    data = msgspec.msgpack.encode(journal)

    second = Pipeline("main")
    second.restore(msgspec.msgpack.decode(data, type=list[AnyEvent]))

    assert second.next_seq == first.next_seq
    for step in after:
        assert take(second, step) == take(first, step)


@given(steps)
def test_the_sequence_has_no_gaps_and_what_rest_told_is_marked_where_the_stream_brings_it(
    taken: list[tuple[str, Any]],
) -> None:
    pipeline = Pipeline("main")
    events = [event for step in taken for event in take(pipeline, step)]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    states: set[Any] = set()
    told_by_rest: dict[str, Any] = {}
    for event in events:
        if isinstance(event, OrderEvent):
            message, exact = event.message, wire.detail(event)
            assert isinstance(exact, OrderDetail)
            state = (exact.id, message.status, message.fill_qty, message.timestamp)
            if event.origin == "catch_up":
                assert state not in states
                told_by_rest[exact.id] = state
            else:
                # The first push after it; what the venue pushes once more after that is its own.
                is_repeat = told_by_rest.pop(exact.id, None) == state
                assert not is_repeat or event.redelivered or event.stale
            states.add(state)
    taken_texts = {(event.message_id, event.raw) for event in events if event.origin == "stream"}
    ids = [event for event in events if event.message_id and event.origin == "stream"]
    assert len(ids) == len({pair for pair in taken_texts if pair[0]})


@given(st.lists(st.text(max_size=20) | frames, max_size=5))
def test_any_text_is_an_event_or_a_duplicate_and_never_a_raise(texts: list[str]) -> None:
    pipeline = Pipeline("main")
    for text in texts:
        before = pipeline.next_seq
        events = fed(pipeline, [text], AT)
        assert [event.seq for event in events] == list(range(before, pipeline.next_seq))
        assert all(event.raw == text for event in events)
        assert all(e.message.code == "decode" for e in events if isinstance(e, ErrorEvent))
        msgspec.msgpack.encode(events)


@pytest.mark.parametrize("field", sorted(order()))
@given(value=st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.lists(st.none()))
def test_any_value_in_any_field_is_an_order_with_at_most_one_error(field: str, value: Any) -> None:
    text = push("order_data", order(**{field: value}), "a")
    events = fed(Pipeline("main"), [text], AT)
    if field in ("id", "orderId", "masterOrderId") and isinstance(value, list) and value:
        assert kinds(events) == ["error"]
        return
    assert kinds(events)[0] == "order"
    assert sorted(kinds(events)[1:]) in ([], ["fill"], ["error"], ["error", "fill"])
    assert {event.raw for event in events} == {text}
