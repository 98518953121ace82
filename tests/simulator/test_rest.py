"""The REST interface, over real sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qehost.simulator import Venue

MASTERS = "/user/trading/v2/master-orders"


def test_ping_and_time_are_public(venue: Venue, client: Any) -> None:
    for prefix in ("", "/strategy-api"):
        ping = client.pool.request("GET", f"{venue.rest_url}{prefix}/ping").json()
        time = client.pool.request("GET", f"{venue.rest_url}{prefix}/timestamp").json()

        assert (ping["code"], ping["message"], ping["reason"]) == (200, None, "")
        assert abs(int(time["message"]["serverTimeMilli"]) - venue.now_ms()) < 60_000
        assert time["traceId"]


@pytest.mark.parametrize("prefix", ["", "/strategy-api"])
@pytest.mark.parametrize("version", ["", "/v2"])
def test_a_listen_key_lives_a_day(client: Any, prefix: str, version: str) -> None:
    reply = client.ok("POST", f"{prefix}/user/trading{version}/listen-key")

    assert len(reply["listenKey"]) == 32
    assert isinstance(reply["expireAt"], str)
    assert abs(int(reply["expireAt"]) - client.venue.now_ms() / 1000 - 86_400) < 60
    assert reply["success"] is True


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"api_key": "nobody"}, 401, "API_KEY_INVALID"),
        ({"secret": "wrong"}, 401, "SIGNATURE_INVALID"),
        ({"timestamp": 1}, 401, "TIMESTAMP_EXPIRED"),
    ],
)
def test_a_request_that_is_not_signed_right_is_refused(
    client: Any, changes: dict[str, Any], status: int, reason: str
) -> None:
    got, envelope = client.call("POST", "/user/trading/v2/listen-key", **changes)

    assert (got, envelope["code"], envelope["reason"]) == (status, status, reason)
    assert envelope["message"]
    assert envelope["traceId"]


def test_one_user_does_not_see_anothers_orders(
    start_venue: Callable[..., Venue], client_of: Callable[..., Any]
) -> None:
    venue = start_venue(accounts=2)
    theirs = venue.step(account=0)[0].subject.master_order_id
    other = client_of(venue, account=1)

    status, _ = other.call("GET", f"{MASTERS}/{theirs}")

    assert status == 404
    assert other.ok("GET", MASTERS)["total"] == 0
