"""What travels and is journalled: texts, from which the events are built where they are needed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.events.codec import (
    RawBatch,
    decode_events,
    decode_records,
    encode_events,
    expand,
    last_seq,
)
from qehost.events.fills import CumulativeFill
from qehost.events.pipeline import Pipeline
from qehost.messages import ErrorEvent, FillEvent, OrderEvent, StatusEvent
from qehost.storage.journal.search import Wanted
from qehost.testing import Events

AT = 1_720_000_000_000_000_000


def order(filled: str, **fields: Any) -> str:
    data = {"orderId": "x-1", "masterOrderId": "m-1", "quantity": "3", "filledQuantity": filled}
    inner = json.dumps(data | {"filledNotional": filled, "updatedAt": "1720000000000"} | fields)
    return json.dumps({"type": "order_data", "messageId": f"{filled}{fields}", "data": inner})


def test_a_text_travels_once_with_what_was_filled_before_its_fill() -> None:
    pipeline = Pipeline("main")
    first, second = order("1"), order("3")
    (record,) = pipeline.feed([first, second], AT)
    assert record == RawBatch(
        1, "main", AT, [first, CumulativeFill(), second, CumulativeFill("1", "1", "")]
    )
    assert last_seq(record) == 4
    assert decode_records(encode_events([record])) == [record]


def test_the_events_are_built_where_they_are_needed() -> None:
    (record,) = Pipeline("main").feed([order("1"), order("3")], AT)
    events = decode_events(encode_events([record]))
    assert [type(event) for event in events] == [OrderEvent, FillEvent, OrderEvent, FillEvent]
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert events[3].message.filled_qty == 2.0


def test_events_of_any_kind_travel_beside_the_texts() -> None:
    status = StatusEvent(1, "main", "m", AT, "stream", False, "", "up")
    texts = RawBatch(2, "main", AT, [order("1")])
    events = expand(decode_records(encode_events([status, texts])))
    assert [event.seq for event in events] == [1, 2]
    assert events[0] == status


def test_a_fill_that_was_written_when_it_had_no_id_can_be_read() -> None:
    fill = Events().fill(quantity="0.10", id="9071")
    (kind, *fields), *_ = msgspec.msgpack.decode(encode_events([fill]))
    place = FillEvent.__struct_fields__.index("exact")
    assert fields[place][-1] == "9071"
    fields[place] = fields[place][:-1]
    (read,) = decode_events(msgspec.msgpack.encode([[kind, *fields]]))
    assert isinstance(read, FillEvent)
    assert (read.detail.quantity, read.detail.id) == (Decimal("0.10"), "")
    assert read.detail.fill_time == fill.detail.fill_time


def test_what_this_version_cant_read_is_an_error_in_its_place() -> None:
    record = RawBatch(7, "main", AT, ["no json", CumulativeFill(), order("1")])
    first, second, third = expand([record])
    assert isinstance(first, ErrorEvent)
    assert isinstance(second, ErrorEvent)
    assert (first.seq, second.seq, third.seq) == (7, 8, 9)
    assert first.raw == "no json"
    assert isinstance(third, OrderEvent)


@pytest.mark.parametrize("client_id", ["desk-1", 'desk "A"', "a/b", "é", "\\n"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_search_finds_what_json_has_to_escape(client_id: str, ascii_only: bool) -> None:
    data = json.dumps({"masterOrderId": "m", "clientOrderId": client_id}, ensure_ascii=ascii_only)
    text = json.dumps({"type": "master_data", "data": data}, ensure_ascii=ascii_only)
    batch = encode_events(Pipeline("main").feed([text], AT))
    wanted = Wanted(order_id=client_id)
    assert wanted.may_hold(batch)
    assert wanted.fits(decode_events(batch)[0])
    assert not Wanted(order_id="another").may_hold(batch) or "\\u" in text


figures = st.sampled_from(
    ["", "0", "1", "0.10", "1.2.3", ".", "1E-8", "1e400", "-1", "NaN", "١", "1_0", "9" * 200, " 1"]
)
times = st.sampled_from(["", "1720000000000", "2024-07-03T09:46:40Z", "soon", "1.5", "-1"])
texts = st.builds(
    order,
    figures,
    filledNotional=figures,
    averagePrice=figures,
    quantity=figures,
    orderCreatedTime=times,
    updatedAt=times,
)


@given(st.lists(texts, max_size=6))
def test_what_was_taken_can_be_built(taken: list[str]) -> None:
    pipeline = Pipeline("main")
    for text in taken:
        for record in pipeline.feed([text], AT):
            if isinstance(record, RawBatch):
                assert not any(isinstance(event, ErrorEvent) for event in expand([record]))
