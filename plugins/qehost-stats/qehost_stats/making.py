"""The figures of a master order, made of what was gathered of it.  No I/O."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from typing import Any

from qehost.blotter import MasterState
from qehost.messages import MasterOrderDetail

from qehost_stats.decimals import BPS, EXACT, ZERO, nearest_rank, quotient, signed_bps, total
from qehost_stats.figures import Mark, OrderFigures, bps_of, cost_of
from qehost_stats.schedule import Plan, deviation, pauses, progress
from qehost_stats.traces import Trace

__all__ = ["figures_of"]

CURVE = 120
"""Points that are kept of an order's progress, for its picture."""
_UNITS_APART = Decimal("0.01")
"""By which part a notional may differ from quantity × average price: there may be a fee in it."""


def figures_of(trace: Trace, now: int) -> OrderFigures | None:
    """Its figures as of `now`, epoch ms; None for what is no master order at all."""
    state = trace.state
    if state is None:
        return None
    try:
        return _Maker(trace, state, now).made()
    except DecimalException:  # figures of hundreds of digits, which nobody trades
        return None


class _Maker:
    """What several figures of one order have in common."""

    def __init__(self, trace: Trace, state: MasterState, now: int) -> None:
        self.trace = trace
        self.state = state
        self.detail = trace.detail or MasterOrderDetail()
        self.sign = -1 if state.side.lower() == "sell" else 1
        self.end = state.ended if state.status and not state.is_open else now
        self.start = self._start()
        self.absent: dict[str, str] = {}
        self.fills = sorted(trace.fills, key=lambda fill: fill.at)
        duration = trace.terms[-1].duration if trace.terms else state.duration
        halts = pauses(trace.statuses, self.end)
        self.plan = Plan(self.start, int(duration * 1000), halts)
        self.average = self._average()
        self.marks = self._marks()

    def _start(self) -> int:
        """When its work began: as ordered, or when it was first PROCESSING where it waited for a
        trigger or no start was ordered."""
        worked = next((at for at, status in self.trace.statuses if status == "PROCESSING"), 0)
        ordered = self.detail.start_time_ms or 0
        if worked and (not ordered or (self.detail.trigger_price or ZERO) > 0):
            return max(worked, ordered)
        return ordered or self.state.started or self.state.created

    def _average(self) -> Decimal | None:
        state = self.state
        if state.average is None or not state.filled or state.notional is None:
            return state.average
        if self._is_inverse() or self._has_other_units():
            return state.average
        return quotient(state.notional, state.filled)

    def _is_inverse(self) -> bool:
        detail, category = self.detail, self.state.category.lower()
        is_derivative = "spot" not in (category, detail.market_type.lower())
        return (
            category == "perp_cm"
            or (detail.margin_type.upper() == "C" and is_derivative)
            or (detail.exchange.lower() == "deribit" and is_derivative)
        )

    def _has_other_units(self) -> bool:
        """Whether the quantity is in contracts, or the notional in another currency."""
        state = self.state
        if state.average is None or not state.filled or state.notional is None:
            return False
        worth = EXACT.multiply(state.filled, state.average)
        apart = EXACT.subtract(state.notional, worth).copy_abs()
        return apart > EXACT.multiply(state.notional, _UNITS_APART)

    def _marks(self) -> tuple[Mark, ...]:
        found: list[Mark] = []
        if self._is_inverse():
            found.append("inverse")
        elif self._has_other_units():
            found.append("units")
        if self.detail.is_target_position:
            found.append("target_position")
        # A baseline says what was filled before, and not at what prices it began.
        if not self.state.complete or self.trace.began_before:
            found.append("partial")
        if self.state.is_open or not self.state.status:
            found.append("running")
        return tuple(found)

    def made(self) -> OrderFigures:
        state, detail, trace = self.state, self.detail, self.trace
        in_money = "inverse" not in self.marks and "units" not in self.marks
        if not in_money:
            text = "the quantity is in contracts: there is no amount of money to be added up"
            self.absent["notional"] = text
        worth = [fill.notional for fill in self.fills if fill.notional is not None]
        fees = state.fees
        return OrderFigures(
            account=trace.account,
            master_order_id=state.id,
            client_order_id=state.client_order_id,
            algorithm=state.algorithm,
            exchange=detail.exchange,
            category=state.category,
            symbol=state.symbol,
            side=state.side.lower(),
            base=state.base,
            quote=state.quote,
            status=state.status,
            reason=state.reason,
            marks=self.marks,
            day=_day(self.end),
            start_ms=self.start,
            end_ms=self.end,
            duration_s=Decimal(self.plan.duration) / 1000,
            paused_s=Decimal(self.plan.paused_until(self.end)) / 1000,
            must_complete=detail.must_complete,
            target=state.target,
            target_in_quote=state.target_in_quote,
            target_changes=tuple(
                (each.at, each.target, each.in_quote)
                for before, each in zip(trace.terms, trace.terms[1:], strict=False)
                if each[1:3] != before[1:3]
            ),
            filled=state.filled,
            notional=state.notional if in_money else None,
            average=self.average,
            completion=self._completion(),
            fills=len(self.fills),
            fills_quantity=total(fill.quantity for fill in self.fills),
            fills_notional=total(worth) if in_money and len(worth) == len(self.fills) else None,
            **self._first_price(in_money),
            **self._room(),
            **self._schedule(),
            **self._children(),
            time_to_first_fill_s=self._since_start(self.fills[0].at if self.fills else None),
            maker_rate=self._known("maker_rate", state.maker_rate if state.filled else None),
            fees=fees,
            fee_bps=self._fee_bps(fees, state.notional if in_money else None),
            absent=self.absent,
        )

    def _known(self, name: str, value: Decimal | None, why: str = "") -> Decimal | None:
        if value is None:
            nothing = "nothing is filled" if not self.state.filled else "the venue did not say"
            self.absent.setdefault(name, why or nothing)
        return value

    def _since_start(self, at: int | None) -> Decimal | None:
        if at is None:
            return self._known("time_to_first_fill_s", None, "no fill was seen")
        return Decimal(at - self.start) / 1000

    def _completion(self) -> Decimal | None:
        state = self.state
        if "target_position" in self.marks:
            why = "a target position: what was ordered is a position, not what to trade"
            return self._known("completion", None, why)
        if "inverse" in self.marks and state.target_in_quote:
            return self._known("completion", None, "ordered by value, and counted in contracts")
        done = state.notional if state.target_in_quote else state.filled
        if done is None and state.status and not state.filled:
            done = ZERO
        return self._known("completion", quotient(done, state.target), "no target is known")

    def _first_price(self, in_money: bool) -> dict[str, Any]:
        """The stream has no market price: the first is the algorithm's own limit, or a fill's."""
        priced = [fill for fill in self.fills if fill.price]
        limit, source, price, at = self.trace.limit, "", None, None
        if limit is not None and (not self.fills or limit.at <= self.fills[0].at):
            source, price, at = "limit", limit.price, limit.at
        elif priced:
            source, price, at = "fill", priced[0].price, priced[0].at
        is_partial = "partial" in self.marks
        if is_partial or price is None:
            why = "its beginning was not seen" if is_partial else "no price was seen"
            for name in ("first_price", "first_price_bps", "first_price_cost"):
                self._known(name, None, why)
            source, price, at = "", None, None
        cost = None
        if in_money and price is not None and self.state.notional is not None:
            cost = self._cost(price)
        slips = sorted(
            bps for fill in priced if (bps := signed_bps(self.sign, fill.price, price)) is not None
        )
        bps = signed_bps(self.sign, self.average, price) if cost is None else self._bps(cost, price)
        return {
            "first_price": price,
            "first_price_source": source,
            "first_price_delay_s": None if at is None else Decimal(at - self.start) / 1000,
            "first_price_cost": cost,
            "first_price_bps": self._known("first_price_bps", bps),
            "fill_bps_p50": nearest_rank(slips, 50),
            "fill_bps_p95": nearest_rank(slips, 95),
        }

    def _cost(self, reference: Decimal) -> Decimal | None:
        return cost_of(self.sign, self.state.notional, reference, self.state.filled)

    def _bps(self, cost: Decimal, reference: Decimal | None) -> Decimal | None:
        if reference is None or not self.state.filled:
            return None
        return bps_of(cost, EXACT.multiply(reference, self.state.filled))

    def _room(self) -> dict[str, Any]:
        worst, state = self.state.worst_price, self.state
        prices = [fill.price for fill in self.fills if fill.price]
        single = (max if self.sign > 0 else min)(prices) if worst and prices else None
        if worst is None:
            self.absent["room_bps"] = "the order has no worst price"
        room = _negated(signed_bps(self.sign, self.average, worst)) if state.filled else None
        return {
            "worst_price": worst,
            "room_bps": room if worst is None else self._known("room_bps", room),
            "worst_fill_price": single,
            "worst_fill_room_bps": _negated(signed_bps(self.sign, single, worst)),
        }

    def _schedule(self) -> dict[str, Any]:
        detail, plan = self.detail, self.plan
        steps = progress(self.fills, self.trace.terms, self.start, self.end)
        has_plan = self.state.algorithm.upper().endswith("TWAP") and plan.duration > 0
        found = None
        if "target_position" in self.marks:
            why = "a target position has no schedule that is known"
        elif "partial" in self.marks:
            why = "a part of it was not seen"
        elif not has_plan:
            why = f"{self.state.algorithm or 'the algorithm'} has no even schedule"
        else:
            why = "no time has passed"
            found = deviation(plan, steps, self.end)
        if found is None:
            for name in ("ahead_max", "behind_max", "deviation_mean"):
                self.absent[name] = why
        up, low = _bound(detail.up_tolerance), _bound(detail.low_tolerance)
        is_within = None
        if found is not None and (up is not None or low is not None):
            is_within = (up is None or found.ahead <= up) and (low is None or found.behind <= low)
        seen = [fill for fill in self.fills if plan.duration and fill.at > plan.end]
        has_tail = plan.duration > 0 and "partial" not in self.marks
        corners: set[int] = set()
        if has_plan and "target_position" not in self.marks and self.end > self.start:
            corners = {self.start, min(plan.end, self.end), self.end}
            corners.update(at for pause in plan.pauses for at in pause)
        return {
            "ahead_max": found.ahead if found else None,
            "behind_max": found.behind if found else None,
            "deviation_mean": found.mean if found else None,
            "up_tolerance": up,
            "low_tolerance": low,
            "within_tolerance": is_within,
            "tail_quantity": self._known(
                "tail_quantity",
                total(fill.quantity for fill in seen) if has_tail else None,
                "a part of it was not seen" if plan.duration else "it has no planned end",
            ),
            "unfilled": self._unfilled(),
            "progress": _thin([(at, float(share)) for at, share in steps]),
            "planned": tuple(
                (at, float(plan.share(at)))
                for at in sorted(corners)
                if self.start <= at <= self.end
            ),
        }

    def _unfilled(self) -> Decimal | None:
        if "target_position" in self.marks:
            return self._known("unfilled", None, "a target position")
        if "running" in self.marks:
            return self._known("unfilled", None, "it runs")
        return self._known("unfilled", self.state.remaining, "no target is known")

    def _children(self) -> dict[str, Any]:
        counts, ended = self.state.children, list(self.trace.ended.values())
        created = counts.open + counts.filled + counts.cancelled + counts.rejected
        quantity = filled = None
        if created and all(child.quantity is not None for child in ended):
            quantity = total(child.quantity or ZERO for child in ended)
            filled = total(child.filled for child in ended)
        reasons = Counter(each.reason or "no reason given" for each in ended if each.is_rejected)
        none = "it had no child order"
        return {
            "children": created,
            "children_open": counts.open,
            "children_filled": counts.filled,
            "children_cancelled": counts.cancelled,
            "children_rejected": counts.rejected,
            "cancels_rejected": self.trace.cancel_rejected,
            "child_quantity": quantity,
            "child_filled": filled,
            "fill_rate": self._known(
                "fill_rate",
                quotient(filled, quantity),
                "no child order has ended, or one without a quantity" if created else none,
            ),
            "reject_rate": self._known(
                "reject_rate", quotient(Decimal(counts.rejected), Decimal(created)), none
            ),
            "rejects": dict(reasons),
        }

    def _fee_bps(self, fees: dict[str, Decimal], notional: Decimal | None) -> Decimal | None:
        if not fees:
            return self._known("fee_bps", None, "the venue told no fees")
        if set(fees) != {self.state.quote}:
            why = "fees in another currency than the quote currency"
            return self._known("fee_bps", None, why)
        fee = EXACT.multiply(BPS, fees[self.state.quote])
        return self._known("fee_bps", quotient(fee, notional))


def _bound(tolerance: Decimal | None) -> Decimal | None:
    return None if tolerance is None or tolerance < 0 else tolerance


def _negated(value: Decimal | None) -> Decimal | None:
    return None if value is None else EXACT.minus(value)


def _thin(points: list[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """At most `CURVE` of them, the last one included."""
    if len(points) <= CURVE:
        return tuple(points)
    step = len(points) / (CURVE - 1)
    return (*(points[int(n * step)] for n in range(CURVE - 1)), points[-1])


def _day(at: int) -> str:
    """The UTC day of a time, `2026-11-25`."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d") if at > 0 else ""
