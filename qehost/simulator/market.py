"""A simulated market: several running master orders, new ones as old ones finish.  No I/O.

The clock is passed in and everything else depends on the seed, so the same seed and the same clock
give the same updates, to the last digit.  Order ids begin with the second in which the market
opened: two runs with one seed have the same updates with different ids, and a receiver with a
checkpoint does not take the second run for a repetition of the first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

from qehost.messages import MasterOrderDetail
from qehost.simulator.instruments import INSTRUMENTS, Instrument, Prices
from qehost.simulator.orders import MasterOrder, OrderUpdate, rfc3339
from qehost.simulator.refusal import RestRefusal

__all__ = ["Market"]

_ACTIVE = 5  # running master orders at a time, without those that are paused or rest
_EXCHANGES = ("Binance", "OKX", "Bybit")


class Market:
    """The master orders of one user.

    `step` makes the next update.  The first master order is a TWAP that goes from NEW to COMPLETED
    in about 200 of the first 360 updates, for demonstration; the others are random.
    """

    def __init__(self, seed: int, opened_ms: int, user: int = 0) -> None:
        self._rng = Random(f"{seed}/{user}")
        self._prices = Prices(self._rng)
        self._numbers = count((opened_ms // 1000 * 100 + user % 100) * 10_000_000 + 1)
        self._user = user
        self._masters: dict[str, MasterOrder] = {}
        self._pending: deque[OrderUpdate] = deque()
        self._opened = False
        self.resting_ms = 0
        """How long every fourth child order that is placed from now on rests in the book."""

    def step(self, now_ms: int) -> OrderUpdate:
        """The next update."""
        if not self._pending:
            self._populate(now_ms)
        if not self._pending:
            master = self._choose(now_ms)
            ticks = self._prices.move(master.instrument)
            updates = master.advance(self._rng, ticks, now_ms, self._numbers, self.resting_ms)
            self._collect(master, updates)
        return self._pending.popleft()

    def drain(self) -> list[OrderUpdate]:
        """The updates that were made but not yet returned by `step`, in order."""
        updates = list(self._pending)
        self._pending.clear()
        return updates

    def amend(self, now_ms: int) -> None:
        """An open child order, if there is one, gets another price, and with it another id at its
        exchange, as those do that cancel and place anew."""
        children = [
            child
            for master in self._masters.values()
            for child in master.open
            if child.detail.status == "PLACED"
        ]
        if children:
            child = self._rng.choice(children)
            self._pending.append(child.amend(next(self._numbers), now_ms))

    def pause(self, master_order_id: str, now_ms: int, reason: str = "") -> None:
        master = self._running(master_order_id)
        if master.detail.status == "PAUSED":
            raise RestRefusal(400, "INVALID_STATUS", f"{master_order_id} is paused already")
        master.held = True
        self._collect(master, [master.change(now_ms, status="PAUSED", reject_reason=reason)])

    def resume(self, master_order_id: str, now_ms: int, reason: str = "") -> None:
        master = self._running(master_order_id)
        if master.detail.status != "PAUSED":
            raise RestRefusal(
                400, "INVALID_STATUS", f"{master_order_id} is {master.detail.status}, not PAUSED"
            )
        master.held = False
        self._collect(master, [master.change(now_ms, status="PROCESSING", reject_reason=reason)])

    def cancel(self, master_order_id: str, now_ms: int, reason: str = "") -> None:
        """CANCEL, then the open child orders, then CANCELLED, as at the venue."""
        master = self._running(master_order_id)
        requested = master.change(now_ms, status="CANCEL")
        self._collect(master, [requested, *master.end(now_ms, "CANCELLED", reason)])

    def update(self, master_order_id: str, now_ms: int, fields: dict[str, Any]) -> None:
        """Changes the fields named, as in `MasterOrderDetail`.

        A new `total_quantity` may not fall short of what is filled or already at the exchange.
        """
        master = self._running(master_order_id)
        if "total_quantity" in fields:
            lots = self._lots(master.instrument, fields["total_quantity"])
            committed = master.lots - master.unplaced
            if lots < committed:
                least = master.instrument.quantity(committed)
                raise RestRefusal(
                    400, "INVALID_ARGUMENT", f"totalQuantity must be at least {least}"
                )
            master.lots = lots
            fields = {**fields, "total_quantity": master.instrument.quantity(lots)}
            if lots == master.filled:
                fields["status"] = "COMPLETED"
        self._collect(master, [master.change(now_ms, **fields)])

    def create(
        self, now_ms: int, instrument: Instrument, fields: dict[str, Any], quantity: Decimal | None
    ) -> MasterOrderDetail:
        """A master order that the user has created: a steady one.

        `fields` are named as in `MasterOrderDetail`; without a `quantity` (in the base currency)
        it follows from `order_notional` and the last price.
        """
        if quantity is None:
            price = instrument.price(self._prices.move(instrument))
            quantity = fields["order_notional"] / price // instrument.lot * instrument.lot
        lots = self._lots(instrument, quantity)
        client_order_id = fields.get("client_order_id")
        if client_order_id and any(
            master.detail.client_order_id == client_order_id for master in self._masters.values()
        ):
            raise RestRefusal(400, "DUPLICATE_CLIENT_ORDER_ID", f"{client_order_id} is in use")
        return self._new(now_ms, instrument, lots, 20, steady=True, **fields).detail

    def _lots(self, instrument: Instrument, quantity: Decimal) -> int:
        lots, rest = divmod(quantity, instrument.lot)
        if rest or lots < 1:
            raise RestRefusal(
                400,
                "INVALID_ARGUMENT",
                f"totalQuantity must be a positive multiple of {instrument.lot}",
            )
        return int(lots)

    def _running(self, master_order_id: str) -> MasterOrder:
        master = self._masters.get(master_order_id)
        if master is None:
            raise RestRefusal(404, "NOT_FOUND", f"no running master order {master_order_id}")
        return master

    def _collect(
        self, master: MasterOrder, updates: Iterator[OrderUpdate] | list[OrderUpdate]
    ) -> None:
        self._pending.extend(updates)
        if master.finished:
            self._masters.pop(master.detail.master_order_id, None)

    def _active(self, now_ms: int) -> list[MasterOrder]:
        """The master orders that something happens to."""
        return [
            master
            for master in self._masters.values()
            if not master.held and not master.rests(self._prices.last(master.instrument), now_ms)
        ]

    def _choose(self, now_ms: int) -> MasterOrder:
        masters = self._active(now_ms)
        return self._rng.choices(masters, [master.weight for master in masters])[0]

    def _populate(self, now_ms: int) -> None:
        if not self._opened:
            self._opened = True
            self._open(now_ms)
        elif len(self._active(now_ms)) < _ACTIVE:
            instrument = self._rng.choice(INSTRUMENTS)
            lots = max(1, int(instrument.usual * self._rng.uniform(0.2, 2.0)))
            self._new(
                now_ms,
                instrument,
                lots,
                self._rng.randint(8, 40),
                algorithm=self._rng.choice(("TWAP", "VWAP", "POV")),
                side=self._rng.choice(("buy", "sell")),
                execution_duration_seconds=self._rng.choice((30, 60, 120, 300, 900)),
            )

    def _open(self, now_ms: int) -> None:
        """The first three master orders."""
        first, second, third = INSTRUMENTS[:3]
        self._new(
            now_ms,
            first,
            first.usual,
            22,
            steady=True,
            weight=5,
            algorithm="TWAP",
            side="buy",
            execution_duration_seconds=12,
        )
        self._new(
            now_ms,
            second,
            second.usual,
            40,
            algorithm="VWAP",
            side="sell",
            execution_duration_seconds=300,
        )
        self._new(
            now_ms,
            third,
            third.usual,
            25,
            algorithm="POV",
            side="sell",
            execution_duration_seconds=120,
        )

    def _new(
        self,
        now_ms: int,
        instrument: Instrument,
        lots: int,
        slices: int,
        *,
        steady: bool = False,
        weight: int = 1,
        **fields: Any,
    ) -> MasterOrder:
        number = next(self._numbers)
        detail = MasterOrderDetail(
            **{
                "created_at": rfc3339(now_ms),
                "updated_at": rfc3339(now_ms),
                "master_order_id": f"mo_{number}",
                "client_order_id": f"desk-{number}",
                "api_key_id": f"binding-{self._user + 1}",
                "trading_account": f"account-{self._user + 1}",
                "exchange": self._rng.choice(_EXCHANGES),
                "market_type": instrument.category.upper(),
                "category": instrument.category,
                "symbol": instrument.symbol,
                "base_currency": instrument.base,
                "quote_currency": instrument.quote,
                "margin_type": "U" if instrument.category == "perp" else "",
                "reduce_only": False,
                "is_margin": False,
                "total_quantity": instrument.quantity(lots),
                "order_notional": None,
                "start_time_ms": now_ms,
                "worst_price": Decimal(-1),
                "must_complete": True,
                "maker_rate_limit": Decimal(-1),
                "pov_limit": Decimal("0.8"),
                "pov_min_limit": Decimal(-1),
                "up_tolerance": Decimal(-1),
                "low_tolerance": Decimal(-1),
                "strict_up_bound": False,
                "tail_order_protection": True,
                "enable_make": True,
                "is_target_position": False,
                "status": "NEW",
                "finished_ms": 0,
                "cum_filled_qty": instrument.quantity(0),
                "cum_filled_notional": Decimal(0),
                "avg_filled_price": Decimal(0),
                "maker_rate": Decimal(0),
                "completed_quantity": instrument.quantity(0),
                "max_trigger_wait_secs": 0,
                "max_trigger_wait_timeout_action": "0",
                **fields,
            }
        )
        master = MasterOrder(detail, instrument, lots, slices, steady=steady, weight=weight)
        self._masters[detail.master_order_id] = master
        self._pending.append(OrderUpdate(detail))
        return master
