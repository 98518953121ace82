"""The values that fields of the venue's objects hold, as the structs say them.

Numbers become floats on the way, as the documented messages have them.  Only the figures that fills
are derived from stay text, so that no digit of them is lost.
"""

from __future__ import annotations

from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    Context,
    FloatOperation,
    Inexact,
    InvalidOperation,
)
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from qehost.events.times import MILLISECONDS_FROM, MILLISECONDS_TO

__all__ = [
    "EXACT",
    "PLAIN_DIGITS",
    "Digits",
    "Flag",
    "Float",
    "FractionalSeconds",
    "Integer",
    "Millis",
    "MillisOrZero",
    "Moment",
    "Number",
    "Seconds",
    "Unreadable",
    "Whole",
    "number",
]

# The bounds refuse NaN and the infinities, which msgspec reads from strings.
Float: TypeAlias = Annotated[float, Meta(ge=-1.7976931348623157e308, le=1.7976931348623157e308)]
Integer: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Moment: TypeAlias = Annotated[str, Meta(title="a time in any of its forms")]
# Times in the documented unit; where it is another one, only the careful way is careful enough.
Millis: TypeAlias = Annotated[int, Meta(ge=MILLISECONDS_FROM, lt=MILLISECONDS_TO)]
MillisOrZero: TypeAlias = Annotated[int, Meta(ge=0, lt=MILLISECONDS_TO)]
Seconds: TypeAlias = Annotated[int, Meta(ge=0, lt=MILLISECONDS_FROM)]
FractionalSeconds: TypeAlias = Annotated[float, Meta(ge=0, lt=MILLISECONDS_FROM)]
Empty: TypeAlias = Literal[""]
Number: TypeAlias = Float | Empty
Whole: TypeAlias = Integer | Empty
Flag: TypeAlias = bool | Empty
Digits: TypeAlias = Annotated[str, Meta(title="a number that keeps its digits")]

EXACT = Context(
    prec=400,
    Emin=MIN_EMIN,
    Emax=MAX_EMAX,
    traps=[Inexact, InvalidOperation, FloatOperation],
)
"""For sums, differences and products: nothing is rounded.  A result that would need more than 400
digits raises `decimal.Inexact`, where it could otherwise need all memory there is (1E+99999999)."""


PLAIN_DIGITS = 160
"""Of all figures of an order together: with so few, each is within the range of a float, and what
is worked out of them has less than 400."""


class Unreadable(ValueError):
    """One field that can't be read: its name in the object, what it held, and why not.

    `rest` is what can be read of its value nonetheless.
    """

    def __init__(self, field: str, value: str, why: str, rest: object = None) -> None:
        super().__init__(field, value, why)
        self.field = field
        self.value = value
        self.why = why
        self.rest = rest


def number(text: str) -> float:
    """The float nearest to a number in plain ASCII.  Raises ValueError for all else.

    `nan` and `inf` are no numbers, nor is one beyond the range of a float.
    """
    if text.isascii() and "_" not in text:
        value = float(text)
        if value - value == 0.0:
            return value
    raise ValueError(text)
