"""What the database has of the orders and fills of a batch."""

from __future__ import annotations

from collections.abc import Collection

from qehost.messages import FillEvent
from sqlalchemy import Connection

from qehost_store.batch import OrderName
from qehost_store.known import ChildKey
from qehost_store.rows import magnitude
from qehost_store.statements import find
from qehost_store.states import ZERO, Child, State
from qehost_store.tables import fills, master_orders, orders

__all__ = ["load_children", "load_master_orders", "names_of_v1_fills", "order_ids"]

_STATE = ("journal_id", "last_seq", "status", "changed_ms")


def load_master_orders(
    connection: Connection, account: str, names: Collection[str]
) -> dict[str, State]:
    columns = ("master_order_id", "cum_filled_qty", *_STATE)
    keys = [(name,) for name in names]
    return {
        name: State(journal_id, seq, status or "", magnitude(filled) or ZERO, changed or 0, True)
        for name, filled, journal_id, seq, status, changed in find(
            connection, master_orders, ("master_order_id",), account, keys, columns
        )
    }


def load_children(
    connection: Connection, account: str, keys: Collection[ChildKey]
) -> dict[ChildKey, Child]:
    columns = (
        *("master_order_id", "id", "filled_quantity", "fills_quantity", "fills_notional"),
        *_STATE,
    )
    return {
        (master_id, id_): Child(
            *(journal_id, seq, status or "", magnitude(filled) or ZERO, changed or 0, True),
            *(id_, quantity, notional),
        )
        for master_id, id_, filled, quantity, notional, journal_id, seq, status, changed in find(
            connection, orders, ("master_order_id", "id"), account, keys, columns
        )
    }


def order_ids(
    connection: Connection, account: str, names: Collection[OrderName]
) -> dict[OrderName, str]:
    """The ids of child orders of which only the exchange's number is known."""
    by = ("master_order_id", "order_id")
    rows = find(connection, orders, by, account, names, (*by, "id"))
    return {(master_id, order_id): id_ for master_id, order_id, id_ in rows}


def names_of_v1_fills(
    connection: Connection, account: str, events: Collection[FillEvent]
) -> set[str]:
    """The message_ids of those that are written.  V1 says nothing else that could tell."""
    keys = {(each.message.master_order_id, each.message_id) for each in events}
    by = ("master_order_id", "name")
    return {name for (name,) in find(connection, fills, by, account, keys, ("name",))}
