"""A venue, services that are gone when the test ends, and handlers that note their calls."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from script import status, wait_for

from qehost import API, WebSocketEventHandlers, WebSocketService
from qehost.simulator import Venue


@pytest.fixture
def venue() -> Iterator[Venue]:
    """Its market moves by `step` alone."""
    with Venue(seed=1) as venue:
        yield venue


@pytest.fixture(autouse=True)
def a_busy_machine_has_time_to_end_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """After that time `close` leaves it to a thread that may not have had its turn yet."""
    monkeypatch.setattr("qehost.service.session.END_WITHIN", 40.0)


class Calls:
    """Handlers for everything: `calls` holds the name and the arguments of each, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.threads: set[threading.Thread] = set()
        self.react: dict[str, Callable[..., object]] = {}
        """What a handler does after its call was noted."""

    def handlers(self) -> WebSocketEventHandlers:
        return WebSocketEventHandlers(
            **{field.name: self._noting(field.name) for field in fields(WebSocketEventHandlers)}
        )

    def _noting(self, name: str) -> Callable[..., None]:
        def handler(*arguments: object) -> None:
            self.threads.add(threading.current_thread())
            self.calls.append((name, *arguments))
            if react := self.react.get(name):
                react(*arguments)

        return handler

    def of(self, name: str) -> list[Any]:
        """The arguments of the calls of one handler; for those without arguments `()`."""
        return [args[0] if args else () for n, *args in list(self.calls) if n == name]

    def names(self, *left_out: str) -> list[str]:
        return [name for name, *_ in list(self.calls) if name not in left_out]

    def wait(self, name: str, count: int = 1) -> list[Any]:
        """Until a handler was called so often; its calls."""
        wait_for(lambda: len(self.of(name)) >= count, self)
        return self.of(name)

    def __str__(self) -> str:
        return f"another call; so far {self.calls!r:.2000}"


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def api(venue: Venue) -> API:
    return API(venue.api_key, venue.api_secret, base_url=venue.rest_url)


@pytest.fixture
def service_of(venue: Venue) -> Iterator[Callable[..., WebSocketService]]:
    """`service_of(client, calls=None, **options)`: a service with quick reconnects."""
    made: list[WebSocketService] = []

    def make(client: Any, calls: Calls | None = None, **options: Any) -> WebSocketService:
        service = WebSocketService(client, options.pop("base_url", venue.ws_url), **options)
        service.set_reconnect_delay(0.05)
        if calls is not None:
            service.set_handlers(calls.handlers())
        made.append(service)
        return service

    yield make
    for service in made:
        service.close()


@pytest.fixture(scope="module")
def market() -> Iterator[Venue]:
    """A venue that the tests of one module share."""
    with Venue(seed=1) as venue:
        yield venue


@pytest.fixture(scope="module")
def shared(market: Venue) -> Iterator[WebSocketService]:
    api = API(market.api_key, market.api_secret, base_url=market.rest_url)
    service = WebSocketService(api, market.ws_url).set_reconnect_delay(0.05)
    service.connect()
    yield service
    service.close()


@pytest.fixture
def connected(shared: WebSocketService, market: Venue, calls: Calls) -> WebSocketService:
    """A service on the market that is connected and tells this test alone."""
    wait_for(shared.is_connected)
    shared.set_handlers(WebSocketEventHandlers())
    # What the test before this one has left on its way.
    heard: list[str] = []
    shared.handlers.on_status = heard.append
    mark = f"begin {next(_progress)}"
    market.push(status(mark))
    wait_for(lambda: mark in heard)
    return shared.set_handlers(calls.handlers())


_progress = itertools.count()


@pytest.fixture
def service(service_of: Callable[..., WebSocketService], api: API, calls: Calls) -> Any:
    return service_of(api, calls)


def children() -> list[int]:
    """The connection processes of this process."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_text()
        except OSError:
            continue
        if (
            int(stat[1]) == os.getpid()
            and "qehost.processes.bootstrap" in command
            and stat[0] not in "ZX"
        ):
            found.append(int(entry.name))
    return found


@pytest.fixture(name="children")
def give_children() -> Callable[[], list[int]]:
    """The connection processes that were started since."""
    before = children()
    return lambda: [pid for pid in children() if pid not in before]
