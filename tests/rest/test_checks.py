"""Single parameters: what is sent of them, and what is refused with their name."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.errors import ParameterArgumentError, ParameterTypeError
from qehost.rest import checks

TAKEN: list[tuple[Callable[[str, Any], Any], Any, Any]] = [
    (checks.decimal, Decimal("1.50"), "1.50"),
    (checks.decimal, "1E-7", "0.0000001"),
    (checks.decimal, 3, "3"),
    (checks.whole, "17", 17),
    (checks.whole, 17.0, 17),
    (checks.duration, 11, 11),
    (checks.page_size, 100, 100),
    (checks.share, "1", "1"),
    (checks.trigger_price, "", ""),
    (checks.wait_seconds, 2.5, 2.5),
    (checks.wait_seconds, Decimal("2.0"), 2),
    (checks.moment, "as it is", "as it is"),
    (
        checks.moment,
        dt.datetime(2026, 11, 25, 10, tzinfo=dt.timezone(dt.timedelta(hours=8))),
        "2026-11-25T02:00:00.000Z",
    ),
    (checks.epoch_ms, dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC), 1000),
    (checks.plain, 1e-7, "0.0000001"),
    (checks.plain, "as it is", "as it is"),
]
REFUSED: list[tuple[Callable[[str, Any], Any], Any]] = [
    (checks.decimal, "much"),
    (checks.decimal, True),
    (checks.decimal, math.nan),
    (checks.flag, 1),
    (checks.whole, 1.5),
    (checks.whole, True),
    (checks.whole, math.inf),
    (checks.duration, 10),
    (checks.page, 0),
    (checks.page_size, 101),
    (checks.share, "1.01"),
    (checks.trigger_action, 11),
    (checks.wait_seconds, -1),
    (checks.wait_seconds, "2"),
    (checks.market_type, "FUTURES"),
    (checks.moment, dt.datetime(2026, 11, 25)),
    (checks.epoch_ms, dt.datetime(2026, 11, 25)),
    (checks.not_in_v2, 1),
]


@pytest.mark.parametrize(("check", "value", "sent"), TAKEN)
def test_what_is_right_is_sent_in_its_form(
    check: Callable[[str, Any], Any], value: Any, sent: Any
) -> None:
    assert (check("n", value), type(check("n", value))) == (sent, type(sent))


@pytest.mark.parametrize(("check", "value"), REFUSED)
def test_what_is_wrong_is_refused_by_its_name(check: Callable[[str, Any], Any], value: Any) -> None:
    with pytest.raises((ParameterArgumentError, ParameterTypeError), match="size_of_it"):
        check("size_of_it", value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_no_digit_of_a_decimal_is_lost_and_none_has_an_exponent(number: Decimal) -> None:
    text = checks.decimal("n", number)
    assert Decimal(text) == number
    assert "E" not in text.upper()
