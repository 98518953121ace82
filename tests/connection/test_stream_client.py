"""The connection over all its lives, against the local venue, without the other processes."""

from __future__ import annotations

import gc
import json
import re
import select
import selectors
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest
from told import check_once, missing, record_of
from waiting import PATIENCE
from websocket import WebSocket

from qehost.config.settings import (
    AccountSettings,
    ConnectionSettings,
    HostSettings,
    JournalSettings,
)
from qehost.connection import (
    baseline,
    catch_up,
    recovery,
    state_machine,
    stream_client,
    window_reader,
)
from qehost.connection.actions import TellError
from qehost.connection.background import BackgroundCalls
from qehost.connection.frames import FrameParser
from qehost.connection.state_machine import State
from qehost.connection.stream import Stream
from qehost.connection.stream_client import StreamClient
from qehost.errors import ConnectError, Error, TransportError
from qehost.events.codec import Record, expand
from qehost.events.pipeline import Pipeline
from qehost.messages import AnyEvent
from qehost.network.backoff import Pace
from qehost.network.dial import tls_context
from qehost.processes.control import ConnectionTask
from qehost.processes.logs import LogSettings
from qehost.rest import Page
from qehost.secret import Secret
from qehost.simulator import Venue
from qehost.simulator.connection import text_frame
from qehost.simulator.orders import OrderUpdate, rfc3339

QUICK = {"reconnect_delay": 0.05, "reconnect_max_delay": 0.2, "mute_after": 0.0}
SECOND = 10**9


class Desk:
    """A `StreamClient` with a loop like the connection process's, and what it told."""

    def __init__(
        self,
        venue: Venue,
        *,
        account: dict[str, Any] | None = None,
        last_heard: int = 0,
        pipeline: Pipeline | None = None,
        **connection: Any,
    ) -> None:
        self.venue = venue
        self.events: list[AnyEvent] = []
        self.background = BackgroundCalls()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.background, selectors.EVENT_READ, self.background.collect)
        addresses = {"ws_url": venue.ws_url, "rest_url": venue.rest_url}
        credentials = {"api_key": Secret(venue.api_key), "api_secret": Secret(venue.api_secret)}
        self.client = StreamClient(
            ConnectionTask(
                "main",
                AccountSettings(**(addresses | (credentials if account is None else account))),
                ConnectionSettings(**(QUICK | connection)),
                JournalSettings(),
                HostSettings(),
                "",
                LogSettings(),
            ),
            tls_context(),
            pipeline or Pipeline("main"),
            self._take,
            self.background,
            self._watch,
            self.selector.unregister,
            last_heard,
        )

    def _take(self, records: Sequence[Record]) -> None:
        self.events += expand(records)

    def _watch(self, stream: Stream) -> None:
        self.selector.register(stream, selectors.EVENT_READ, self.client.receive)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Let it run; the first result that is true."""
        deadline = time.monotonic() + PATIENCE
        while not (result := condition()):
            assert time.monotonic() < deadline, self.story()
            wait = min(self.client.next_deadline() - time.monotonic(), 0.02)
            for key, _ in self.selector.select(max(0.0, wait)):
                key.data()
            if self.client.stream is not None and self.client.stream.pending():
                self.client.receive()
            self.client.keep_time(time.monotonic())
        return result

    def run_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end)

    def of(self, *kinds: str) -> list[AnyEvent]:
        return [event for event in self.events if event.kind in kinds]

    def connected(self, times: int = 1) -> None:
        """Until it has connected so often, and the venue knows it.

        What happens from now on is later than the opening, also by its own measure of the venue's
        clock, which may be ahead by half of a round trip.
        """
        self.until(lambda: len(self.of("connected")) >= times and self.venue.connections)
        up_at = self.of("connected")[-1].message.up_at
        self.until(lambda: not 0 <= up_at - self.venue.now_ms() * 10**6 < 5 * SECOND)

    def settled(self) -> None:
        """Until everything that is to be read over REST has been read."""
        self.until(
            lambda: (
                self.client.recovery.next_deadline() == float("inf") and not self.background.running
            )
        )

    def errors(self, code: str = "") -> list[str]:
        return [
            e.message.text for e in self.of("error") if e.message.code == (code or e.message.code)
        ]

    def story(self) -> str:
        told = [f"{e.seq} {e.kind} {e.origin} {e.message!s:.200}" for e in self.events]
        asked = [f"{each.method} {each.path}" for each in self.venue.requests]
        due = f"due in {self.client.next_deadline() - time.monotonic():.3f} s"
        lacks = missing(self.venue, map(record_of, self.events))
        return "\n".join([*told, *asked[-20:], due, *lacks])

    def has_all(self) -> bool:
        """Whether every state that the venue knows has been told."""
        return not missing(self.venue, map(record_of, self.events))

    def check_once(self) -> None:
        check_once(map(record_of, self.events))

    def close(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.background.running:
            assert time.monotonic() < deadline
            select.select([self.background], [], [], 0.1)
            self.background.collect()
        self.client.close("the test is over", 2.0)
        self.background.close()
        self.selector.close()


OpenDesk = Callable[..., Desk]


@pytest.fixture(autouse=True)
def quick_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look at REST, and the next try after a failure, come soon; the stream is opened
    after the baseline, however long that takes."""
    monkeypatch.setattr(stream_client, "BASELINE_WITHIN", PATIENCE)
    monkeypatch.setattr(recovery, "SECOND_LOOK", 0.05)
    monkeypatch.setattr(catch_up, "FAILED", Pace(0.1, 120.0))


@pytest.fixture
def venue() -> Iterator[Venue]:
    with Venue(seed=3) as running:
        yield running


@pytest.fixture
def desk(venue: Venue) -> Iterator[OpenDesk]:
    desks = []

    def start(**options: Any) -> Desk:
        desks.append(Desk(options.pop("venue", venue), **options))
        return desks[-1]

    yield start
    for each in desks:
        each.close()


# --- any end leads back ------------------------------------------------------------------------

ENDS = ["end", "reset", "torn", "reserved", "opcode", "oversized", "invalid-utf8", "drop"]


@pytest.mark.parametrize("fault", ENDS)
def test_any_end_leads_back_and_what_was_missed_is_read(fault, venue, desk):
    one = desk()
    one.connected()
    venue.step(30)
    one.until(one.has_all)
    venue.inject(fault)
    one.until(lambda: one.of("disconnected"))
    venue.step(30)
    one.connected(2)
    venue.step(10)
    one.until(one.has_all)
    one.settled()
    one.check_once()
    [ended], [_, again] = one.of("disconnected"), one.of("connected")
    assert ended.message.last_heard == again.message.down_since
    # By the venue's time as it was measured then, and then again.
    assert ended.message.up_since < again.message.down_since + SECOND
    assert again.message.down_since <= again.message.up_at + SECOND
    assert any(event.origin == "catch_up" for event in one.events)


@pytest.mark.parametrize("fault", [*ENDS, "handshake-500", "rest-500"])
def test_a_stream_that_has_ended_leaves_nothing_for_the_collector(fault, venue, desk):
    """The collector comes by after many thousand objects, and each stream has a large buffer."""
    gc.collect()
    before = objects_of_a_connection()
    one = desk(connect_timeout=1.0)
    one.connected()
    gc.disable()
    try:
        for times in range(2, 6):
            venue.inject(fault)
            if fault not in ENDS:
                venue.drop("reset")
            one.connected(times)
            one.settled()
        left = objects_of_a_connection() - before
    finally:
        gc.enable()
    # The one that is open; and the last error, which is kept in case it must be told.
    assert left.pop("Stream") == left.pop("FrameParser") == 1
    assert left.total() <= 1, left


def objects_of_a_connection() -> Counter[str]:
    kinds = (Stream, FrameParser, WebSocket, Error)
    return Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds))


@pytest.mark.parametrize("code", [1000, 1011, 4999])
def test_a_close_frame_of_any_code_leads_back(code, venue, desk):
    one = desk()
    one.connected()
    venue.drop("close", code, "for a reason")
    one.connected(2)
    [ended] = one.of("disconnected")
    assert ended.message.code == code
    assert "for a reason" in ended.message.reason


def test_a_silent_venue_is_left_after_ping_interval_and_pong_timeout(venue, desk):
    began = time.monotonic()
    one = desk(ping_interval=0.3, pong_timeout=0.3)
    one.connected()
    venue.inject("silence")
    one.until(lambda: one.of("disconnected"))
    assert time.monotonic() - began > 0.5
    assert "silent" in one.of("disconnected")[0].message.reason
    one.until(lambda: len(one.of("connected")) == 2)


def test_a_quiet_venue_that_answers_pings_is_not_left(venue, desk):
    one = desk(ping_interval=0.05, pong_timeout=5)
    one.connected()
    one.run_for(0.6)
    assert one.client.receiver.last_pong
    assert not one.of("disconnected")


def test_text_heartbeats(venue, desk):
    one = desk(ping_interval=0.05, pong_timeout=5, heartbeat="text")
    one.connected()
    one.until(lambda: one.client.receiver.last_pong)
    assert one.client.receiver.last_message == 0
    assert not one.of("unknown", "error", "disconnected")


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("handshake-500", "handshake", "HTTP 500"),
        ("handshake-hang", "connect", "did not answer"),
        ("handshake-401", "listen_key", "refused the listen key"),
        ("rest-500", "listen_key", "no listen key could be made"),
        ("rest-401", "listen_key", "check api_key, api_secret and rest_url"),
    ],
)
def test_a_refusal_is_told_with_its_reason_and_tried_again(fault, code, words, venue, desk):
    # Until it is told: others may meet it, too, and one that has given up before it is answered.
    venue.inject(fault, 10_000)
    one = desk(connect_timeout=4)
    one.until(lambda: one.errors(code))
    assert words in one.errors(code)[0]
    venue.withdraw(fault)
    if fault != "rest-401":  # which keeps its pace slow
        one.connected()
        assert one.of("connected")[0].message.attempt >= (1 if "rest" in fault else 2)


def test_a_wrong_address_is_not_hammered(venue, desk):
    one = desk(
        account={"ws_url": f"{venue.ws_url}/nowhere", "listen_key": Secret("0123456789abcdef")},
        reconnect_max_delay=60,
    )
    one.until(lambda: one.errors("handshake"))
    assert "HTTP 404" in one.errors()[0]
    assert one.client.next_deadline() - time.monotonic() > 1


def test_a_venue_that_drops_at_once_is_not_hammered(desk):
    with Venue(faults=["close-at-open=100%"]) as venue:
        one = desk(venue=venue, reconnect_delay=0.1, reconnect_max_delay=60)
        opened = lambda: [r for r in venue.requests if r.status == 101]  # noqa: E731
        one.until(opened)
        one.run_for(0.6)
        assert len(opened()) < 8
        one.close()


def test_giving_up_when_told_to_and_not_before(venue, desk):
    venue.inject("handshake-500", 1000)
    one = desk(give_up_after=0.6)
    began = time.monotonic()
    one.until(lambda: one.client.gave_up)
    assert time.monotonic() - began >= 0.5
    assert "no connection for 0.6 s" in one.client.gave_up


def test_a_connection_that_hangs_does_not_delay_giving_up(venue, desk):
    venue.inject("handshake-hang", 1000)
    one = desk(give_up_after=0.3, connect_timeout=5)
    one.until(lambda: one.client.gave_up)
    assert one.background.running, "it hangs"


# --- listen keys -------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
def test_a_key_is_renewed_without_a_disconnect_a_loss_or_a_repetition(strict, desk):
    with Venue(faults=[] if strict else ["keep-old"]) as venue:
        one = desk(venue=venue)
        one.connected()
        venue.rate = 200
        one.until(lambda: len(venue.sent) > 100)
        renew(one)
        made = lambda: [r for r in venue.requests if r.path.endswith("/listen-key")]  # noqa: E731
        one.until(lambda: len(made()) >= 2)
        one.until(lambda: len([r for r in venue.requests if r.status == 101]) >= 2)
        venue.rate = 0
        one.until(one.has_all)
        one.settled()
        one.check_once()
        assert len(one.of("connected")) == 1
        assert not one.of("disconnected", "error")
        one.until(lambda: len(venue.connections) == 1)
        one.close()


def renew(one: Desk) -> None:
    """Now: what is renewed because it ends soon is too late where the machine stands still."""
    keys = one.client.machine.keys
    keys._renew_at = keys._not_before = 0.0


def test_a_key_whose_end_is_told_in_milliseconds_is_renewed_as_well(desk):
    # At half of it: so long may a machine stand still.
    with Venue(faults=["expire-key=20s", "expire-at-ms"]) as venue:
        one = desk(venue=venue)
        one.until(lambda: keys_made(venue) >= 2)
        one.until(lambda: one.client.machine.state is State.UP and not one.background.running)
        assert not one.of("disconnected", "error")
        one.close()


def test_what_lies_on_the_old_connection_is_told_before_what_the_new_one_brings(desk, monkeypatch):
    monkeypatch.setattr(stream_client, "DRAIN_TIME", PATIENCE)
    with Venue(faults=["keep-old"]) as venue:
        one, gate = desk(venue=venue), threading.Event()
        one.connected()
        [old] = venue.connections
        old.then(gate.wait)
        old.send(text_frame(b'{"type":"status","messageId":"1","data":"older"}'))
        renew(one)
        one.until(lambda: one.client.machine.state is State.DRAINING)
        # The old one does not count any more as soon as the venue has read our close frame.
        [new] = one.until(lambda: [each for each in venue.connections if each is not old])
        new.send(text_frame(b'{"type":"status","messageId":"2","data":"newer"}'))
        assert not one.of("status")
        gate.set()
        one.until(lambda: len(one.of("status")) == 2)
        assert [event.message_id for event in one.of("status")] == ["1", "2"]
        assert not one.of("disconnected", "error")
        one.close()


@pytest.mark.parametrize("strict", [True, False])
def test_no_renewal_of_134_ends_with_an_older_state_as_the_last_one_heard(strict, desk):
    with Venue(seed=4, faults=[] if strict else ["keep-old"]) as venue:
        one = desk(venue=venue)
        one.connected()
        keys, machine = one.client.machine.keys, one.client.machine
        for made in range(2, 136):
            renew(one)

            def is_renewed(made: int = made) -> bool:
                if len(venue.sent) < made * 10:
                    venue.step()  # at any moment of the renewal
                is_up = machine.state is State.UP and not one.background.running
                return is_up and keys_made(venue) == made and not keys.making

            one.until(is_renewed)
        one.until(one.has_all)
        one.settled()
        one.check_once()
        pushed = [event.message_id for event in one.events if event.origin == "stream"]
        numbers = [int(each.rpartition("-")[2]) for each in pushed if each]
        assert numbers == sorted(numbers)
        told = [event for event in one.of(*ORDERS) if not event.stale]
        last = {id_of(event.message): event.message.status for event in told}
        history = venue.accounts[0].history
        subjects = history.order_fills({}, None, None) + history.master_orders({}, None, None)
        assert last == {id_of(each): each.status for each in subjects}
        assert not one.of("disconnected", "error")
        one.close()


ORDERS = ("order", "master_order")


def id_of(order: Any) -> str:
    """A child order's, or a master order's."""
    return getattr(order, "order_id", "") or order.master_order_id


def test_what_happened_since_a_new_key_was_made_is_read_though_the_old_connection_lives(
    desk, monkeypatch
):
    """A venue that ends the old key and leaves its connection open, where pings are answered."""
    monkeypatch.setattr(window_reader, "OVERLAP", 1.0)  # for what the clocks differ
    with Venue(faults=["keep-old"]) as venue:
        one = desk(venue=venue, ping_interval=0.05)
        one.connected()
        venue.inject("handshake-500", 15)
        renew(one)
        one.until(lambda: keys_made(venue) == 2)
        venue.step(5, push=False)
        one.until(lambda: len(one.errors("handshake")) == 15)
        one.until(one.has_all)
        one.check_once()
        one.close()


def test_a_renewal_that_fails_keeps_the_stream_and_is_told_each_time(desk):
    with Venue() as venue:
        one = desk(venue=venue)
        one.connected()
        one.settled()
        venue.inject("rest-500", 1)
        renew(one)
        one.until(lambda: one.errors("listen_key"))
        assert "could not be renewed; the old one is good for" in one.errors()[0]
        one.until(lambda: len([r for r in venue.requests if r.status == 101]) >= 2)
        one.close()


def test_the_end_of_the_old_connection_is_told_if_no_new_one_follows(desk):
    with Venue() as venue:
        one = desk(venue=venue)
        one.connected()
        venue.inject("handshake-500", 1)
        renew(one)
        one.until(lambda: one.of("disconnected"))
        one.connected(2)
        assert one.of("disconnected")[0].message.code == 1008
        one.close()


def test_a_takeover_is_recognised_told_and_no_war(venue, desk):
    one = desk()
    one.connected()
    venue.inject("takeover")
    one.connected(2)
    assert "a new one is made" in one.errors("listen_key")[0]
    venue.inject("takeover")
    one.until(lambda: len(one.errors("listen_key")) == 2)
    assert "another program makes listen keys with the same user" in one.errors("listen_key")[1]
    assert one.client.next_deadline() - time.monotonic() > 10


def keys_made(venue: Venue) -> int:
    seen = list(venue.requests)  # more may come meanwhile
    return sum(r.path.endswith("/listen-key") and r.status == 200 for r in seen)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("fault", ["close-at-open", "handshake-404"])
def test_a_key_that_may_have_ended_is_replaced_though_nobody_says_so(fault, given, venue, desk):
    keys = {"listen_key": Secret(venue.new_listen_key())} if given else {}
    credentials = {"api_key": Secret(venue.api_key), "api_secret": Secret(venue.api_secret)}
    addresses = {"ws_url": venue.ws_url, "rest_url": venue.rest_url}
    one = desk(account={**addresses, **credentials, **keys, "replace_listen_key": True})
    one.connected()
    made = keys_made(venue)
    venue.inject(fault, 4)
    venue.drop("reset")
    one.until(lambda: keys_made(venue) == made + 1)
    one.connected(2)
    venue.step(5)
    one.until(one.has_all)
    one.settled()
    assert keys_made(venue) == made + 1  # and then not for a while
    one.check_once()


def test_a_quiet_stream_that_the_venue_closes_now_and_then_keeps_its_key(venue, desk, monkeypatch):
    monkeypatch.setattr(state_machine, "SHORT_LIFE", 0.0)
    one = desk()
    one.connected()
    for times in (2, 3, 4):
        venue.drop("close")
        one.connected(times)
    assert keys_made(venue) == 1


def test_a_given_key_is_used_as_it_is_and_its_end_is_told(venue, desk, caplog):
    key = venue.new_listen_key()
    one = desk(account={"ws_url": venue.ws_url, "listen_key": Secret(key)})
    assert "can't be renewed" in caplog.text
    one.connected()
    venue.new_listen_key()
    one.until(lambda: one.errors("listen_key"))
    assert "Set a new one, or replace_listen_key and api_key" in one.errors("listen_key")[0]
    assert key not in one.story() + caplog.text


# --- what the stream did not bring -------------------------------------------------------------


def test_what_happened_since_an_earlier_run_is_read_at_the_start(venue, desk):
    venue.step(20)
    since = time.time_ns() - 5 * SECOND
    one = desk(last_heard=since)
    one.connected()
    one.until(one.has_all)
    assert one.of("connected")[0].message.down_since == since
    assert {event.origin for event in one.of("order")} == {"catch_up"}


# --- the first start ---------------------------------------------------------------------------


def child(filled: float, **fields: str) -> str:
    """A child order of which so much is filled, as the venue pushes it."""
    state = {"id": "77", "orderId": "x77", "masterOrderId": "mo_1", "quantity": "100"}
    state |= {"status": "PLACED", "filledQuantity": f"{filled}", "averagePrice": "3"}
    data = json.dumps(state | fields)
    return json.dumps({"type": "order_data", "messageId": f"m{filled}", "data": data})


def fills(one: Desk) -> list[float]:
    return [event.message.filled_qty for event in one.of("fill")]


def test_what_was_filled_before_a_first_start_is_a_baseline_told_before_the_stream_opens(
    venue, desk
):
    venue.step(400)
    # A time in whole seconds may be of any moment of its second.
    venue.inject("clock-step=+2s")
    history = venue.accounts[0].history
    running = {
        each.master_order_id for each in history.master_orders({"status": "NEW"}, None, None)
    }
    placed = {
        each.order_id
        for each in history.order_fills({}, None, None)
        if each.status not in ("FILLED", "CANCELLED", "REJECTED")
    }
    one = desk()
    one.connected()
    one.settled()
    first = [event.kind for event in one.events].index("connected")
    told = one.events[:first]
    assert {event.origin for event in told} == {"baseline"}
    assert {id_of(e.message) for e in told if e.kind == "master_order"} == running
    assert {id_of(e.message) for e in told if e.kind == "order"} == placed
    assert not one.of("fill", "error")
    assert one.of("connected")[0].message.down_since == 0
    venue.step(200)
    one.until(lambda: not unfinished_by(one, venue))
    one.check_once()
    assert one.of("fill")


def unfinished_by(one: Desk, venue: Venue) -> list[str]:
    """The orders that have a later state than was told, of those that were told at all."""
    told = {id_of(event.message) for event in one.of(*ORDERS)}
    late = missing(venue, map(record_of, one.events))
    return [each for each in late if each.partition(" ")[0] in told]


def test_60_are_filled_then_65_are_pushed_rest_says_70_and_75_are_pushed(venue, desk, monkeypatch):
    """The true sum of the fills is 15."""
    steps = [60.0, 70.0]

    def order_fill_pages(*_: Any, **__: Any) -> Iterator[Page]:
        filled = steps[0] if len(steps) == 1 else steps.pop(0)
        item = json.loads(json.loads(child(filled))["data"])
        return iter([Page([item], [json.dumps(item)], 1, 1, 100)])

    def master_order_pages(*_: Any, **filters: Any) -> Iterator[Page]:
        item = {"masterOrderId": "mo_1", "status": "PROCESSING"}
        items = [item] if filters.get("status") == "NEW" else []
        return iter([Page(items, [json.dumps(each) for each in items], 1, 1, 100)])

    gate = threading.Event()
    read_window = recovery.read_window
    monkeypatch.setattr(recovery, "read_window", lambda *args: gate.wait() and read_window(*args))
    one = desk()
    monkeypatch.setattr(one.client.api, "order_fill_pages", order_fill_pages)
    monkeypatch.setattr(one.client.api, "master_order_pages", master_order_pages)
    one.connected()
    venue.push(child(65))
    one.until(lambda: fills(one) == [5])
    gate.set()
    one.until(lambda: fills(one) == [5, 5])
    venue.push(child(75))
    one.until(lambda: fills(one) == [5, 5, 5])
    one.settled()
    assert sum(fills(one)) == 15
    assert not one.errors()


def test_what_happened_between_the_baseline_and_the_opening_is_caught_up(venue, desk, monkeypatch):
    venue.step(40)
    opened = stream_client.open_stream

    def open_stream(*args: Any, **options: Any) -> Stream:
        venue.step(40, push=False)
        return opened(*args, **options)

    monkeypatch.setattr(stream_client, "open_stream", open_stream)
    one = desk()
    one.connected()
    one.until(lambda: not unfinished_by(one, venue))
    one.settled()
    assert any(event.origin == "catch_up" for event in one.of("order"))
    assert one.of("fill")
    one.check_once()
    assert not one.errors()


def test_a_venue_whose_lists_do_not_answer_gets_its_stream_opened_and_the_baseline_read_later(
    venue, desk, monkeypatch
):
    monkeypatch.setattr(stream_client, "BASELINE_WITHIN", 5.0)
    gate = threading.Event()
    read = baseline.read_baseline
    failing = [TransportError("no answer")]

    def read_baseline(api: Any) -> Any:
        if failing:
            raise failing.pop()
        gate.wait()
        return read(api)

    monkeypatch.setattr(baseline, "read_baseline", read_baseline)
    venue.step(100)
    one = desk()
    one.connected()
    [told] = one.errors("gap")[:1]
    assert "how the orders stood before the stream was opened could not be read yet" in told
    assert "no answer" in told
    venue.push(child(60))
    one.until(lambda: one.of("order"))
    gate.set()
    one.until(lambda: any(event.origin == "baseline" for event in one.events))
    venue.push(child(65))
    one.until(lambda: fills(one) == [5])
    one.settled()
    assert sum(fills(one)) == 5
    assert any("made before they were listened to" in each for each in one.errors("gap"))


def test_without_credentials_what_is_older_than_the_opening_is_a_state_and_one_gap(venue, desk):
    account = {"ws_url": venue.ws_url, "rest_url": venue.rest_url}
    one = desk(account=account | {"listen_key": Secret(venue.new_listen_key())})
    one.connected()
    one.settled()
    old, new = (
        {"createdAt": rfc3339(venue.now_ms() + ms), "updatedAt": rfc3339(venue.now_ms() + ms)}
        for ms in (-3_600_000, 5_000)
    )
    venue.push(child(60, **old))
    venue.push(child(65, **old))
    venue.push(child(7, id="78", orderId="x78", **new))
    venue.push(child(9, id="79", orderId="x79", **old))
    one.until(lambda: len(one.of("order")) == 4)
    assert fills(one) == [5, 7]
    [told] = one.errors("gap")
    assert "x77" in told


@pytest.mark.parametrize("offset", [3600, -3600])
def test_without_credentials_the_venue_s_clock_says_what_is_older(offset, desk):
    with Venue(faults=[f"clock={offset:+}s"]) as venue:
        account = {"ws_url": venue.ws_url, "rest_url": venue.rest_url}
        one = desk(venue=venue, account=account | {"listen_key": Secret(venue.new_listen_key())})
        one.connected()
        one.settled()
        new, old = (rfc3339(venue.now_ms() + ms) for ms in (5_000, -600_000))
        venue.push(child(7, createdAt=new, updatedAt=new))
        venue.push(child(9, id="79", orderId="x79", createdAt=old, updatedAt=new))
        one.until(lambda: len(one.of("order")) == 2)
        assert fills(one) == [7]
        one.close()


def test_what_a_first_start_costs(venue, desk):
    """Beside the listen key: the venue's time, a page of running master orders, a page of the child
    orders of each, and twice what is read after any gap."""
    venue.step(40)
    running = venue.accounts[0].history.master_orders({"status": "NEW"}, None, None)
    one = desk()
    one.connected()
    one.settled()
    asked = [seen.path.rpartition("/")[2] for seen in list(venue.requests) if seen.status == 200]
    asked.remove("listen-key")
    # The clock is measured once for all that are made at the same time, or each by itself.
    lists = [each for each in asked if each != "timestamp"]
    first = ["master-orders", *["order-fills"] * len(running)]
    after_a_gap = ["master-orders", "master-orders", "order-fills"]
    assert lists == first + 2 * after_a_gap
    assert asked.count("timestamp") <= 5


def test_a_start_after_a_very_long_time_says_what_it_does_not_read(venue, desk):
    one = desk(last_heard=time.time_ns() - 30 * 86_400 * SECOND)
    one.until(lambda: one.errors("gap"))
    assert "too long ago" in one.errors("gap")[0]
    one.settled()


def test_a_gap_without_credentials_is_told(venue, desk):
    account = {"ws_url": venue.ws_url, "listen_key": Secret(venue.new_listen_key())}
    one = desk(account=account, catch_up_interval=0.1, mute_after=0.1)
    one.connected()
    one.run_for(0.4)
    assert not one.errors()
    venue.drop()
    one.connected(2)
    [told] = one.errors("gap")
    assert "without credentials it can't be read again" in told


def test_what_only_rest_knows_is_found_by_comparing(venue, desk):
    one = desk(catch_up_interval=0.2)
    one.connected()
    venue.step(20, push=False)
    one.until(one.has_all)
    assert not one.of("disconnected")
    one.check_once()


def test_catching_up_goes_on_until_rest_answers(venue, desk):
    one = desk()
    one.connected()
    venue.step(10)
    venue.drop()
    one.until(lambda: one.of("disconnected"))
    venue.step(10)
    venue.inject("rest-500", 3)
    one.connected(2)
    one.until(one.has_all)
    one.check_once()


def test_a_gap_that_could_be_read_later_is_told_and_is_no_warning_any_more(venue, desk):
    one = desk()
    notices = one.client.pipeline.notices
    one.connected()
    one.settled()
    venue.drop()
    one.until(lambda: one.of("disconnected"))
    venue.inject("rest-500", 10_000)
    one.until(lambda: one.errors("gap"))
    assert notices.last_gap is not None
    venue.withdraw("rest-500")
    one.until(lambda: notices.last_gap is None)
    assert notices.counts.gaps == len(one.errors("gap"))


def test_a_failure_half_way_through_the_pages_loses_and_repeats_nothing(venue, desk):
    one = desk(last_heard=time.time_ns() - SECOND)
    venue.step(700)
    pages: list[int] = []

    def second_page_read() -> bool:
        pages[:] = [1 for r in venue.requests if r.path.endswith("/order-fills")]
        return len(pages) >= 1

    one.until(second_page_read)
    venue.inject("rest-500", 3)
    one.until(one.has_all)
    one.check_once()


def test_a_drop_while_catching_up(venue, desk):
    one = desk(last_heard=time.time_ns() - SECOND)
    venue.step(700)
    one.until(
        lambda: venue.connections and any(r.path.endswith("/master-orders") for r in venue.requests)
    )
    venue.drop("reset")
    one.connected(2)
    venue.step(50)
    one.until(one.has_all)
    one.settled()
    one.check_once()


def test_events_that_arrive_while_it_is_read(desk):
    with Venue(rate=500) as venue:
        one = desk(venue=venue, last_heard=time.time_ns() - SECOND)
        for times in range(1, 5):
            one.connected(times)
            one.run_for(0.2)
            venue.drop("reset")
        one.connected(5)
        venue.rate = 0
        one.until(one.has_all)
        one.settled()
        one.check_once()
        one.close()


@pytest.mark.parametrize("offset", ["+90s", "-90s"])
def test_a_clock_that_is_off_is_measured_and_applied(offset, desk, caplog):
    with Venue(faults=[f"clock={offset}"]) as venue:
        one = desk(venue=venue)
        one.connected()
        venue.step(10)
        venue.drop()
        one.until(lambda: one.of("disconnected"))
        venue.step(10)
        one.connected(2)
        one.until(one.has_all)
        one.check_once()
        # As exactly as half of a round trip, which may take long.
        side = "behind" if offset[0] == "+" else "ahead of"
        assert re.search(rf"this machine's clock is [89]\d\.\d s {side}", caplog.text)
        one.close()


@pytest.mark.parametrize("whose", ["this machine's", "the venue's"])
@pytest.mark.parametrize("step", [-86_400, -180, -100, 100, 180, 86_400])
def test_what_was_missed_is_read_though_a_clock_was_set_meanwhile(step, whose, desk, monkeypatch):
    texts: list[str] = []

    def read_window(*args: Any) -> catch_up.ReadResult:
        found = window_reader.read_window(*args)
        texts.extend(found.master_orders + found.orders)
        return found

    monkeypatch.setattr(recovery, "read_window", read_window)
    steps = {"this machine's": 0.0, "the venue's": 0.0}
    with Venue(seed=3, clock=lambda: time.time() + steps["the venue's"]) as venue:
        one = desk(venue=venue)
        one.client.api.venue_clock._clock = lambda: time.time() + steps["this machine's"]
        one.connected()
        venue.step(20)
        one.until(one.has_all)
        one.settled()
        venue.drop()
        one.until(lambda: one.of("disconnected"))
        missed = venue.step(10, push=False)
        steps[whose] = step
        missed += venue.step(10, push=False)
        one.connected(2)
        ids = {
            getattr(update.subject, "order_id", "") or update.subject.master_order_id
            for update in missed
        }
        one.until(lambda: all(any(each in text for text in texts) for each in ids))
        one.settled()
        assert not one.errors("gap")
        one.check_once()
        if step > 0 or whose == "this machine's":
            one.until(one.has_all)
        one.close()


@pytest.mark.parametrize("time_filter", ["updated", "created"])
def test_old_orders_that_change_in_a_gap_are_read_whatever_the_venue_filters_by(
    time_filter, desk, monkeypatch
):
    # What was created before the gap is older than what the lists reach back to.
    for name in ("ORDER_LIFE", "MASTER_ORDER_LIFE"):
        monkeypatch.setattr(window_reader, name, 0.0)
    monkeypatch.setattr(window_reader, "OVERLAP", 1.0)  # for what the clocks differ
    with Venue(seed=3, time_filter=time_filter) as venue:
        one = desk(venue=venue, ping_interval=0.05)
        one.connected()
        venue.step(40)
        one.until(one.has_all)
        one.run_for(1.5)
        venue.drop()
        one.until(lambda: one.of("disconnected"))
        venue.step(60, push=False)
        one.connected(2)
        one.until(one.has_all)
        one.settled()
        assert not one.errors("gap")
        one.check_once()
        one.close()


def test_open_orders_that_the_venue_does_not_know_any_more_are_named_once(venue, desk):
    one = desk()
    one.connected()
    order = {
        "id": "77",
        "masterOrderId": "mo_gone",
        "orderId": "5",
        "status": "PLACED",
        "quantity": "2",
        "filledQuantity": "1",
        "averagePrice": "3",
        "updatedAt": "2026-11-25T02:01:00Z",
    }
    venue.push(json.dumps({"type": "order_data", "messageId": "1", "data": json.dumps(order)}))
    one.until(lambda: one.of("order"))
    for times in (2, 3):
        venue.drop()
        one.connected(times)
        one.until(lambda: one.errors("gap"))
        one.settled()
    [told] = one.errors("gap")
    assert "order 5 of master order mo_gone" in told


def test_a_gap_of_a_process_whose_clock_was_wrong_is_made_a_day_wide_and_told(venue, desk):
    venue.step(20)
    one = desk(last_heard=time.time_ns() + 3600 * SECOND)
    one.connected()
    one.until(one.has_all)
    assert "so a clock was wrong" in one.errors("gap")[0]


def test_messages_that_come_twice_late_torn_up_or_slowly(desk):
    faults = ["duplicate=30%", "reorder=20%", "fragmented=30%", "dribble=1%"]
    with Venue(faults=faults) as venue:
        one = desk(venue=venue)
        one.connected()
        one.settled()  # REST would tell again what was overtaken
        venue.rate = 300
        one.until(lambda: len(one.of("order")) > 60)
        venue.rate = 0
        one.until(
            lambda: (
                len({s.message_id for s in venue.sent if s.reached})
                <= len([e for e in one.events if e.origin == "stream" and e.message_id])
            )
        )
        one.check_once()
        one.close()


def test_v1_and_v2_at_once(desk):
    with Venue(protocol="mixed") as venue:
        credentials = {"api_key": Secret(venue.api_key), "api_secret": Secret(venue.api_secret)}
        addresses = {"ws_url": venue.ws_url, "rest_url": venue.rest_url}
        one = desk(venue=venue, account={**addresses, **credentials, "protocol": "v1"})
        one.connected()
        venue.rate = 200
        one.until(lambda: len(one.of("fill")) > 10)
        venue.drop()
        one.connected(2)
        one.until(lambda: len(one.of("fill")) > 30)
        venue.rate = 0
        one.until(one.has_all)
        one.settled()
        one.check_once()
        one.close()


def test_a_stream_that_begins_after_its_handshake_misses_nothing(venue, desk):
    one = desk()
    one.connected()
    venue.drop()
    one.connected(2)
    one.until(lambda: [r for r in venue.requests if r.path.endswith("/order-fills")])
    venue.step(5, push=False)
    one.until(one.has_all)
    one.settled()
    assert not one.errors()


# --- a stream that is mute ---------------------------------------------------------------------


def read_after_the_opening(one: Desk) -> None:
    """Until REST was read twice: what it knows from then on is held against the stream."""
    lists = lambda: [r for r in list(one.venue.requests) if r.path.endswith("/order-fills")]  # noqa: E731
    one.until(lambda: len(lists()) >= 2 and not one.background.running)


def test_a_quiet_stream_does_not_flap(venue, desk):
    one = desk(mute_after=0.1, pong_timeout=3)
    one.connected()
    venue.step(10)
    one.until(lambda: len([r for r in venue.requests if r.path.endswith("/order-fills")]) >= 4)
    assert not one.of("disconnected")


def test_an_object_of_rest_that_cant_be_read_does_not_make_a_stream_mute(venue, desk):
    [update] = venue.step()
    subject = msgspec.structs.replace(update.subject, updated_at="n/a")
    venue.publish(OrderUpdate(subject), push=False)
    one = desk(mute_after=0.1, pong_timeout=3, last_heard=time.time_ns() - SECOND)
    one.until(lambda: len([r for r in venue.requests if r.path.endswith("/order-fills")]) >= 4)
    assert len(one.errors("decode")) == 1
    assert not one.of("disconnected")


def test_a_stream_that_becomes_mute_is_found_at_the_price_of_four_calls_each_time(venue, desk):
    one = desk(mute_after=0.5, pong_timeout=3)
    one.connected()
    venue.step(10)
    one.until(one.has_all)

    def readings() -> list[str]:
        """What was asked each time, without what is asked at a start."""
        asked = [r.path.rpartition("/")[2] for r in list(venue.requests) if r.status == 200]
        return " ".join(asked).split("timestamp")[5:-1]

    one.until(lambda: len(readings()) >= 2)
    assert {each.strip() for each in readings()} == {"master-orders master-orders order-fills"}
    venue.inject("mute")
    venue.step(10)
    one.until(lambda: one.of("disconnected"))
    assert "the stream is mute" in one.of("disconnected")[0].message.reason
    one.connected(2)
    one.until(one.has_all)
    one.check_once()


def test_a_mute_stream_is_cycled_when_rest_knows_more(venue, desk):
    one = desk(mute_after=0.1, pong_timeout=3)
    one.connected()
    read_after_the_opening(one)
    venue.step(10, push=False)
    one.until(lambda: one.of("disconnected"))
    assert "mute" in one.of("disconnected")[0].message.reason
    one.connected(2)
    one.until(one.has_all)
    one.check_once()


def test_a_stream_that_is_only_slower_than_rest_is_kept(venue, desk):
    # For so long it may be slower.
    one = desk(mute_after=0.1, pong_timeout=10)
    one.connected()
    read_after_the_opening(one)
    updates = venue.step(10, push=False)
    one.until(lambda: one.of("order"))
    for update in updates:
        venue.publish(update)
    one.run_for(10.5)
    assert not one.of("disconnected")
    one.check_once()


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("it is gone", "it is gone. Trying again"),
        ("is it up?", "is it up? Trying again"),
        ("it went.", "it went. Trying again"),
    ],
)
def test_what_comes_next_is_a_sentence_of_its_own(text, whole, desk, venue, caplog):
    one = desk()
    one.client._do(TellError(ConnectError(text), "Trying again"), 0.0)
    assert whole in caplog.text
