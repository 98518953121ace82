"""The sums of fills by day, kept exactly in the transaction that writes the fills."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import Connection, select

from qehost_store.known import DayKey, Known
from qehost_store.rows import Row
from qehost_store.statements import upsert
from qehost_store.states import EXACT, ZERO
from qehost_store.tables import daily_fills

__all__ = ["DailySums"]

_COLUMNS = ("account", "day", "symbol", "category", "side")


class DailySums:
    """What one transaction adds to them."""

    def __init__(self, known: Known, account: str) -> None:
        self._known = known
        self._account = account
        self._changed: dict[DayKey, Row] = {}

    def add(self, connection: Connection, fills: Sequence[Row]) -> None:
        """`filled_at` is in UTC."""
        for row in fills:
            key = (
                *(self._account, row["filled_at"].date()),
                *(row["symbol"], row["category"], row["side"]),
            )
            sums = self._changed.get(key)
            if sums is None:
                sums = dict(self._known.days.get(key) or _stored(connection, key))
                self._changed[key] = sums
            notional: Decimal | None = row["notional"]
            sums["fills"] += 1
            sums["quantity"] = EXACT.add(sums["quantity"], row["quantity"])
            if notional is not None:
                sums["notional"] = EXACT.add(sums["notional"], notional)
                sums["priced_quantity"] = EXACT.add(sums["priced_quantity"], row["quantity"])
        upsert(connection, daily_fills, list(self._changed.values()))

    def keep(self) -> None:
        """It is committed."""
        for key, row in self._changed.items():
            self._known.days.put(key, row)


def _stored(connection: Connection, key: DayKey) -> Row:
    named = dict(zip(_COLUMNS, key, strict=True))
    found = connection.execute(select(daily_fills).filter_by(**named)).mappings().first()
    if found is not None:
        return dict(found)
    return {**named, "fills": 0, "quantity": ZERO, "notional": ZERO, "priced_quantity": ZERO}
