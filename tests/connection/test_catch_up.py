"""Reading again what the stream may not have brought."""

from __future__ import annotations

import json
import random
import socket
import threading
import time

import pytest

from qehost.connection.catch_up import CatchUp, Found, Read, Wait, Window, read_window
from qehost.errors import APIError, GapError, IncompleteList, TransportError
from qehost.messages import ErrorEvent, OrderEvent
from qehost.pipeline import Pipeline, arranged
from qehost.rest import API, Page, Retries
from qehost.rest.http import Reply
from qehost.rest.replies import read
from qehost.simulator import Venue

SECOND = 10**9
SINCE = 1_783_071_999 * SECOND  # 2026-07-03 09:46:39 UTC
WINDOW = Window(SINCE, SINCE + 33 * SECOND)
NEVER = float("inf")


@pytest.fixture
def catch_up():
    return CatchUp(can_read=True, rng=random.Random(1))


def failed(window=WINDOW, failure=None, where="order fills"):
    return Found(window, ["{}"], [], failure or TransportError("no answer"), where)


# --- which windows -----------------------------------------------------------------------------


def test_nothing_is_read_without_a_gap(catch_up):
    assert catch_up.next(0) == Wait(NEVER)


def test_a_gap_is_read_at_once_and_once(catch_up):
    assert catch_up.add(WINDOW.since, WINDOW.until) is None
    assert catch_up.next(0) == Read(WINDOW)
    assert catch_up.next(0) == Wait(NEVER)
    assert catch_up.done(Found(WINDOW, ["{}"], []), 1) is None
    assert catch_up.next(1) == Wait(NEVER)


def test_a_start_without_memory_is_no_gap(catch_up):
    assert catch_up.add(0, WINDOW.until) is None
    assert catch_up.next(0) == Wait(NEVER)


def test_a_gap_that_comes_while_another_is_read_is_read_after_it(catch_up):
    catch_up.add(1, 2)
    assert catch_up.next(0) == Read(Window(1, 2))
    catch_up.add(5, 6)
    catch_up.add(8, 9)
    assert catch_up.next(0) == Wait(NEVER)
    catch_up.done(Found(Window(1, 2), [], []), 1)
    assert catch_up.next(1) == Read(Window(5, 9))


def test_a_failure_is_told_each_time_and_the_window_tried_again(catch_up):
    catch_up.add(WINDOW.since, WINDOW.until)
    now = 0.0
    for _ in range(10):
        assert catch_up.next(now) == Read(WINDOW)
        error = catch_up.done(failed(), now)
        assert isinstance(error, GapError)
        assert "from 2026-07-03 09:46:39 to 09:47:12 UTC" in str(error)
        assert "order fills: no answer" in str(error)
        assert "1 objects were read" in str(error)
        step = catch_up.next(now)
        assert 1 <= step.until - now <= 120
        now = step.until
    # A new gap in the meantime is read with it, and one success ends it.
    catch_up.add(WINDOW.until + 1, WINDOW.until + 2)
    step = catch_up.next(now)
    assert step == Read(Window(WINDOW.since, WINDOW.until + 2))
    assert catch_up.done(Found(step.window, [], []), now) is None
    assert catch_up.next(now) == Wait(NEVER)


def test_a_wait_that_the_venue_asks_for_is_kept(catch_up):
    busy = APIError(429, "BUSY", "slow down")
    busy.retry_after = 300.0
    catch_up.add(1, 2)
    catch_up.next(0)
    catch_up.done(failed(failure=busy), 0)
    assert catch_up.next(0) == Wait(300.0)


def test_refused_credentials_are_tried_slowly(catch_up):
    refused = APIError(401, "API_KEY_INVALID", "no such key")
    refused.status_code = 401
    catch_up.add(1, 2)
    catch_up.next(0)
    assert "API_KEY_INVALID" in str(catch_up.done(failed(failure=refused), 0))
    assert catch_up.next(0).until >= 30


def test_an_error_of_unknown_origin_is_named_without_its_text(catch_up):
    catch_up.add(1, 2)
    catch_up.next(0)
    text = str(catch_up.done(failed(failure=RuntimeError("a secret")), 0))
    assert "RuntimeError" in text
    assert "a secret" not in text


def test_more_than_can_be_read_is_told_and_not_tried_again(catch_up):
    catch_up.add(1, 2)
    catch_up.next(0)
    error = catch_up.done(Found(WINDOW, [], ["{}"] * 3, beyond="order fills"), 0)
    assert "200 pages of order fills" in str(error)
    assert catch_up.next(0) == Wait(NEVER)


def test_a_list_that_came_in_part_is_told_and_not_tried_again(catch_up):
    catch_up.add(1, 2)
    catch_up.next(0)
    error = catch_up.done(Found(WINDOW, [], ["{}"] * 3, short="order fills"), 0)
    assert isinstance(error, GapError)
    assert "in part only: the venue counts more order fills than it gave. 3 objects" in str(error)
    assert catch_up.next(0) == Wait(NEVER)


def test_without_credentials_a_gap_is_told_with_the_way_to_mend_it():
    catch_up = CatchUp(can_read=False)
    error = catch_up.add(WINDOW.since, WINDOW.until)
    assert isinstance(error, GapError)
    assert "QEHOST_API_KEY" in str(error)
    assert "2026-07-03 09:46:39" in str(error)
    assert catch_up.next(0) == Wait(NEVER)


def test_a_window_over_midnight_shows_both_days():
    assert str(Window(0, 86_400 * SECOND)) == "1970-01-01 00:00:00 to 1970-01-02 00:00:00 UTC"


# --- what is read ------------------------------------------------------------------------------


class FakeAPI(API):
    """Lists from memory, in place of the venue's."""

    def __init__(self, lists, offset=0.0):
        super().__init__("key", "secret")
        self.lists = lists
        self.asked = []
        self.offset = offset

    def clock_offset(self):
        return self.offset

    def _list(self, name, filters):
        self.asked.append((name, filters))
        for number, items in enumerate(self.lists[name]):
            if isinstance(items, Exception):
                raise items
            if number == filters["max_pages"]:
                raise IncompleteList("", too_long=True)
            yield Page(items, [json.dumps(item) for item in items], 0, 1, 100)

    def master_order_pages(self, **filters):
        return self._list(filters["status"], filters)

    def order_fill_pages(self, **filters):
        return self._list("fills", filters)


class ScriptedAPI(API):
    """Every list has one page, for which the venue sends `body`."""

    def __init__(self, body):
        super().__init__("key", "secret")
        self._calls.call = lambda *_, **__: read(Reply(200, {}, body.encode()))
        self._calls.clock.now_ms = lambda: 0


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


def test_the_venue_s_clock_counts():
    api = FakeAPI({"NEW": [[at(930), at(945)]], "COMPLETED": [], "fills": []}, offset=1000.0)
    assert read_window(api, WINDOW).master_orders == [json.dumps(at(945))]
    until = api.asked[2][1]["end_time"].timestamp()
    assert until == WINDOW.until / SECOND + 1000 + 60


def test_orders_that_began_long_before_the_window_are_asked_for():
    api = FakeAPI({"NEW": [], "COMPLETED": [], "fills": []})
    read_window(api, WINDOW)
    running, ended, fills = (filters for _, filters in api.asked)
    assert "start_time" not in running
    assert ended["start_time"].timestamp() <= SINCE / SECOND - 86_400
    assert fills["start_time"].timestamp() <= SINCE / SECOND - 600


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
    events = Pipeline("main").catch_up(arranged([], found.orders), 1)
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
        api = API(
            venue.api_key, venue.api_secret, venue.rest_url, retries=Retries(attempts=1), timeout=5
        )
        api.ping()
    found = read_window(api, WINDOW)
    api.close()
    assert isinstance(found.failure, TransportError)
    assert found.where == "running master orders"


def test_closing_the_api_ends_a_read_that_is_under_way():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        api = API("key", "secret", f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60)
        found = []
        thread = threading.Thread(target=lambda: found.append(read_window(api, WINDOW)))
        thread.start()
        sock, _ = listener.accept()
        with sock:
            assert sock.recv(10)
            api.close()
            thread.join(30)
    assert not thread.is_alive()
    assert "closed" in str(found[0].failure)
