"""For how long an answer asks to be left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.network.retry_after import retry_after

NOW = 1795572060.0  # 2026-11-25 02:01:00 UTC


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("12", 12.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Wed, 25 Nov 2026 02:01:57 GMT", 57.0),
        ("Wed, 25 Nov 2026 02:00:00 GMT", 0.0),
        # An epoch, as other headers have it, and a clock that is a month ahead.
        ("1795572062", 3600.0),
        ("1e300", 3600.0),
        ("Fri, 25 Dec 2026 02:00:00 GMT", 3600.0),
        ("Fri, 25 Dec 99999999999999 02:00:00 GMT", None),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
    ],
)
def test_the_header_holds_seconds_or_a_date_and_an_hour_counts_at_most(
    header: str, seconds: float | None
) -> None:
    assert retry_after({"retry-after": header}, "", NOW) == seconds


@pytest.mark.parametrize("until", ["1795572090", "1795572090000", "1795572090000000"])
def test_a_ban_whose_end_stands_in_the_body_is_read(until: str) -> None:
    body = f'{{"code":-1003,"msg":"Way too many requests; IP banned until {until}. Slow down."}}'
    assert retry_after({}, body, NOW) == 30.0
    assert retry_after({"retry-after": "7"}, body, NOW) == 7.0


def test_a_body_without_a_number_asks_for_nothing() -> None:
    assert retry_after({}, "banned until tomorrow", NOW) is None


def test_the_answers_own_date_counts_where_this_machines_clock_is_off() -> None:
    date = {"date": "Wed, 25 Nov 2026 02:01:00 GMT"}
    wrong = NOW + 1e6
    header = date | {"retry-after": "Wed, 25 Nov 2026 02:01:57 GMT"}
    assert retry_after(header, "", wrong) == 57.0
    assert retry_after(date, "banned until 1795572090000", wrong) == 30.0


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_nothing_that_is_sent_raises_or_asks_for_more_than_an_hour(
    header: str, date: str, body: str
) -> None:
    seconds = retry_after({"retry-after": header, "date": date}, f"banned until {body}", NOW)
    assert seconds is None or 0 <= seconds <= 3600
