"""Which of two states of an order is the later one, and whether they are one and the same.  No I/O.

The venue does not say how exact its times are, nor whether REST's are as exact as the stream's.  So
time decides last: a state that ends an order comes after one that does not, and more is filled
later than less.
"""

from __future__ import annotations

from decimal import Decimal, DecimalException

import msgspec

from qehost.events.wire import lenient
from qehost.messages import FINAL_STATUSES

__all__ = [
    "CANCELLED",
    "CLOCKS_APART",
    "FINAL",
    "differ",
    "is_another_time",
    "is_exactly_later",
    "is_later",
    "is_older",
    "was_overtaken",
]


FINAL = FINAL_STATUSES
CANCELLED = frozenset(each for each in FINAL_STATUSES if each.upper().startswith("CANCEL"))

CLOCKS_APART = 60_000
"""Milliseconds by which a time of an order, which may be its exchange's, may differ from the
venue's."""

_COARSEST = 1000
"""Milliseconds: what is written as whole seconds may have been up to so much later."""

_OVERTAKEN = 60_000
"""Milliseconds: what is older by no more was overtaken on its way; by more, a clock was set."""

_LEFT_ASIDE = frozenset({"createdAt", "updatedAt", "orderCreatedTime", "finishedMs", "type"})
"""What REST may write otherwise than the stream, though the state is the same."""
_BOOLEANS = {"true": "1", "false": "0"}


def is_older(moment: int, than: int) -> bool:
    """Whether the time of a state is certainly before another's; epoch ms, 0 for none."""
    if not moment or not than:
        return False
    exactness = 1 if moment % _COARSEST else _COARSEST
    return moment + exactness <= than


def is_later(moment: int, than: int) -> bool:
    """Whether it is certainly after another's, however exact either is."""
    return bool(moment and than) and moment >= than + _COARSEST


def is_exactly_later(moment: int, than: int) -> bool:
    """Whether it is after another's, if both are as exact as the other one looks."""
    return moment > than and than % _COARSEST != 0


def was_overtaken(moment: int, by: int) -> bool:
    """Whether a state came later than another one, though it is certainly the older of the two."""
    return is_older(moment, by) and by - moment <= _OVERTAKEN


def is_another_time(a: int, b: int) -> bool:
    """Whether they are certainly not one time, written more and less exactly."""
    return abs(a - b) >= _COARSEST


def differ(a: str, b: str) -> bool:
    """Whether two JSON objects differ in a field that both have, times left aside.

    Numbers are compared as numbers, and all ways of writing nothing are one.
    """
    try:
        one, other = lenient.fields_of(a), lenient.fields_of(b)
    except ValueError:
        return a != b
    return any(
        _differ(bytes(one[name]), bytes(other[name]))
        for name in one.keys() & other.keys() - _LEFT_ASIDE
    )


def _differ(a: bytes, b: bytes) -> bool:
    if a == b:
        return False
    x, y = _value(a), _value(b)
    if x[:1] == "{" == y[:1]:
        return differ(x, y)
    return x != y and (_is_something(x) or _is_something(y)) and not _equal_numbers(x, y)


def _value(json: bytes) -> str:
    text = lenient.text(msgspec.Raw(json)).strip()
    return _BOOLEANS.get(text.lower(), text)


def _is_something(text: str) -> bool:
    return text not in ("", "{}", "[]") and not _equal_numbers(text, "0")


def _equal_numbers(x: str, y: str) -> bool:
    try:
        return Decimal(x) == Decimal(y)
    except DecimalException:
        return x.lower() == y.lower()
