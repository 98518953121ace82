"""What one batch changes in the orders and fills of an account, in one transaction."""

from __future__ import annotations

from qehost.messages import FillEvent, OrderEvent
from sqlalchemy import Connection, update

from qehost_store.batch import Batch, OrderName
from qehost_store.days import DailySums
from qehost_store.known import ChildKey, Known
from qehost_store.rows import Row, commission_rows, magnitude, master_order_row, order_row
from qehost_store.statements import find, insert_missing, relabel, set_sums, upsert
from qehost_store.states import Child, State, add_fill, add_unreported, label_of
from qehost_store.stored import load_children, load_master_orders, names_of_v1_fills, order_ids
from qehost_store.tables import commissions, fills, master_orders, orders, writers

__all__ = ["Changes"]

_STUB = dict.fromkeys(column.name for column in orders.columns)


class Changes:
    """What it changes of `known` is kept when the transaction is committed."""

    def __init__(self, known: Known, account: str) -> None:
        self._known = known
        self._account = account
        self._masters: dict[str, State] = {}
        self._children: dict[ChildKey, Child] = {}
        self._stored: set[ChildKey] = set()
        """The children that are in the database already."""
        self._changed: set[ChildKey] = set()
        """The children that are copies, for this transaction to change."""
        self._ids: dict[OrderName, str] = {}
        self._days = DailySums(known, account)
        self._with_v1 = account in known.with_v1

    def write(self, connection: Connection, batch: Batch) -> None:
        self._write_master_orders(connection, batch)
        self._find_children(connection, batch)
        fill_rows = self._fill_rows(connection, batch)
        self._write_orders(connection, batch, fill_rows)
        if fill_rows:
            insert_missing(connection, fills, fill_rows)
            self._days.add(connection, fill_rows)

    def keep(self) -> None:
        """It is committed."""
        known, account = self._known, self._account
        for master_id, state in self._masters.items():
            known.masters.put((account, master_id), state)
        for (master_id, id_), child in self._children.items():
            known.children.put((account, master_id, id_), child)
        for (master_id, order_id), id_ in self._ids.items():
            known.ids.put((account, master_id, order_id), id_)
        self._days.keep()
        if self._with_v1:
            known.with_v1.add(account)

    # --- master orders ---------------------------------------------------------------------------

    def _write_master_orders(self, connection: Connection, batch: Batch) -> None:
        missing = []
        for name in batch.master_orders:
            if (known := self._known.masters.get((self._account, name))) is None:
                missing.append(name)
            else:
                self._masters[name] = known
        if missing:
            self._masters.update(load_master_orders(connection, self._account, missing))
        rows, fees = [], []
        for name, states in batch.master_orders.items():
            event = states.last
            known = self._masters.get(name) or State()
            detail = event.detail
            filled = magnitude(detail.cum_filled_qty)
            if known.gives_way_to(event, filled):
                rows.append(master_order_row(event, detail, states.first_seq))
                fees += commission_rows(event, detail)
                self._masters[name] = made = State()
                made.note(event, filled)
        upsert(connection, master_orders, rows, keep=("first_seq",))
        upsert(connection, commissions, fees)

    # --- child orders ----------------------------------------------------------------------------

    def _find_children(self, connection: Connection, batch: Batch) -> None:
        """Their ids, and what the database has of them."""
        names = batch.order_names()
        self._find_ids(connection, batch, names)
        # V1 has no id: there, order_id is what its orders and fills have in common.
        wanted = {(name[0], self._ids.get(name, name[1])) for name in names}
        if self._with_v1:
            wanted.update(names)
        missing = []
        for key in wanted:
            if (known := self._known.children.get((self._account, *key))) is None:
                missing.append(key)
            else:
                self._children[key] = known
        if missing:
            self._children.update(load_children(connection, self._account, missing))
        for name in names:
            id_ = self._ids.setdefault(name, name[1])
            if (name[0], id_) not in self._children and name in self._children:
                self._ids[name] = name[1]  # an order of V1, read over REST, which has V2's ids
        self._stored = set(self._children)

    def _find_ids(self, connection: Connection, batch: Batch, names: dict[OrderName, None]) -> None:
        for name in names:
            id_ = self._known.ids.get((self._account, *name))
            if id_ is None and (states := batch.orders.get(name)) is not None:
                id_ = states.last.detail.id
            if id_:
                self._ids[name] = id_
        if len(self._ids) == len(names):
            return
        for event, _ in batch.executions:
            name = event.message.master_order_id, event.message.order_id
            if name not in self._ids and event.detail.id:
                self._ids[name] = event.detail.id
        if unknown := [name for name in names if name not in self._ids]:
            self._ids.update(order_ids(connection, self._account, unknown))
            if any(name not in self._ids for name in unknown):
                self._note_v1(connection)

    def _note_v1(self, connection: Connection) -> None:
        if not self._with_v1:
            self._with_v1 = True
            connection.execute(
                update(writers).where(writers.c.account == self._account).values(has_v1=True)
            )

    def _child(self, event: FillEvent | OrderEvent) -> Child:
        """For this transaction to change."""
        master_id = event.message.master_order_id
        id_ = self._ids[master_id, event.message.order_id]
        key = master_id, id_
        if key not in self._changed:
            self._changed.add(key)
            known = self._children.get(key)
            self._children[key] = known.copy() if known is not None else Child(id=id_)
        return self._children[key]

    def _write_orders(self, connection: Connection, batch: Batch, fill_rows: list[Row]) -> None:
        latest: dict[ChildKey, tuple[OrderEvent, int]] = {}
        for name, states in batch.orders.items():
            key = name[0], self._ids[name]
            event, first_seq = states.last, states.first_seq
            if (other := latest.get(key)) is not None:
                first_seq = min(first_seq, other[1])
                if (event.stale, -event.seq) > (other[0].stale, -other[0].seq):
                    event = other[0]
            latest[key] = event, first_seq
        rows, written = [], set()
        for key, (event, first_seq) in latest.items():
            child = self._child(event)
            detail = event.detail
            filled = magnitude(detail.filled_quantity)
            if not child.gives_way_to(event, filled):
                continue
            child.note(event, filled)
            row = order_row(event, detail, key[1], first_seq)
            row["fills_quantity"], row["fills_notional"] = child.quantity, child.notional
            rows.append(row)
            written.add(key)
        upsert(connection, orders, rows, keep=("first_seq",))
        self._write_sums(
            connection,
            {
                key: row
                for row in fill_rows
                if (key := (row["master_order_id"], row["id"])) not in written
            },
        )

    def _write_sums(self, connection: Connection, last_fills: dict[ChildKey, Row]) -> None:
        """Of child orders that have new fills and no new state."""
        sums, stubs = [], []
        for key, row in last_fills.items():
            child = self._children[key]
            added = {"fills_quantity": child.quantity, "fills_notional": child.notional}
            if key in self._stored:
                named = {"account": self._account, "master_order_id": key[0], "id": key[1]}
                sums.append({**named, **added})
                continue
            # A fill before the first state of its order.
            stub: Row = {
                **_STUB,
                **{name: row[name] for name in _STUB.keys() & row.keys()},
                **added,
            }
            stub.update(
                price=None, quantity=None, status="", first_seq=row["seq"], last_seq=row["seq"]
            )
            child.exists = True
            stubs.append(stub)
        upsert(connection, orders, stubs)
        set_sums(connection, sums)

    # --- fills -----------------------------------------------------------------------------------

    def _fill_rows(self, connection: Connection, batch: Batch) -> list[Row]:
        """Those that are not written yet."""
        pushed = [
            event
            for event, _ in batch.executions
            if isinstance(event, FillEvent) and event.detail.cum_quantity is None
        ]
        told = names_of_v1_fills(connection, self._account, pushed) if pushed else set()
        rows, again = [], []
        for event, state in batch.executions:
            if isinstance(event, FillEvent):
                if event.detail.cum_quantity is None:
                    if event.message_id in told:
                        continue
                    told.add(event.message_id)
                child = self._child(event)
                row = add_fill(child, event, event.detail, state)
                if row is None and event.detail.cum_quantity is not None:
                    again.append((child.id, event))
            else:
                child = self._child(event)
                # As good as always it is written; then `detail` is not needed.
                if abs(event.message.cum_filled_qty) <= float(child.quantity):
                    continue
                if not event.detail.id and event.origin == "stream":
                    continue  # V1 pushes its fills
                row = add_unreported(child, event, event.detail)
            if row is not None:
                rows.append(row)
        if again:
            self._label(connection, again, rows)
        return rows

    def _label(
        self, connection: Connection, told: list[tuple[str, FillEvent]], new: list[Row]
    ) -> None:
        """What was written of an order's state is a fill as soon as it is told as one, however late
        that is."""
        labels = {}
        for id_, event in told:
            if (label := label_of(id_, event)) is not None:
                labels[label["master_order_id"], label["id"], label["name"]] = label
        for row in new:
            label = labels.get((row["master_order_id"], row["id"], row["name"]))
            if (
                label is not None
                and row["source"] == "order"
                and row["quantity"] == label["quantity"]
            ):
                row.update(label)
        by = ("master_order_id", "id", "name")
        found = find(
            connection, fills, by, self._account, labels.keys(), (*by, "source", "quantity")
        )
        relabel(
            connection,
            [
                labels[master_id, id_, name]
                for master_id, id_, name, source, quantity in found
                if source == "order" and quantity == labels[master_id, id_, name]["quantity"]
            ],
        )
