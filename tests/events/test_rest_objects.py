"""What was read over REST is told in the order of the venue's time."""

from __future__ import annotations

import json

from venue_account import at, child, master

from qehost.errors import DecodeError
from qehost.events.rest_objects import decode_rest


def statuses(masters: list[dict[str, str]], orders: list[dict[str, str]]) -> list[str]:
    found = decode_rest(map(json.dumps, masters), map(json.dumps, orders))
    return [
        "error" if isinstance(each.decoded, DecodeError) else each.decoded.message.status
        for each in found
    ]


def test_it_is_told_in_the_order_of_time_and_a_finished_master_order_after_its_child_orders() -> (
    None
):
    masters = [master("COMPLETED", 1, at(2)), master("NEW", 0, at(2)), master("PAUSED", 0, at(1))]
    orders = [child("FILLED", 1, at(2)), child("PLACED", 0, at(1))]
    assert statuses(masters, orders) == ["PAUSED", "PLACED", "NEW", "FILLED", "COMPLETED"]


def test_what_is_no_object_comes_first_with_its_text() -> None:
    found = decode_rest(["[]"], [json.dumps(child("PLACED"))])
    assert found[0].text == "[]"
    assert isinstance(found[0].decoded, DecodeError)
