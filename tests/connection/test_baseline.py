"""How the orders stood before the first stream: what is asked for, and what becomes of failures."""

from __future__ import annotations

import json
import select
import time
from collections.abc import Iterator
from typing import Any

import pytest
from waiting import PATIENCE

from qehost.connection import baseline
from qehost.connection.background import BackgroundCalls
from qehost.connection.baseline import Baseline, read_baseline
from qehost.errors import APIError, IncompleteList, TransportError
from qehost.events.codec import Record, expand
from qehost.events.pipeline import Pipeline
from qehost.network.backoff import Pace
from qehost.rest import API, Page
from qehost.rest.clock import VenueClock

NOW = 1_783_072_037


class FakeAPI(API):
    """Lists from memory, a page after the other."""

    def __init__(self, masters: int, children: dict[str, list[str]] | None = None) -> None:
        super().__init__("key", "secret")
        self.masters = [{"masterOrderId": f"m{number}"} for number in range(masters)]
        self.children = children or {}
        """By master order the statuses in each page, with blanks between."""
        self.asked: list[str] = []
        self.failures: list[Exception] = []
        self._calls.clock = VenueClock(lambda: NOW * 1000, lambda: NOW)

    def _list(self, name: str, pages: list[list[dict[str, str]]], most: int) -> Iterator[Page]:
        for number, items in enumerate(pages):
            if number == most:
                raise IncompleteList("", too_long=True)
            self.asked.append(name)
            if self.failures:
                raise self.failures.pop()
            yield Page(items, [json.dumps(item) for item in items], 0, number + 1, 100)

    def master_order_pages(self, *, max_pages: int | None = None, **filters: Any) -> Iterator[Page]:
        assert filters == {"status": "NEW"}
        pages = [self.masters[at : at + 100] for at in range(0, len(self.masters), 100)] or [[]]
        return self._list("NEW", pages, max_pages or 0)

    def order_fill_pages(self, *, max_pages: int | None = None, **filters: Any) -> Iterator[Page]:
        name = filters["masterOrderId"]
        pages = [
            [
                {"id": f"{name}-{at}-{n}", "masterOrderId": name, "status": status}
                for n, status in enumerate(page.split())
            ]
            for at, page in enumerate(self.children.get(name, [""]))
        ]
        return self._list(name, pages, max_pages or 0)


def test_running_master_orders_and_their_open_child_orders_are_read() -> None:
    api = FakeAPI(2, {"m0": ["PLACED FILLED", "CANCELLED Cancelack", "REJECTED", "PLACED"]})
    found = read_baseline(api)
    assert api.asked == ["NEW", "m0", "m0", "m0", "m1"]
    assert [json.loads(text)["masterOrderId"] for text in found.master_orders] == ["m0", "m1"]
    statuses = [json.loads(text)["status"] for text in found.orders]
    assert statuses == ["PLACED", "Cancelack"], "older ones than a page without an open one: none"
    assert found.not_read == []
    assert found.asked_at == pytest.approx(NOW, abs=5)


def test_it_takes_so_many_pages_at_most_and_what_was_not_read_is_named() -> None:
    api = FakeAPI(90, {"m3": ["PLACED"] * 20})
    found = read_baseline(api)
    assert len(api.asked) == baseline.MOST_PAGES
    assert found.not_read == [f"m{number}" for number in range(40, 90)]
    endless = FakeAPI(1, {"m0": ["PLACED"] * 1000})
    assert read_baseline(endless).not_read == ["m0"]
    assert len(endless.asked) == baseline.MOST_PAGES


class Bench:
    """A baseline with a loop."""

    def __init__(self, api: API) -> None:
        self.events: list[Any] = []
        self.errors: list[str] = []
        self.background = BackgroundCalls()
        now = time.monotonic()
        self.baseline = Baseline(
            api, Pipeline("main"), self._take, self._tell, self.background, now
        )

    def _take(self, records: list[Record]) -> None:  # type: ignore[override]
        self.events += expand(records)

    def _tell(self, error: Exception | None) -> None:
        self.errors.append(str(error))

    def run(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.baseline.keep_time(time.monotonic()):
            assert time.monotonic() < deadline
            left = self.baseline.next_deadline() - time.monotonic()
            if select.select([self.background], [], [], min(max(0.0, left), 0.05))[0]:
                self.background.collect()
        self.background.close()


def test_it_is_told_as_states_with_an_origin_of_its_own() -> None:
    bench = Bench(FakeAPI(1, {"m0": ["PLACED"]}))
    assert bench.baseline.asked_at == 0
    bench.run()
    assert [(e.kind, e.origin) for e in bench.events] == [
        ("master_order", "baseline"),
        ("order", "baseline"),
    ]
    assert bench.baseline.asked_at / 1e9 == pytest.approx(NOW, abs=5)
    assert bench.errors == []


def test_it_may_have_been_asked_earlier_by_as_much_as_the_venue_s_clock_is_inexact() -> None:
    """What ended just after it was asked must not be taken for something from before."""
    api = FakeAPI(1, {"m0": ["PLACED"]})
    api.venue_clock.inexact = 7.0
    api.venue_clock.measure = lambda: None  # type: ignore[method-assign]
    bench = Bench(api)
    bench.run()
    assert bench.baseline.asked_at / 1e9 == pytest.approx(NOW - 7)
    assert bench.baseline.inexact_by == 14 * 10**9


@pytest.mark.parametrize("failure", [TransportError("no answer"), RuntimeError("key=secret")])
@pytest.mark.parametrize("is_open", [False, True])
def test_it_is_read_again_and_a_failure_is_told_where_the_stream_is_open(
    failure: Exception,
    is_open: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(baseline, "FAILED", Pace(0.05, 120.0))
    api = FakeAPI(1, {"m0": ["PLACED"]})
    api.failures = [failure]
    bench = Bench(api)
    if is_open:
        bench.baseline.opened(0.0)
    bench.run()
    assert len(bench.events) == 2
    assert len(bench.errors) == 2 * is_open
    why = "no answer" if isinstance(failure, TransportError) else "RuntimeError"
    assert f"may be unknown ({why}); it is tried again" in (
        bench.errors[1] if is_open else caplog.text
    )
    assert "secret" not in caplog.text + "".join(bench.errors)


def test_after_an_outage_it_is_asked_for_as_soon_as_the_stream_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(baseline, "FAILED", Pace(3600.0, 3600.0))
    api = FakeAPI(1, {"m0": ["PLACED"]})
    api.failures = [TransportError("no answer")]
    bench = Bench(api)
    deadline = time.monotonic() + PATIENCE
    while not 60 < bench.baseline.next_deadline() - time.monotonic() < 1e6:
        assert time.monotonic() < deadline
        bench.baseline.keep_time(time.monotonic())
        if select.select([bench.background], [], [], 0.05)[0]:
            bench.background.collect()
    bench.baseline.opened(time.monotonic())
    bench.run()
    assert len(bench.events) == 2


def test_a_venue_that_asks_to_be_left_alone_is_left_alone() -> None:
    busy = APIError(429, "BUSY", "slow down")
    busy.status_code, busy.retry_after = 429, 30.0
    api = FakeAPI(0)
    api.failures = [busy]
    bench = Bench(api)
    bench.baseline.opened(0.0)
    deadline = time.monotonic() + PATIENCE
    while len(bench.errors) < 2:
        assert time.monotonic() < deadline
        bench.baseline.keep_time(time.monotonic())
        if select.select([bench.background], [], [], 0.05)[0]:
            bench.background.collect()
    assert bench.baseline.next_deadline() - time.monotonic() > 20
    bench.background.close()


def test_master_orders_whose_child_orders_were_not_read_are_named() -> None:
    bench = Bench(FakeAPI(90))
    bench.run()
    [told] = bench.errors
    assert "m59, m60" in told
    assert "and 21 more" in told
