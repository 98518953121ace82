"""A listen key, made and read."""

from __future__ import annotations

import pytest
from rich.pretty import pretty_repr

from qehost.errors import APIError, ServerError
from qehost.rest import ListenKey, make_listen_key
from qehost.secret import Secret

KEY = "0123456789abcdef0123456789abcdef"


def test_a_v1_key_is_made_at_the_v1_address(venue, api):
    venue.answers = [venue.result({"listenKey": KEY, "expireAt": 1735458400})]
    assert make_listen_key(api, "v1").expire_at == 1_735_458_400
    assert venue.requests[0].path == "/user/trading/listen-key"


def test_the_repr_of_a_key_does_not_show_it():
    made = ListenKey(Secret(KEY), 5)
    assert KEY not in f"{made!r} {made}"
    assert "expire_at=5" in pretty_repr(made)
    assert KEY not in pretty_repr(made)


@pytest.mark.parametrize("end", ["", None, "soon"])
def test_an_end_that_the_venue_does_not_say_is_0(venue, api, end):
    venue.answers = [venue.result({"listenKey": KEY, "expireAt": end})]
    assert make_listen_key(api, "v2") == ListenKey(Secret(KEY), 0)


def test_a_key_that_was_not_made_is_an_error(venue, api):
    venue.answers = [
        venue.result({"success": False, "message": "too many keys"}),
        venue.result({"success": True}),
    ]
    with pytest.raises(APIError, match="too many keys"):
        make_listen_key(api, "v2")
    with pytest.raises(ServerError, match="listenKey"):
        make_listen_key(api, "v2")
