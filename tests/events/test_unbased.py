"""Of which orders it is told that their beginning is not known."""

from __future__ import annotations

from qehost.errors import GapError
from qehost.events.unbased import Unbased


def unbased(*ids: str) -> Unbased:
    orders = Unbased()
    for each in ids:
        orders.add(each, "v")
    return orders


def test_what_the_stream_brought_is_told_once_for_a_connection() -> None:
    orders = unbased("x-1", "")
    error = orders.take_pushed()
    assert isinstance(error, GapError)
    assert "2 child orders (x-1, v)" in str(error)
    assert not orders.ids
    orders.add("x-2", "v")
    assert orders.take_pushed() == "another order without its beginning: x-2"
    orders.renew()
    orders.add("x-3", "v")
    assert isinstance(orders.take_pushed(), GapError)


def test_what_rest_brought_is_told_each_time() -> None:
    orders = unbased("x-1")
    assert "x-1" in str(orders.take_read())
    orders.add("x-2", "v")
    assert "x-2" in str(orders.take_read())


def test_of_many_orders_the_first_are_named() -> None:
    text = str(unbased(*map(str, range(100))).take_read())
    assert "100 child orders (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …)" in text
