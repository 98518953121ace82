"""The connection over all its lives, against the local venue, without the other processes."""

from __future__ import annotations

import select
import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest
from told import check_once, missing, record_of

from qehost.connection import catch_up, link, recovery
from qehost.connection.errands import Errands
from qehost.connection.link import Link
from qehost.connection.stream import Stream
from qehost.control import ConnectionTask
from qehost.logs import LogSettings
from qehost.messages import AnyEvent
from qehost.network.dial import tls_context
from qehost.pipeline import Pipeline
from qehost.records import Record, expand
from qehost.secret import Secret
from qehost.settings import AccountSettings, ConnectionSettings, HostSettings, JournalSettings
from qehost.simulator import Venue
from qehost.simulator.orders import Update

QUICK = {"reconnect_delay": 0.05, "reconnect_max_delay": 0.2}
SECOND = 10**9


class Desk:
    """A `Link` with a loop like the connection process's, and what it told."""

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
        self.errands = Errands()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.errands, selectors.EVENT_READ, self.errands.collect)
        addresses = {"ws_url": venue.ws_url, "rest_url": venue.rest_url}
        credentials = {"api_key": Secret(venue.api_key), "api_secret": Secret(venue.api_secret)}
        self.link = Link(
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
            self.errands,
            self._watch,
            self.selector.unregister,
            last_heard,
        )

    def _take(self, records: Sequence[Record]) -> None:
        self.events += expand(records)

    def _watch(self, stream: Stream) -> None:
        self.selector.register(stream, selectors.EVENT_READ, self.link.receive)

    def until(self, condition: Callable[[], Any], timeout: float = 20) -> Any:
        """Let it run; the first result that is true."""
        deadline = time.monotonic() + timeout
        while not (result := condition()):
            assert time.monotonic() < deadline, self.story()
            wait = min(self.link.next_deadline() - time.monotonic(), 0.02)
            for key, _ in self.selector.select(max(0.0, wait)):
                key.data()
            if self.link.stream is not None and self.link.stream.pending():
                self.link.receive()
            self.link.keep_time(time.monotonic())
        return result

    def run_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end)

    def of(self, *kinds: str) -> list[AnyEvent]:
        return [event for event in self.events if event.kind in kinds]

    def connected(self, times: int = 1) -> None:
        """Until it has connected so often, and the venue knows it."""
        self.until(lambda: len(self.of("connected")) >= times and self.venue.connections)

    def settled(self) -> None:
        """Until everything that is to be read over REST has been read."""
        self.until(lambda: self.link.recovery.next_deadline() == float("inf"))

    def errors(self, code: str = "") -> list[str]:
        return [
            e.message.text for e in self.of("error") if e.message.code == (code or e.message.code)
        ]

    def story(self) -> str:
        return "\n".join(f"{e.seq} {e.kind} {e.origin} {e.message!s:.200}" for e in self.events)

    def has_all(self) -> bool:
        """Whether every state that the venue knows has been told."""
        return not missing(self.venue, map(record_of, self.events))

    def check_once(self) -> None:
        check_once(map(record_of, self.events))

    def close(self) -> None:
        deadline = time.monotonic() + 20
        while self.errands.running:
            assert time.monotonic() < deadline
            select.select([self.errands], [], [], 0.1)
            self.errands.collect()
        self.link.close("the test is over", 2.0)
        self.errands.close()
        self.selector.close()


OpenDesk = Callable[..., Desk]


@pytest.fixture(autouse=True)
def quick_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look at REST, and the next try after a failure, come soon."""
    monkeypatch.setattr(recovery, "SECOND_LOOK", 0.05)
    monkeypatch.setattr(catch_up, "FIRST_DELAY", 0.1)


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
    assert ended.message.up_since < again.message.down_since <= again.message.up_at
    assert any(event.origin == "catch_up" for event in one.events)


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
    one = desk(ping_interval=0.3, pong_timeout=0.3)
    one.connected()
    heard = time.monotonic()
    venue.inject("silence")
    one.until(lambda: one.of("disconnected"))
    assert 0.5 < time.monotonic() - heard < 5
    assert "silent" in one.of("disconnected")[0].message.reason
    one.until(lambda: len(one.of("connected")) == 2)


def test_a_quiet_venue_that_answers_pings_is_not_left(venue, desk):
    one = desk(ping_interval=0.05, pong_timeout=2)
    one.connected()
    one.run_for(0.6)
    assert one.link.intake.last_pong
    assert not one.of("disconnected")


def test_text_heartbeats(venue, desk):
    one = desk(ping_interval=0.05, pong_timeout=2, heartbeat="text")
    one.connected()
    one.until(lambda: one.link.intake.last_pong)
    assert one.link.intake.last_message == 0
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
    venue.inject(fault, 2 if "rest" in fault else 1)
    one = desk(connect_timeout=0.5)
    one.until(lambda: one.errors(code))
    assert words in one.errors(code)[0]
    if fault != "rest-401":  # which keeps its pace slow
        one.connected()
        assert one.of("connected")[0].message.attempt == (1 if "rest" in fault else 2)


def test_a_wrong_address_is_not_hammered(venue, desk):
    one = desk(
        account={"ws_url": f"{venue.ws_url}/nowhere", "listen_key": Secret("0123456789abcdef")},
        reconnect_max_delay=60,
    )
    one.until(lambda: one.errors("handshake"))
    assert "HTTP 404" in one.errors()[0]
    assert one.link.next_deadline() - time.monotonic() > 1


def test_a_venue_that_drops_at_once_is_not_hammered(desk):
    with Venue(faults=["close-at-open=100%"]) as venue:
        one = desk(venue=venue, reconnect_delay=0.1, reconnect_max_delay=60)
        one.run_for(0.6)
        opened = [r for r in venue.requests if r.status == 101]
        assert 1 <= len(opened) < 8
        one.close()


def test_giving_up_when_told_to_and_not_before(venue, desk):
    venue.inject("handshake-500", 1000)
    one = desk(give_up_after=0.6)
    began = time.monotonic()
    one.until(lambda: one.link.gave_up)
    assert time.monotonic() - began >= 0.5
    assert "no connection for 0.6 s" in one.link.gave_up


def test_a_connection_that_hangs_does_not_delay_giving_up(venue, desk):
    venue.inject("handshake-hang", 1000)
    one = desk(give_up_after=0.3, connect_timeout=0.9)
    one.until(lambda: one.link.gave_up)
    assert one.link.next_deadline() < time.monotonic()
    assert one.errands.running


# --- listen keys -------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
def test_a_key_is_renewed_without_a_disconnect_a_loss_or_a_repetition(strict, desk):
    faults = ["expire-key=3s"] if strict else ["expire-key=3s", "keep-old"]
    with Venue(rate=200, faults=faults) as venue:
        one = desk(venue=venue)
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


def test_a_renewal_that_fails_keeps_the_stream_and_is_told_each_time(desk):
    with Venue(faults=["expire-key=3s"]) as venue:
        one = desk(venue=venue)
        one.connected()
        venue.inject("rest-500", 1)
        one.until(lambda: one.errors("listen_key"))
        assert "could not be renewed; the old one is good for" in one.errors()[0]
        one.until(lambda: len([r for r in venue.requests if r.status == 101]) >= 2)
        one.close()


def test_the_end_of_the_old_connection_is_told_if_no_new_one_follows(desk):
    with Venue(faults=["expire-key=3s"]) as venue:
        one = desk(venue=venue)
        one.connected()
        venue.inject("handshake-500", 1)
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
    assert one.link.next_deadline() - time.monotonic() > 10


def keys_made(venue: Venue) -> int:
    return sum(r.path.endswith("/listen-key") and r.status == 200 for r in venue.requests)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("fault", ["close-at-open", "handshake-404"])
def test_a_key_that_may_have_ended_is_replaced_though_nobody_says_so(fault, given, venue, desk):
    keys = {"listen_key": Secret(venue.new_listen_key())} if given else {}
    credentials = {"api_key": Secret(venue.api_key), "api_secret": Secret(venue.api_secret)}
    addresses = {"ws_url": venue.ws_url, "rest_url": venue.rest_url}
    one = desk(account={**addresses, **credentials, **keys})
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
    monkeypatch.setattr(link, "AT_ONCE", 0.0)
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
    assert "Set a new one, or api_key and api_secret" in one.errors("listen_key")[0]
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


def test_a_first_start_reads_nothing(venue, desk):
    venue.step(20)
    one = desk()
    one.connected()
    one.settled()
    assert not one.of("order", "master_order", "error")


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
    one.until(lambda: any(r.path.endswith("/master-orders") for r in venue.requests))
    venue.drop("reset")
    one.connected(2)
    venue.step(50)
    one.until(one.has_all)
    one.settled()
    one.check_once()


def test_events_that_arrive_while_it_is_read(desk):
    with Venue(rate=500) as venue:
        one = desk(venue=venue, last_heard=time.time_ns() - SECOND)
        for times in range(2, 6):
            one.run_for(0.2)
            venue.drop("reset")
            one.connected(times)
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
        assert "this machine's clock is 90.0 s" in caplog.text
        one.close()


def test_messages_that_come_twice_late_torn_up_or_slowly(desk):
    faults = ["duplicate=30%", "reorder=20%", "fragmented=30%", "dribble=1%"]
    with Venue(rate=300, faults=faults) as venue:
        one = desk(venue=venue)
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
    with Venue(rate=200, protocol="mixed") as venue:
        credentials = {"api_key": Secret(venue.api_key), "api_secret": Secret(venue.api_secret)}
        addresses = {"ws_url": venue.ws_url, "rest_url": venue.rest_url}
        one = desk(venue=venue, account={**addresses, **credentials, "protocol": "v1"})
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


def test_a_quiet_stream_does_not_flap(venue, desk):
    one = desk(mute_after=0.1, pong_timeout=0.2)
    one.connected()
    venue.step(10)
    one.until(lambda: len([r for r in venue.requests if r.path.endswith("/order-fills")]) >= 4)
    assert not one.of("disconnected")


def test_an_object_of_rest_that_cant_be_read_does_not_make_a_stream_mute(venue, desk):
    [update] = venue.step()
    subject = msgspec.structs.replace(update.subject, updated_at="n/a")
    venue.publish(Update(subject), push=False)
    one = desk(mute_after=0.1, pong_timeout=0.2, last_heard=time.time_ns() - SECOND)
    one.until(lambda: len([r for r in venue.requests if r.path.endswith("/order-fills")]) >= 4)
    assert len(one.errors("decode")) == 1
    assert not one.of("disconnected")


def test_a_mute_stream_is_cycled_when_rest_knows_more(venue, desk):
    one = desk(mute_after=0.1, pong_timeout=0.2)
    one.connected()
    venue.step(10, push=False)
    one.until(lambda: one.of("disconnected"))
    assert "mute" in one.of("disconnected")[0].message.reason
    one.connected(2)
    one.until(one.has_all)
    one.check_once()


def test_a_stream_that_is_only_slower_than_rest_is_kept(venue, desk):
    one = desk(mute_after=0.1, pong_timeout=0.7)
    one.connected()
    updates = venue.step(10, push=False)
    one.until(lambda: one.of("order"))
    for update in updates:
        venue.publish(update)
    one.run_for(0.9)
    assert not one.of("disconnected")
    one.check_once()
