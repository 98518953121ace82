"""Sums without rounding, and ratios of twenty digits.  No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation

__all__ = ["BPS", "EXACT", "ZERO", "nearest_rank", "quotient", "signed_bps", "total"]

ZERO = Decimal(0)
BPS = Decimal(10_000)
_GAIN = Decimal(-10_000)
EXACT = Context(prec=400, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[Inexact, InvalidOperation])
"""For sums, differences and products: nothing is rounded.  What would need more than 400 digits
raises `decimal.Inexact`."""
_RATIO = Context(prec=20, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])


def quotient(a: Decimal | None, b: Decimal | None) -> Decimal | None:
    """a / b to twenty digits, half to even; None where one is not known, or there is none."""
    if a is None or not b:
        return None
    return _RATIO.divide(a, b) or ZERO  # which has no sign


def signed_bps(side: int, price: Decimal | None, reference: Decimal | None) -> Decimal | None:
    """10,000 · side · (price − reference) / reference."""
    if price is None or not reference:
        return None
    distance = EXACT.multiply(BPS if side > 0 else _GAIN, EXACT.subtract(price, reference))
    return quotient(distance, reference)


def total(numbers: Iterable[Decimal]) -> Decimal:
    """Their sum."""
    result = ZERO
    for number in numbers:
        result = EXACT.add(result, number)
    return result


def nearest_rank(ordered: Sequence[Decimal], per_cent: int) -> Decimal | None:
    """The smallest of these that `per_cent` of them do not exceed; they are sorted."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * per_cent // 100) - 1)]
