"""A venue for each test, and a client that signs by the protocol's text alone."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
import websocket
from waiting import PATIENCE

from qehost.simulator import Venue


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Client:
    """Signed REST calls, and the stream, of one user of a venue."""

    def __init__(self, venue: Venue, account: int = 0) -> None:
        self.venue = venue
        self.account = account
        self.pool = urllib3.PoolManager(retries=False, timeout=PATIENCE)

    def call(
        self,
        method: str,
        path: str,
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Any:
        """The reply's status and envelope.  `changes` spoil the request: api_key, secret, …"""
        user = self.venue.accounts[self.account]
        # A machine that stands still between here and there is no reason to refuse it.
        query: dict[str, Any] = {"recvWindow": 60_000, **(params or {})}
        query = {"timestamp": changes.get("timestamp", self.venue.now_ms()), **query}
        text = {
            name: value if isinstance(value, str) else compact(value)
            for name, value in (body or {}).items()
        }
        signed = urlencode(sorted({**query, **text}.items())).replace("%40", "@")
        secret = changes.get("secret", user.api_secret)
        query["signature"] = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        reply = self.pool.request(
            method,
            f"{self.venue.rest_url}{path}?{urlencode(query)}",
            body=json.dumps(body) if body is not None else None,
            headers={"X-MBX-APIKEY": changes.get("api_key", user.api_key)},
        )
        return reply.status, reply.json()

    def ok(self, method: str, path: str, *args: Any) -> Any:
        """The result of a call that must succeed."""
        status, envelope = self.call(method, path, *args)
        assert (status, envelope["code"]) == (200, 200), envelope
        return envelope["message"]


@pytest.fixture
def start_venue() -> Iterator[Callable[..., Venue]]:
    """`start_venue(**options)`: a `Venue` that is gone when the test ends."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Venue(**options))


@pytest.fixture
def venue(start_venue: Callable[..., Venue]) -> Venue:
    """A venue that pushes only what the test tells it to."""
    return start_venue(seed=7)


@pytest.fixture
def client_of() -> Iterator[Callable[..., Client]]:
    """`client_of(venue, account=0)`: REST calls of that user."""
    with ExitStack() as stack:

        def make(venue: Venue, account: int = 0) -> Client:
            client = Client(venue, account)
            stack.callback(client.pool.clear)
            return client

        yield make


@pytest.fixture
def client(venue: Venue, client_of: Callable[..., Client]) -> Client:
    return client_of(venue)


@pytest.fixture
def connect() -> Iterator[Callable[..., websocket.WebSocket]]:
    """`connect(venue, key=None, path="/api/ws/v2")`: an open stream, closed when the test ends."""
    with ExitStack() as stack:

        def connect(
            venue: Venue, key: str | None = None, path: str = "/api/ws/v2", **options: Any
        ) -> websocket.WebSocket:
            url = f"{venue.ws_url}{path}?listen_key={key or venue.new_listen_key()}"
            # The venue knows of it before we do, and may have ended it already.
            stream = websocket.create_connection(url, timeout=PATIENCE, **options)
            stack.callback(stream.shutdown)
            return stream

        yield connect
