"""What is read over REST of a window, and that it does not matter what the lists leave out."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest
from waiting import PATIENCE

from qehost.connection import window_reader
from qehost.connection.catch_up import Window
from qehost.connection.window_reader import read_window
from qehost.errors import APIError, IncompleteList, TransportError
from qehost.events.pipeline import Pipeline
from qehost.events.rest_objects import decode_rest
from qehost.events.unfinished import ChildIds, Unfinished
from qehost.messages import ErrorEvent, OrderEvent
from qehost.rest import API, Page, Retries
from qehost.rest.clock import VenueClock
from qehost.rest.http import HttpReply
from qehost.rest.replies import read
from qehost.simulator import Venue

SECOND = 10**9
SINCE = 1_783_072_000 * SECOND - SECOND  # 2026-07-03 09:46:39 UTC
WINDOW = Window(SINCE, SINCE + 33 * SECOND)
NOW = 1_783_072_037  # 5 s after it


def clock_at(now):
    """A venue's clock, and a machine's that agrees with it."""
    return VenueClock(lambda: now * 1000, lambda: now)


class FakeAPI(API):
    """Lists from memory, in place of the venue's."""

    def __init__(self, lists, now=NOW):
        super().__init__("key", "secret")
        self.lists = lists
        self.asked = []
        self._calls.clock = clock_at(now)

    def _list(self, name, filters):
        self.asked.append((name, filters))
        for number, items in enumerate(self.lists.get(name, [])):
            if isinstance(items, Exception):
                raise items
            if number == filters.get("max_pages"):
                raise IncompleteList("", too_long=True)
            yield Page(items, [json.dumps(item) for item in items], 0, 1, 100)

    def master_order_pages(self, **filters):
        return self._list(filters.get("status") or filters["masterOrderId"], filters)

    def order_fill_pages(self, **filters):
        return self._list(f"fills {filters.get('masterOrderId', '')}".strip(), filters)


class ScriptedAPI(API):
    """Every list has one page, for which the venue sends `body`."""

    def __init__(self, body):
        super().__init__("key", "secret")
        self._calls.call = lambda *_, **__: read(HttpReply(200, {}, body.encode()))
        self._calls.clock = clock_at(NOW)


def at(seconds):
    """`updatedAt`, so many seconds after the window's begin."""
    moment = time.gmtime(SINCE / SECOND + seconds)
    return {"updatedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)}


def test_running_orders_ended_orders_and_fills_are_read_in_this_order():
    api = FakeAPI(
        {"NEW": [[{"a": 1}]], "COMPLETED": [[{"b": 2}], [{"c": 3}]], "fills": [[{"d": 4}]]}
    )
    found = read_window(api, WINDOW)
    assert found.master_orders == ['{"a": 1}', '{"b": 2}', '{"c": 3}']
    assert found.orders == ['{"d": 4}']
    assert found.failure is None
    assert [name for name, _ in api.asked] == ["NEW", "COMPLETED", "fills"]


def test_what_did_not_change_in_the_window_is_left_out_with_an_overlap():
    items = [at(-3600), at(-61), at(-59), at(10), {"updatedAt": "?"}, {"updatedAt": None}, {}]
    api = FakeAPI({"NEW": [items], "COMPLETED": [], "fills": [items]})
    found = read_window(api, WINDOW)
    kept = [json.dumps(item) for item in items[2:]]
    assert found.master_orders == kept
    assert found.orders == kept


def test_it_is_read_until_now_by_the_venue_s_time_as_it_is_measured_for_that():
    api = FakeAPI({"NEW": [], "COMPLETED": [], "fills": []}, now=NOW + 3600)
    found = read_window(api, WINDOW)
    assert found.window.since == WINDOW.since
    assert found.window.until == pytest.approx((NOW + 3600) * SECOND, abs=5 * SECOND)
    for _, filters in api.asked[1:]:
        until = filters["endTime"].timestamp()
        assert until == pytest.approx(NOW + 3600 + 86_400, abs=5)


@pytest.mark.parametrize("step", [-86_400, -180, 180, 86_400])
def test_a_window_begins_earlier_by_as_much_as_a_clock_was_set_since_it_was_noted(step):
    api = FakeAPI({"NEW": [], "COMPLETED": [], "fills": []})
    api.venue_clock.measure()
    api.venue_clock._read = lambda: (NOW + step) * 1000
    found = read_window(api, WINDOW)
    assert found.window.since / SECOND == pytest.approx(SINCE / SECOND - abs(step), abs=5)
    assert not found.was_impossible
    # What was taken into account before is not taken into account again.
    again = read_window(api, found.window, api.venue_clock.jumped)
    assert again.window.since == found.window.since


def test_a_window_that_begins_ahead_of_now_is_made_a_day_wide():
    api = FakeAPI({"NEW": [], "COMPLETED": [], "fills": []}, now=NOW - 1000)
    found = read_window(api, WINDOW)
    assert found.was_impossible
    assert found.window.until - found.window.since == 86_400 * SECOND


def test_a_reconnect_within_the_inaccuracy_of_the_measured_time_is_no_clock_that_was_set():
    lists = {"NEW": [], "COMPLETED": [], "fills": []}
    api = FakeAPI(lists, now=SINCE / SECOND - 0.7)
    found = read_window(api, WINDOW)
    assert not found.was_impossible
    assert 0 <= found.window.until - found.window.since < SECOND


def test_a_window_is_read_though_the_venue_s_time_is_not_known():
    api = FakeAPI({"NEW": [[{"a": 1}]], "COMPLETED": [], "fills": []})

    def fail():
        raise TransportError("no answer")

    api.venue_clock._read = fail
    found = read_window(api, WINDOW)
    assert found.master_orders == ['{"a": 1}']
    assert found.window.since == WINDOW.since


def test_orders_that_began_long_before_the_window_are_asked_for():
    api = FakeAPI({"NEW": [], "COMPLETED": [], "fills": []})
    read_window(api, WINDOW)
    running, ended, fills = (filters for _, filters in api.asked)
    assert "startTime" not in running
    assert ended["startTime"].timestamp() <= SINCE / SECOND - 86_400
    assert fills["startTime"].timestamp() <= SINCE / SECOND - 600


@pytest.mark.parametrize("failure", [TransportError("no answer"), RuntimeError("surprise")])
def test_what_was_read_before_a_failure_is_there(failure):
    api = FakeAPI({"NEW": [[{"a": 1}]], "COMPLETED": [[{"b": 2}], failure], "fills": []})
    found = read_window(api, WINDOW)
    assert found.master_orders == ['{"a": 1}', '{"b": 2}']
    assert found.failure is failure
    assert found.where == "ended master orders"


def test_a_list_that_fails_does_not_keep_the_others_from_being_read():
    first = TransportError("no answer")
    api = FakeAPI({"NEW": [first], "COMPLETED": [RuntimeError()], "fills": [[{"d": 4}]]})
    found = read_window(api, WINDOW)
    assert found.orders == ['{"d": 4}']
    assert (found.failure, found.where) == (first, "running master orders")


def test_a_venue_that_asks_to_be_left_alone_is_not_asked_for_the_other_lists():
    busy = APIError(429, "BUSY", "slow down")
    busy.status_code = 429
    api = FakeAPI({"NEW": [busy], "COMPLETED": [], "fills": []})
    assert read_window(api, WINDOW).failure is busy
    assert [name for name, _ in api.asked] == ["NEW"]


# --- open orders that are older than the lists reach -------------------------------------------


def unfinished(*children, masters=()):
    return Unfinished(list(masters), [ChildIds(*ids) for ids in children])


def test_open_orders_that_the_lists_have_are_not_asked_for():
    api = FakeAPI(
        {
            "NEW": [[{"masterOrderId": "M1"}]],
            "COMPLETED": [[{"masterOrderId": "m2"}]],
            "fills": [
                [{"id": "7", "masterOrderId": "m1"}, {"orderId": "9", "masterOrderId": "m1"}]
            ],
        }
    )
    open_ = unfinished(("m1", "", "7"), ("m1", "9", ""), masters=["m1", "m2"])
    found = read_window(api, WINDOW, 0.0, open_)
    assert len(api.asked) == 3
    assert found.not_covered == ()


def test_open_orders_that_the_lists_do_not_have_are_asked_for_by_their_master_order():
    api = FakeAPI(
        {
            "m3": [[{"masterOrderId": "m3"} | at(5)]],
            "fills m1": [[{"id": "7", "masterOrderId": "m1"} | at(5), {"id": "8"} | at(-9000)]],
        }
    )
    open_ = unfinished(("m1", "", "7"), ("m1", "x", "8"), masters=["m3"])
    found = read_window(api, WINDOW, 0.0, open_)
    assert [name for name, _ in api.asked[3:]] == ["m3", "fills m1"]
    assert found.master_orders == [json.dumps({"masterOrderId": "m3"} | at(5))]
    assert found.orders == [json.dumps({"id": "7", "masterOrderId": "m1"} | at(5))]
    assert found.not_covered == ()


def test_an_order_is_not_found_by_an_id_at_the_exchange_that_others_have_too():
    api = FakeAPI({"fills": [[{"id": "7", "orderId": "0", "masterOrderId": "m1"}]]})
    read_window(api, WINDOW, 0.0, unfinished(("m1", "0", "8")))
    assert [name for name, _ in api.asked[3:]] == ["fills m1"]


def test_open_orders_that_are_not_found_and_those_that_are_too_many_are_named():
    many = [(f"m{number}", "", str(number)) for number in range(100)]
    api = FakeAPI({f"fills m{number}": [[{"id": str(number)}]] for number in range(1, 100)})
    found = read_window(api, WINDOW, 0.0, unfinished(*many, masters=["gone"]))
    assert len(api.asked) == 3 + window_reader.ASKED_AT_MOST
    assert found.not_covered[:2] == ("master order gone", "order 0 of master order m0")
    assert len(found.not_covered) == 1 + 1 + 100 - (window_reader.ASKED_AT_MOST - 1)


def test_the_child_orders_of_a_master_order_are_read_until_the_open_ones_are_found():
    pages = [[{"id": f"{number}"}] for number in range(200)]
    api = FakeAPI({"fills m1": pages, "fills m2": pages})
    open_ = unfinished(("m1", "", "3"), ("m1", "", "1"), ("m2", "", "199"))
    found = read_window(api, WINDOW, 0.0, open_)
    assert len(found.orders) == window_reader.ASKED_AT_MOST
    assert found.not_covered == ("order 199 of master order m2",)
    assert not found.beyond


def test_open_orders_are_not_asked_for_where_a_list_failed():
    failure = TransportError("no answer")
    api = FakeAPI({"NEW": [failure]})
    found = read_window(api, WINDOW, 0.0, unfinished(("m1", "", "7")))
    assert found.failure is failure
    assert len(api.asked) == 3


# --- whatever the venue sends ------------------------------------------------------------------

ODD = {
    "null": "null",
    "a bare NaN": '{"id": "9", "masterOrderId": "m", "averagePrice": NaN}',
    "a number of 5,000 digits": f'{{"id": "9", "filledQuantity": {"1" * 5000}}}',
    "a nesting of 3,000": f'{{"id": "9", "x": {"[" * 3000}{"]" * 3000}}}',
    "a list in the place of the id": '{"id": [1], "masterOrderId": [1]}',
    "half of a surrogate pair": '{"id": "\\ud800", "updatedAt": "\\ud800"}',
    "a list": "[1, 2]",
}


@pytest.mark.parametrize("enveloped", [True, False])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_object_in_a_list_costs_itself_and_nothing_else(odd, enveloped):
    good = '{"id": "7", "masterOrderId": "m", "filledQuantity": "0.10000000"}'
    other = good.replace("7", "8")
    body = f'{{"items": [{good}, {odd}, {other}], "total": 3}}'
    if enveloped:
        body = f'{{"code": 200, "message": {body}}}'
    api = ScriptedAPI(body)
    found = read_window(api, WINDOW)
    assert found.failure is None
    assert found.orders == [good, odd, other]
    events = Pipeline("main").catch_up(decode_rest([], found.orders), 1)
    orders = [event.message.order_id for event in events if isinstance(event, OrderEvent)]
    errors = [event for event in events if isinstance(event, ErrorEvent)]
    assert {"7", "8"} <= set(orders)
    assert [event.raw for event in errors] in ([], [odd])


def test_a_list_of_which_the_venue_counts_more_than_it_gives_is_named():
    found = read_window(
        ScriptedAPI('{"items": [{"id": 1, "masterOrderId": 2}], "total": 250}'), WINDOW
    )
    assert (found.failure, len(found.orders)) == (None, 1)
    assert found.short == "running master orders and ended master orders and order fills"


def test_a_list_without_end_is_cut_and_said():
    endless = ([{"id": i}] for i in range(10**9))
    api = FakeAPI({"NEW": [], "COMPLETED": [], "fills": endless})
    found = read_window(api, WINDOW)
    assert len(found.orders) == 200
    assert found.beyond == "order fills"


# --- against a venue ---------------------------------------------------------------------------


@pytest.mark.parametrize("time_filter", ["updated", "created"])
def test_everything_that_the_venue_did_in_a_gap_is_found(time_filter):
    with Venue(port=0, seed=3, time_filter=time_filter) as venue:
        api = API(venue.api_key, venue.api_secret, venue.rest_url)
        since = time.time_ns()
        venue.step(300, push=False)
        found = read_window(api, Window(since, time.time_ns()))
        api.close()
        assert found.failure is None
        last = {}
        for sent in venue.sent:
            if sent.update is not None:
                subject = sent.update.subject
                name = getattr(subject, "id", None) or subject.master_order_id
                last[name] = subject.status
        ours = {}
        for text in found.master_orders + found.orders:
            item = json.loads(text)
            ours[item.get("id") or item["masterOrderId"]] = item["status"]
        assert ours == last


def test_a_venue_that_is_gone_is_a_failure_and_no_exception():
    with Venue(port=0) as venue:
        api = API(venue.api_key, venue.api_secret, venue.rest_url, retries=Retries(attempts=1))
        api.ping()
    found = read_window(api, WINDOW)
    api.close()
    assert isinstance(found.failure, TransportError)
    assert found.where == "running master orders"


def test_closing_the_api_ends_a_read_that_is_under_way():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        api = API("key", "secret", f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=1000)
        found = []
        thread = threading.Thread(target=lambda: found.append(read_window(api, WINDOW)))
        thread.start()
        sock, _ = listener.accept()
        with sock:
            assert sock.recv(10)
            api.close()
            thread.join(PATIENCE)
    assert not thread.is_alive()
    assert "closed" in str(found[0].failure)
