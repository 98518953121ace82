"""When a listen key is made, renewed and replaced.  No clock: the tests are the clock."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.connection.listen_key import Key, ListenKeys, Made, lifetime, make_key
from qehost.errors import APIError, ListenKeyError, TransportError
from qehost.rest import API, make_listen_key
from qehost.simulator import Venue

TEXT = "0123456789abcdef0123456789abcdef"
HOUR = 3600.0
DAY = 24 * HOUR
NEVER = float("inf")


@pytest.fixture
def keys():
    return ListenKeys(can_make=True, rng=random.Random(1))


def begin(keys, now):
    """Make a key, which is due at the latest now."""
    assert keys.make_at <= now
    keys.begin()


def make(keys, now, lifetime=DAY, text=TEXT):
    begin(keys, now)
    keys.made(Made(text, lifetime), now)
    return keys.current(now)


def refused_401():
    error = APIError(401, "API_KEY_INVALID", "no such key")
    error.status_code = 401
    return error


# --- making and renewing -----------------------------------------------------------------------


def test_the_first_key_is_made_at_once(keys):
    assert keys.current(0) is None
    key = make(keys, 0)
    assert (key.text, key.number) == (TEXT, 1)
    assert keys.warning == ""


def test_only_one_key_is_made_at_a_time(keys):
    begin(keys, 0)
    assert keys.make_at == NEVER


def test_a_key_is_renewed_about_an_hour_before_its_end(keys):
    make(keys, 0)
    renewal = keys.make_at
    assert DAY - HOUR * 1.05 <= renewal <= DAY - HOUR
    begin(keys, renewal)


@given(st.floats(1, 7200), st.integers(0))
def test_a_key_that_lives_shorter_is_renewed_at_about_half_its_life(lifetime, seed):
    keys = ListenKeys(can_make=True, rng=random.Random(seed))
    make(keys, 0, lifetime)
    # Never more often than once a second, however short-lived the venue's keys are.
    assert keys.make_at >= 1.0
    assert keys.make_at == pytest.approx(max(1.0, lifetime * 0.4875), rel=0.026)


def test_the_old_key_stays_until_the_new_one_is_there(keys):
    old = make(keys, 0)
    renewal = keys.make_at
    begin(keys, renewal)
    assert keys.current(renewal) == old
    keys.made(Made("new", DAY), renewal + 3)
    new = keys.current(renewal + 3)
    assert (new.text, new.number) == ("new", 2)
    # The venue drops the old connection: that is no reason for yet another key.
    assert keys.refused(old.number, renewal + 4) is None
    assert keys.current(renewal + 4) == new


def test_a_venue_that_drops_the_old_key_before_it_answers_is_no_takeover(keys):
    make(keys, 0)
    keys.accepted(1, 0)
    now = keys.make_at
    begin(keys, now)
    assert keys.refused(1, now + 0.1) is None
    assert keys.current(now + 0.1) is None
    keys.made(Made("new", DAY), now + 0.2)
    assert keys.current(now + 0.2).text == "new"
    keys.accepted(2, now + 1)
    assert keys.refused(2, now + 9) is not None
    begin(keys, now + 9)


def test_a_failed_renewal_keeps_the_key_says_so_and_tries_again(keys):
    key = make(keys, 0)
    now = keys.make_at
    said = []
    for _ in range(10):
        begin(keys, now)
        said.append(str(keys.failed(TransportError("no answer"), now)))
        assert keys.current(now) == key
        assert 0.5 <= keys.make_at - now <= 60
        now = keys.make_at
    assert all("could not be renewed" in text and "no answer" in text for text in said)
    assert "good for 60 min more" in said[0] or "good for 62 min more" in said[0]
    begin(keys, now)
    keys.made(Made("new", DAY), now)
    assert keys.current(now).number == 2


def test_without_any_key_the_text_says_that_there_is_no_stream(keys):
    begin(keys, 0)
    assert "there is no stream" in str(keys.failed(TransportError("no answer"), 0))


def test_without_any_key_one_is_tried_for_every_ten_seconds_however_long_it_lasts(keys):
    now = 0.0
    while now < HOUR:
        begin(keys, now)
        keys.failed(TransportError("no answer"), now)
        assert keys.make_at - now <= 10
        now = keys.make_at


def test_an_expired_key_is_not_connected_with(keys):
    make(keys, 0, 100)
    assert keys.current(99) is not None
    assert keys.current(100) is None
    assert "has ended" in str(keys.refused(1, 101))


def test_credentials_that_are_refused_are_tried_slowly_and_loudly(keys):
    now = 0.0
    for _ in range(8):
        begin(keys, now)
        error = keys.failed(refused_401(), now)
        assert "API_KEY_INVALID" in str(error)
        assert "rest_url" in str(error)
        assert 15 <= keys.make_at - now <= 600
        now = keys.make_at
    assert now > 600


def test_a_wait_that_the_venue_asks_for_is_kept(keys):
    busy = APIError(429, "BUSY", "slow down")
    busy.retry_after = 500.0
    begin(keys, 0)
    keys.failed(busy, 0)
    assert 500.0 <= keys.make_at <= 501.0


def test_an_error_of_unknown_origin_is_named_without_its_text(keys):
    begin(keys, 0)
    text = str(keys.failed(RuntimeError(f"something with {TEXT}"), 0))
    assert "RuntimeError" in text
    assert TEXT not in text


# --- refused keys ------------------------------------------------------------------------------


def test_a_refused_key_is_replaced_and_not_tried_again(keys):
    make(keys, 0)
    keys.accepted(1, 1)
    error = keys.refused(1, 5000)
    assert isinstance(error, ListenKeyError)
    assert keys.current(5000) is None
    begin(keys, 5000)


def test_another_program_that_takes_the_key_over_is_told_and_no_war(keys):
    """It answers each of our keys with one of its own, a second later, for a day."""
    now, made, said = 0.0, 0, []
    while (now := max(now, keys.make_at)) < DAY:
        made += 1
        make(keys, now)
        keys.accepted(made, now)
        now += 1
        said.append(str(keys.refused(made, now)))
    assert made < 120
    assert "another program" not in said[0]
    assert all("another program" in text for text in said[1:])
    assert "1 s after it was made" in said[1]


def test_a_key_with_a_quiet_life_ends_the_suspicion(keys):
    now = 0.0
    for number in range(1, 6):
        make(keys, now)
        keys.accepted(number, now)
        assert keys.refused(number, now) is not None
        now = max(now, keys.make_at)
    make(keys, now)
    keys.accepted(6, now)
    now += 2 * HOUR
    assert "a new one is made" in str(keys.refused(6, now))
    begin(keys, now)


def test_keys_that_were_never_accepted_point_to_the_addresses_and_to_another_program(keys):
    make(keys, 0)
    text = str(keys.refused(1, 1))
    assert "ws_url and rest_url" in text
    # It may take each key before the first connection with it.
    assert "either another program makes listen keys with the same user" in text


def test_a_key_that_was_never_accepted_is_tried_on_and_replaced_once_in_a_while(keys):
    now, made = 0.0, 0
    while now < HOUR:
        made += 1
        key = make(keys, now)
        assert keys.refused(key.number, now) is not None
        assert keys.refused(key.number, now + 1) is None  # that was said
        assert keys.current(now + 1) == key
        assert keys.make_at >= now + 10
        now = keys.make_at
    assert 3 <= made <= 20
    keys.accepted(made, now)
    assert keys.make_at > now + HOUR


# --- a given key -------------------------------------------------------------------------------


def test_a_given_key_is_used_as_it_is_with_a_warning():
    keys = ListenKeys(TEXT)
    assert keys.current(0).text == TEXT
    assert keys.make_at == NEVER
    assert "can't be renewed" in keys.warning


def test_a_given_key_that_is_refused_is_said_each_time_and_tried_slowly():
    keys = ListenKeys(TEXT, rng=random.Random(1))
    now = 0.0
    for _ in range(6):
        assert keys.current(now) is not None
        assert "Set a new one" in str(keys.refused(1, now))
        assert keys.current(now) is None
        assert 15 <= keys.usable_from - now <= 600
        now = keys.usable_from
    keys.accepted(1, now)
    assert keys.current(now).text == TEXT


def test_a_given_key_is_not_replaced_though_there_are_credentials():
    keys = ListenKeys(TEXT, can_make=True, rng=random.Random(1))
    assert "replace_listen_key" in keys.warning
    now = 0.0
    for _ in range(6):
        assert "replace_listen_key" in str(keys.refused(1, now))
        assert keys.doubted(1, now) is None
        assert keys.make_at == NEVER
        assert keys.usable_from - now >= 15
        now = keys.usable_from
        assert keys.current(now) == Key(TEXT, 1)


def test_a_given_key_that_is_refused_is_replaced_where_that_is_asked_for():
    keys = ListenKeys(TEXT, can_make=True, may_replace=True)
    assert keys.warning == ""
    assert keys.make_at == NEVER
    assert "One is made" in str(keys.refused(1, 5))
    assert keys.current(5) is None
    begin(keys, 5)
    keys.made(Made("another", DAY), 6)
    assert keys.current(6) == Key("another", 2)


def test_neither_key_nor_credentials_is_an_error_that_names_the_settings():
    with pytest.raises(ListenKeyError, match="QEHOST_API_KEY"):
        ListenKeys()


def test_no_repr_shows_a_key(keys):
    key = make(keys, 0)
    assert TEXT not in f"{key!r} {Made(TEXT, 5.0)!r}"


# --- whatever happens --------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["made", "failed", "rejected", "refused", "accepted", "nothing"]),
            st.floats(0, 7200),
        ),
        max_size=60,
    ),
    st.integers(0),
)
def test_the_machine_always_has_something_to_wait_for(events, seed):
    keys = ListenKeys(can_make=True, rng=random.Random(seed))
    now, busy, number, accepted = 0.0, False, 0, 0
    for event, pause in events:
        now += pause
        if not busy and keys.make_at <= now:
            keys.begin()
            busy = True
        if busy and event == "made":
            number += 1
            keys.made(Made(str(number), 5000.0), now)
            busy = False
        elif busy and event in ("failed", "rejected"):
            error = refused_401() if event == "rejected" else TransportError("no answer")
            assert str(keys.failed(error, now))
            busy = False
        elif number and event == "refused":
            keys.refused(number, now)
            assert keys.current(now) is None or number > accepted
        elif number and event == "accepted":
            keys.accepted(number, now)
            accepted = number
        assert keys.making == busy == (keys.make_at == NEVER)


# --- over REST ---------------------------------------------------------------------------------


def test_a_key_is_made_over_rest_and_its_life_measured_by_the_venue_s_clock():
    with Venue(port=0) as venue:
        api = API(venue.api_key, venue.api_secret, venue.rest_url)
        made = make_key(api, "v2")
        api.close()
        assert made.lifetime == pytest.approx(DAY, abs=60)
        assert len(made.text) == 32


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize(
    ("seconds", "good_for"),
    [(600, 600.0), (86_400, DAY), (90_000, DAY), (10**9, DAY), (-5, DAY), (-1_790_000_000, DAY)],
)
def test_no_end_of_a_key_means_that_it_is_never_renewed(seconds, good_for, unit):
    now = 1_790_000_000
    assert lifetime((now + seconds) * unit, now) == pytest.approx(good_for, abs=1e-3)


def test_an_end_in_the_past_is_not_believed(monkeypatch):
    with Venue(port=0) as venue:
        api = API(venue.api_key, venue.api_secret, venue.rest_url)
        made = make_listen_key(api, "v1")
        past = msgspec.structs.replace(made, expire_at=made.expire_at - 2 * 86_400)
        monkeypatch.setattr("qehost.connection.listen_key.make_listen_key", lambda *_: past)
        assert make_key(api, "v1").lifetime == DAY
        api.close()
