"""One running master order: its child orders, their fills, its end.  No I/O, the rng passed in.

Quantities are counted in whole lots and prices in whole ticks (`instruments.py`), so that the sum
of the child orders' fills is always the master order's filled quantity to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from qehost.messages import FillDetail, MasterOrderDetail, OrderDetail
from qehost.simulator.instruments import Instrument

__all__ = ["FINISHED", "ChildOrder", "MasterOrder", "OrderUpdate", "rfc3339"]

FINISHED = frozenset({"CANCELLED", "COMPLETED", "COMPLETED_WITHTAIL", "REJECTED", "EXPIRED"})
"""The statuses in which a master order no longer runs."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CENT_OF_A_CENT = Decimal("0.0001")
_SATOSHI = Decimal("0.00000001")
_RESTING = 4  # each such child order of a master order rests, if any do
_EXCHANGE_OFFSET = 1_600_000_000_000_000_000
_MAKER_FEE = Decimal("0.0002")
_TAKER_FEE = Decimal("0.0005")

_CHILD_REJECTS = (
    "Order would immediately match and take",
    "Price exceeds the allowed band",
    "Too many open orders",
)
_MASTER_REJECTS = ("Insufficient balance", "Exchange binding is not valid")


class OrderUpdate(msgspec.Struct, frozen=True):
    """One change, as the venue pushes it; `fill` is the execution that made it, if one did."""

    subject: MasterOrderDetail | OrderDetail
    fill: FillDetail | None = None


def rfc3339(epoch_ms: int) -> str:
    """`2026-11-25T02:01:00.123Z`"""
    moment = _EPOCH + timedelta(milliseconds=epoch_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ChildOrder:
    """An order at the exchange.  Times are epoch milliseconds."""

    def __init__(
        self, master: MasterOrder, number: int, lots: int, ticks: int, now_ms: int
    ) -> None:
        self.instrument = master.instrument
        self.lots = lots
        self.ticks = ticks
        self.filled = 0
        self.lot_ticks = 0  # Σ lots × ticks of the fills
        self.maker = True
        self.rests_until = 0
        self._detail = OrderDetail(
            id=str(number),
            order_id=_at_exchange(number),
            master_order_id=master.detail.master_order_id,
            order_created_time=now_ms,
            exchange=master.detail.exchange,
            category=master.detail.category,
            symbol=master.detail.symbol,
            side=master.detail.side,
            price=self.instrument.price(ticks),
            quantity=self.instrument.quantity(lots),
            filled_quantity=self.instrument.quantity(0),
            filled_notional=Decimal(0),
            average_price=Decimal(0),
            status="PLACED",
            base_currency=self.instrument.base,
            quote_currency=self.instrument.quote,
            order_type="LIMIT",
            created_at=rfc3339(now_ms),
            updated_at=rfc3339(now_ms),
        )

    @property
    def detail(self) -> OrderDetail:
        return self._detail

    @property
    def remaining(self) -> int:
        return self.lots - self.filled

    def change(self, now_ms: int, **fields: Any) -> OrderUpdate:
        self._detail = msgspec.structs.replace(self._detail, updated_at=rfc3339(now_ms), **fields)
        return OrderUpdate(self._detail)

    def amend(self, number: int, now_ms: int) -> OrderUpdate:
        """A better price, under another id at the exchange."""
        self.ticks = max(1, self.ticks + (1 if self._detail.side == "buy" else -1))
        price = self.instrument.price(self.ticks)
        return self.change(now_ms, order_id=_at_exchange(number), price=price)

    def fill(self, lots: int, ticks: int, now_ms: int) -> OrderUpdate:
        instrument = self.instrument
        self.filled += lots
        self.lot_ticks += lots * ticks
        quantity = instrument.quantity(self.filled)
        notional = instrument.notional(self.lot_ticks)
        self.change(
            now_ms,
            filled_quantity=quantity,
            filled_notional=notional,
            average_price=(notional / quantity).quantize(_SATOSHI),
            status="PLACED" if self.remaining else "FILLED",
        )
        detail = self._detail
        execution = FillDetail(
            master_order_id=detail.master_order_id,
            order_id=detail.order_id,
            symbol=detail.symbol,
            category=detail.category,
            side=detail.side,
            price=instrument.price(ticks),
            quantity=instrument.quantity(lots),
            notional=instrument.notional(lots * ticks),
            cum_quantity=quantity,
            fill_time=now_ms,
            id=detail.id,
        )
        return OrderUpdate(detail, execution)


def _at_exchange(number: int) -> str:
    """The exchange has numbers of its own, which must be unique to the run, too."""
    return str(number - _EXCHANGE_OFFSET)


class MasterOrder:
    """A master order that works off its quantity in child orders.

    `steady` ones never fail as a whole: no reject, no pause, no end before the last lot.  Child
    orders are rejected and cancelled all the same; what they leave is placed again.
    """

    def __init__(
        self,
        detail: MasterOrderDetail,
        instrument: Instrument,
        lots: int,
        slices: int,
        *,
        steady: bool = False,
        weight: int = 1,
    ) -> None:
        self.detail = detail
        self.instrument = instrument
        self.lots = lots
        self.slices = slices
        self.steady = steady
        self.weight = weight  # its share of the market's steps
        self.held = False  # paused by its owner, who alone may resume it
        self.filled = 0
        self.placed = 0
        self.open: list[ChildOrder] = []
        self._lot_ticks = 0
        self._maker_lots = 0
        self._fee = Decimal(0)

    @property
    def finished(self) -> bool:
        return self.detail.status in FINISHED

    @property
    def unplaced(self) -> int:
        """Lots that are neither filled nor in an open child order."""
        return self.lots - self.filled - sum(child.remaining for child in self.open)

    @property
    def _exhausted(self) -> bool:
        """Whether it places no more child orders."""
        return not self.steady and self.placed > self.slices + self.slices // 2

    def rests(self, ticks: int, now_ms: int = 0) -> bool:
        """Whether nothing happens to it: its worst price keeps it from trading at the price
        `ticks`, or all of it is in child orders that rest."""
        done = self._exhausted or not self.unplaced
        if self.open and done and not self._at_work(now_ms):
            return True
        limit = self.detail.worst_price or Decimal(0)
        if limit <= 0 or self.detail.status != "PROCESSING" or self.open:
            return False
        price = self.instrument.price(ticks)
        return price > limit if self.detail.side == "buy" else price < limit

    def change(self, now_ms: int, **fields: Any) -> OrderUpdate:
        if fields.get("status") in FINISHED:
            fields["finished_ms"] = now_ms
        self.detail = msgspec.structs.replace(self.detail, updated_at=rfc3339(now_ms), **fields)
        return OrderUpdate(self.detail)

    def advance(
        self,
        rng: Random,
        ticks: int,
        now_ms: int,
        next_number: Iterator[int],
        resting_ms: int = 0,
    ) -> Iterator[OrderUpdate]:
        """The next thing that happens to this master order at the price `ticks`.

        `resting_ms`: how long every fourth child order rests before anything happens to it.

        One to a handful of updates; a child order's comes before the master order's that it causes.
        """
        luck = 1.0 if self.steady else rng.random()
        match self.detail.status:
            case "NEW" if luck < 0.04:
                reason = rng.choice(_MASTER_REJECTS)
                yield self.change(now_ms, status="REJECTED", reject_reason=reason)
            case "NEW" if luck < 0.15:
                yield self.change(now_ms, status="WAITING")
            case "WAITING" if luck < 0.02:
                yield from self.end(now_ms, "EXPIRED", "Trigger price was not reached in time")
            case "NEW" | "WAITING" | "PAUSED":
                yield self.change(now_ms, status="PROCESSING")
            case _ if luck < 0.003:
                yield from self.end(now_ms, "CANCELLED", "Cancelled by user")
            case _ if luck < 0.010:
                yield self.change(now_ms, status="PAUSED")
            case _:
                yield from self._work(rng, ticks, now_ms, next_number, resting_ms)

    def end(self, now_ms: int, status: str, reason: str = "") -> Iterator[OrderUpdate]:
        """Cancels the open child orders, then ends the master order itself."""
        for child in self.open:
            yield child.change(now_ms, status="CANCELLED")
        self.open.clear()
        yield self.change(now_ms, status=status, reject_reason=reason)

    def _at_work(self, now_ms: int) -> list[ChildOrder]:
        """The open child orders that don't rest."""
        return [child for child in self.open if child.rests_until <= now_ms]

    def _work(
        self,
        rng: Random,
        ticks: int,
        now_ms: int,
        next_number: Iterator[int],
        resting_ms: int,
    ) -> Iterator[OrderUpdate]:
        open_ = self._at_work(now_ms)
        if open_ and (len(open_) >= 2 or not self.unplaced or rng.random() < 0.8):
            yield from self._trade(rng.choice(open_), rng, now_ms)
        elif self._exhausted:
            tail = self.unplaced * 20 < self.lots
            yield from self.end(now_ms, "COMPLETED_WITHTAIL" if tail else "EXPIRED")
        else:
            yield self._place(rng, ticks, now_ms, next(next_number), resting_ms)

    def _place(
        self, rng: Random, ticks: int, now_ms: int, number: int, resting_ms: int
    ) -> OrderUpdate:
        usual = max(1, -(-self.lots // self.slices))
        match self.detail.algorithm:
            case "VWAP":  # heavy at both ends of the day, light in the middle
                done = self.filled / self.lots
                usual = int(usual * (0.6 + 3.2 * (done - 0.5) ** 2))
            case "POV":  # follows an unknown volume
                usual = int(usual * rng.uniform(0.3, 1.7))
        lots = min(max(1, usual), self.unplaced)
        child = ChildOrder(self, number, lots, ticks, now_ms)
        child.maker = rng.random() < 0.6
        self.placed += 1
        if self.placed % _RESTING == 0:
            child.rests_until = now_ms + resting_ms
        if rng.random() < 0.03:
            reason = rng.choice(_CHILD_REJECTS)
            return child.change(now_ms, status="REJECTED", reject_reason=reason)
        self.open.append(child)
        return OrderUpdate(child.detail)

    def _trade(self, child: ChildOrder, rng: Random, now_ms: int) -> Iterator[OrderUpdate]:
        luck = rng.random()
        if child.detail.status == "Cancelack" or luck < 0.02:
            self.open.remove(child)
            yield child.change(now_ms, status="CANCELLED")
        elif luck < 0.07:
            yield child.change(now_ms, status="Cancelack")
        elif luck < 0.08:
            yield child.change(now_ms, status="CANCEL_REJECTED")
        else:
            whole = child.remaining == 1 or luck < 0.45
            lots = child.remaining if whole else rng.randint(1, child.remaining - 1)
            better = -1 if child.detail.side == "buy" else 1
            ticks = max(1, child.ticks + better * rng.randint(0, 2))
            yield child.fill(lots, ticks, now_ms)
            if not child.remaining:
                self.open.remove(child)
            yield self._filled(lots, ticks, child.maker, now_ms)

    def _filled(self, lots: int, ticks: int, maker: bool, now_ms: int) -> OrderUpdate:
        """The master order after a child order's fill of `lots` at `ticks`."""
        instrument = self.instrument
        self._lot_ticks += lots * ticks
        self.filled += lots
        self._maker_lots += lots if maker else 0
        self._fee += instrument.notional(lots * ticks) * (_MAKER_FEE if maker else _TAKER_FEE)
        quantity = instrument.quantity(self.filled)
        notional = instrument.notional(self._lot_ticks)
        return self.change(
            now_ms,
            status="COMPLETED" if self.filled == self.lots else "PROCESSING",
            cum_filled_qty=quantity,
            cum_filled_notional=notional,
            avg_filled_price=(notional / quantity).quantize(_SATOSHI),
            completed_quantity=quantity,
            maker_rate=(Decimal(self._maker_lots) / self.filled).quantize(_CENT_OF_A_CENT),
            commission={instrument.quote: self._fee},
        )
