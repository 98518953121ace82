from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost_console.figures import (
    clean,
    exact,
    fitted,
    format_latency,
    grouped,
    per_cent,
    price,
    short_id,
    shortened,
    span,
)

finite = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("100.10", "100.10"),
        ("1E-8", "0.00000001"),
        ("0E-8", "0.00000000"),
        ("123456789.123456789", "123456789.123456789"),
        ("1E+3", "1000"),
        ("1E+999999", "1E+999999"),
        ("NaN", "NaN"),
    ],
)
def test_exact_keeps_every_digit_and_has_no_exponent_where_a_person_would_read_it(text, shown):
    assert exact(Decimal(text)) == shown


def test_a_number_that_was_not_sent_is_a_dash():
    assert exact(None) == grouped(None) == price(None) == fitted(None, 5) == "–"


@given(finite)
def test_exact_reads_back_as_the_same_number(value):
    assert Decimal(exact(value)) == value


@given(finite)
def test_grouping_changes_nothing_but_commas(value):
    assert grouped(value).replace(",", "") == exact(value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("1234", "1234"), ("1234.5", "1234.5"), ("12345", "12,345"), ("-12345.60", "-12,345.60")],
)
def test_four_digits_stay_together_because_a_comma_could_be_a_decimal_sign(text, shown):
    assert grouped(Decimal(text)) == shown


@given(finite, st.integers(6, 30))
def test_a_fitted_number_is_exact_or_says_that_it_is_not(value, width):
    text = fitted(value, width)
    if text.startswith("≈"):
        assert len(grouped(value)) > width
        if "E" not in text:
            assert len(text) <= width
            assert abs(Decimal(text[1:].replace(",", "")) - value) <= abs(value) / 20
    else:
        assert Decimal(text.replace(",", "")) == value


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("123456789.123456789", 19, "≈123,456,789.123457"),
        ("123456789.123456789", 12, "≈123,456,789"),
        ("0.00000001", 6, "≈1E-8"),
        ("999999.99", 10, "999,999.99"),
        ("999999.99", 8, "≈1.0E+6"),
        ("0.0005110687", 6, "≈5E-4"),
        ("36290.80000000", 10, "36,290.8"),
        ("1.5", 4, "1.5"),
    ],
)
def test_what_does_not_fit_is_rounded_as_little_as_possible(text, width, shown):
    assert fitted(Decimal(text), width) == shown


def test_a_price_keeps_its_digits_but_a_quotient_without_end_is_cut_and_marked():
    assert price(Decimal("61234.56789012")) == "61234.56789012"
    assert price(Decimal(1) / Decimal(3)) == "≈0.3333333333"


@pytest.mark.parametrize(
    ("share", "shown"), [(None, "–"), (0.0, "0%"), (0.999, "99%"), (1.0, "100%"), (0.29, "29%")]
)
def test_a_hundred_per_cent_means_all_of_it(share, shown):
    assert per_cent(share) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1, "0:00"), (7.9, "0:07"), (754, "12:34"), (10_825, "3:00:25"), (180_000, "2d 02h")],
)
def test_spans_read_as_clocks_do(seconds, shown):
    assert span(seconds) == shown


@pytest.mark.parametrize(
    ("nanoseconds", "shown"),
    [
        (None, "–"),
        (85_300, "85 µs"),
        (420_000, "0.42 ms"),
        (12_345_678, "12.3 ms"),
        (2_140_000_000, "2.14 s"),
    ],
)
def test_latencies_have_three_figures_and_a_unit(nanoseconds, shown):
    assert format_latency(nanoseconds) == shown


def test_a_long_name_loses_its_middle():
    assert shortened("main", 8) == "main"
    assert shortened("desk-hong-kong-01", 8) == "des…g-01"


def test_a_short_id_is_the_end_of_it():
    assert short_id("1234567890") == "…67890"
    assert short_id("mo_001") == "mo_001"


def test_control_characters_of_the_venue_cannot_steer_the_terminal():
    assert clean("a\x1b[31mb\nc") == "a\\x1b[31mb\\nc"
    assert clean("买单 µ") == "买单 µ"
