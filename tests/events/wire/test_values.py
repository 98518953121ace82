"""Numbers are read as a float holds them, or refused."""

from __future__ import annotations

from decimal import Decimal, Inexact

import pytest

from qehost.events.wire.values import EXACT, Unreadable, number


@pytest.mark.parametrize(
    ("text", "value"), [("0.10", 0.1), ("1E-8", 1e-8), (" -5 ", -5.0), ("1e-999", 0.0)]
)
def test_a_number_is_the_nearest_float(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "nan", "inf", "-Infinity", "1e999", "1_000", "٣", "12%"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        number(text)


def test_nothing_is_rounded_in_sums() -> None:
    assert EXACT.subtract(Decimal("1E+300"), Decimal("1E-50")) < Decimal("1E+300")
    with pytest.raises(Inexact):
        EXACT.add(Decimal("1E+300"), Decimal("1E-300"))


def test_a_field_that_can_t_be_read_may_be_readable_in_part() -> None:
    fault = Unreadable("commission", "{…}", "is no number", {"USDT": 1})
    assert (fault.field, fault.value, fault.why, fault.rest) == (
        "commission",
        "{…}",
        "is no number",
        {"USDT": 1},
    )
