"""Figures and times as text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.storage.export.cell_text import plain, time_text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("100.10", "100.10"),
        ("1E-8", "0.00000001"),
        ("-0.50", "-0.50"),
        ("1E+3", "1000"),
        ("1E+300", "1E+300"),
        ("1E-300", "1E-300"),
    ],
)
def test_a_figure_has_its_digits_and_no_exponent_that_people_would_write_out(
    number: str, text: str
) -> None:
    assert plain(Decimal(number)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_no_figure_changes_or_becomes_long(number: Decimal) -> None:
    assert Decimal(plain(number)) == number
    assert len(plain(number)) < len(number.as_tuple().digits) + 70


def test_a_time_is_cut_after_its_microseconds() -> None:
    assert time_text(1_767_323_045_678_901_999) == "2026-01-02T03:04:05.678901+00:00"
    assert time_text(2**63 - 1).startswith("2262-04-11T")
