"""The connection of the real `qehost run`, through everything that may happen to it.

Tests that need nothing of their own share one run, whose connection each of them breaks once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from frames import Frames
from gates import Certificates, ConnectProxy, SocksProxy, TlsFront
from running import QUICK, Record, Run
from told import check_once, missing, unfilled
from websocket import ABNF

from qehost.simulator import Venue
from qehost.simulator.connection import frame

# Where a venue is to be silent.  Any other one is left time: its threads are those of the tests.
IMPATIENT = {"connection.ping_interval": 1.0, "connection.pong_timeout": 4.0}
PATIENT = {"connection.ping_interval": 1.0, "connection.pong_timeout": 60.0}
TEXT_HEARTBEAT = {"connection.ping_interval": 0.5, "connection.pong_timeout": 12.0}


class Pair:
    """A venue and a run that are connected."""

    def __init__(self, venue: Venue, run: Run) -> None:
        self.venue = venue
        self.run = run

    def connected(self) -> list[Record]:
        """Each connection that was told; one that is told again after a death counts once."""
        return list({each["seq"]: each for each in self.run.records("on_connected")}.values())

    def connections(self) -> int:
        return len(self.connected())

    def wait_connected(self, times: int) -> None:
        """Until it has connected so often, and the venue reaches it."""
        self.run.wait_for_connections(times)
        self.venue.wait_connected()

    def ends(self) -> int:
        return len(self.run.records("on_disconnected"))

    def wait_ended(self, known: int, code: int, words: str) -> tuple[Record, Record]:
        """Such an end after those that were known, and the connection after it: a slow machine
        may bring others."""

        def end_and_connection() -> tuple[Record, Record] | None:
            for end in self.run.records("on_disconnected")[known:]:
                later = [each for each in self.connected() if each["seq"] > end["seq"]]
                if end["message"]["code"] == code and words in end["reason"] and later:
                    return end, later[0]
            return None

        found = self.run.wait_for(end_and_connection, f"an end with {code} and {words!r}")
        assert found is not None
        self.venue.wait_connected()
        return found

    def wait_read(self) -> None:
        """Until REST was read after the opening, and once more a while later."""

        def lists() -> list[str]:
            return [r.path for r in list(self.venue.requests) if r.path.endswith("/order-fills")]

        self.run.wait_for(lambda: len(lists()) >= 2, "both readings after the opening")

    def wait_for_all(self, *, without_filled: bool = False) -> None:
        """Until every order's last state has been told, and its fills; see `missing`."""

        def all_told() -> bool:
            records = self.run.records()
            states = missing(self.venue, records, without_filled=without_filled)
            return not states and not unfilled(records)

        self.run.wait_for(all_told, "all states and fills")


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with (
        Venue(seed=11) as venue,
        Run(
            tmp_path_factory.mktemp("shared"),
            venue=venue,
            settings={**QUICK, **PATIENT, "connection.connect_timeout": 4.0},
        ) as run,
    ):
        yield Pair(venue, run)


@pytest.fixture
def shared(_shared: Pair) -> Iterator[Pair]:
    """Connected before; after it, whatever happened, everything is there, and nothing twice."""
    _shared.wait_connected(1)
    _shared.venue.step(5)
    _shared.wait_for_all()
    yield _shared
    _shared.wait_for_all()
    check_once(_shared.run.records())


# --- ends --------------------------------------------------------------------------------------

ENDS = {
    "drop": (1001, "closed the connection with code 1001"),
    "end": (1006, "without a close frame"),
    "reset": (1006, "reset"),
    "torn": (1006, "without a close frame"),
    "reserved": (1002, "reserved"),
    "opcode": (1002, "opcode"),
    "oversized": (1009, "max_message"),
    "invalid-utf8": (1007, "UTF-8"),
}


def assert_leads_back(pair: Pair, fault: str, code: int, words: str) -> None:
    known = pair.ends()
    pair.venue.inject(fault)
    pair.venue.step(10)
    ended, again = pair.wait_ended(known, code, words)
    pair.venue.step(10)
    pair.wait_for_all()
    assert ended["message"]["last_heard"] == again["message"]["down_since"]
    assert again["message"]["down_since"] < again["message"]["up_at"]


@pytest.mark.parametrize("fault", ENDS)
def test_any_end_leads_back_with_what_was_missed(fault: str, shared: Pair) -> None:
    assert_leads_back(shared, fault, *ENDS[fault])


def test_a_venue_that_falls_silent_is_left_and_what_was_missed_is_read(tmp_path: Path) -> None:
    with Venue() as venue, Run(tmp_path, venue=venue, settings={**QUICK, **IMPATIENT}) as run:
        pair = Pair(venue, run)
        pair.wait_connected(1)
        assert_leads_back(pair, "silence", 1006, "silent")
        check_once(run.records())


@pytest.mark.parametrize("code", [1000, 1011, 1012, 4321])
def test_a_close_frame_of_any_code_leads_back(code: int, shared: Pair) -> None:
    known = shared.ends()
    shared.venue.drop("close", code, "maintenance")
    shared.wait_ended(known, code, "maintenance")


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("handshake-500", "HandshakeError", "HTTP 500"),
        ("handshake-429", "HandshakeError", "asks to wait 1 s"),
        ("handshake-hang", "ConnectError", "within 4 s"),
    ],
)
def test_a_handshake_that_is_refused_or_hangs_is_told_and_tried_again(
    fault: str, error: str, words: str, shared: Pair
) -> None:
    before, known = shared.connections(), len(shared.run.errors(error))
    asked = len(shared.venue.requests)
    shared.venue.inject(fault)
    shared.venue.drop("reset")
    shared.wait_connected(before + 1)
    assert words in shared.run.errors(error)[known]
    # More where the machine is slow, and another try took too long, too.
    assert shared.connected()[before]["message"]["attempt"] >= 2
    if fault == "handshake-429":
        tries = [r for r in shared.venue.requests[asked:] if "/ws" in r.path]
        [refused] = [number for number, each in enumerate(tries) if each.status == 429]
        assert tries[refused + 1].at - tries[refused].at >= 1.0


def test_a_venue_that_closes_at_once_is_tried_until_it_stays(shared: Pair) -> None:
    before = shared.connections()
    shared.venue.inject("close-at-open", 2)
    shared.venue.drop()
    shared.wait_connected(before + 3)


def test_a_message_in_tiny_pieces_in_fragments_twice_or_late_is_one_message(shared: Pair) -> None:
    for fault in ("dribble", "fragmented", "duplicate", "reorder"):
        shared.venue.inject(fault, 3)
        shared.venue.step(10)
    shared.wait_for_all()


# --- catching up -------------------------------------------------------------------------------


def test_rest_that_refuses_while_catching_up_is_asked_until_all_is_there(shared: Pair) -> None:
    before, known = shared.connections(), len(shared.run.errors("GapError"))
    # Until it is told, however often it is asked.
    shared.venue.inject("rest-500", 10_000)
    shared.venue.drop("reset")
    shared.venue.step(20)
    shared.wait_connected(before + 1)
    told = shared.run.wait_for(lambda: shared.run.errors("GapError")[known:], "the gap")
    assert "could not be read again" in told[0]
    shared.venue.withdraw("rest-500")
    shared.venue.inject("rest-429", 1)
    shared.wait_for_all()


def test_a_drop_while_many_pages_are_read_and_a_page_that_fails(shared: Pair) -> None:
    before = shared.connections()
    asked = len(shared.venue.requests)
    shared.venue.drop("reset")
    shared.venue.step(900)

    def pages() -> int:
        requests = list(shared.venue.requests)[asked:]
        return sum(request.path.endswith("/order-fills") for request in requests)

    shared.run.wait_for(lambda: pages() >= 1)
    shared.venue.inject("rest-500", 5)
    shared.wait_connected(before + 1)
    shared.venue.drop("reset")
    shared.wait_connected(before + 2)


def test_a_gap_that_rest_could_not_tell_yet_outlasts_a_death_of_everything(tmp_path: Path) -> None:
    def down_since(run: Run) -> int:
        since: int = Pair(venue, run).connected()[-1]["message"]["down_since"]
        return since

    with Venue() as venue:
        with Run(tmp_path, venue=venue, settings=QUICK) as run:
            pair = Pair(venue, run)
            pair.wait_connected(1)
            pair.wait_read()
            venue.inject("rest-500", 10_000)
            venue.drop("reset")
            venue.step(20, push=False)
            pair.wait_connected(2)
            first_gap = down_since(run)
            run.wait_for(lambda: run.errors("GapError"), "a failure to read it")
            venue.drop("reset")
            pair.wait_connected(3)
            assert down_since(run) > first_gap
            run.kill()
        venue.withdraw("rest-500")
        # One that never gets as far as reading it does not forget it either.
        with Run(tmp_path, "--ws-url", "ws://127.0.0.1:9", venue=venue, settings=QUICK) as run:
            run.wait_for(lambda: run.errors("ConnectError"), "a failure to connect")
            run.kill()
        with Run(tmp_path, venue=venue, settings=QUICK) as run:
            pair = Pair(venue, run)
            pair.wait_connected(4)
            assert down_since(run) == first_gap
            pair.wait_for_all()
            assert run.stop() == 0
        check_once(run.records())


def test_amended_orders_are_filled_as_the_venue_says_through_gaps_and_restarts(
    tmp_path: Path,
) -> None:
    with Venue(faults=["amend=30%"], seed=3) as venue:
        with Run(tmp_path, venue=venue, settings=QUICK) as run:
            pair = Pair(venue, run)
            pair.wait_connected(1)
            pair.wait_read()
            for connections in (2, 3):
                venue.step(100)
                venue.drop("reset")
                venue.step(100, push=False)
                pair.wait_connected(connections)
            venue.step(100)
            run.wait_for(lambda: not missing(venue, run.records()), "all states")
            run.kill()
        venue.step(100, push=False)
        with Run(tmp_path, venue=venue, settings=QUICK) as run:
            pair = Pair(venue, run)
            pair.wait_connected(4)
            venue.step(100)
            run.wait_for(lambda: not missing(venue, run.records()), "all states after the restart")
            assert run.stop() == 0
    names: dict[str, set[str]] = defaultdict(set)
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for record in run.records("on_order"):
        order = record["detail"]
        names[order["id"]].add(order["order_id"])
        filled[order["id"]] = max(filled[order["id"]], Decimal(order["filled_quantity"]))
    orders = {name: id_ for id_, each in names.items() for name in each}
    fills: dict[str, Decimal] = defaultdict(Decimal)
    # What was told when it was killed is told again by the next one.
    for record in {record["seq"]: record for record in run.records("on_fill")}.values():
        fills[orders[record["detail"]["order_id"]]] += Decimal(record["detail"]["quantity"])
    assert fills == {id_: quantity for id_, quantity in filled.items() if quantity}
    amended = [id_ for id_, each in names.items() if len(each) > 1]
    assert any(fills[id_] for id_ in amended)


# --- listen keys -------------------------------------------------------------------------------


def test_keys_are_renewed_without_a_word_a_loss_or_a_repetition(tmp_path: Path) -> None:
    with (
        # Renewed at half of it: a machine may stand still for a while before that is too late.
        Venue(faults=["expire-key=30s"]) as venue,
        Run(tmp_path, venue=venue, settings=QUICK) as run,
    ):
        pair = Pair(venue, run)
        pair.wait_connected(1)
        venue.rate = 100
        run.wait_for(lambda: sum(r.status == 101 for r in list(venue.requests)) >= 2)
        venue.rate = 0
        pair.wait_for_all()
        check_once(run.records())
        assert pair.connections() == 1
        assert not run.records("on_disconnected")
        assert not run.errors()


def test_a_takeover_is_told_and_answered_slowly_and_the_other_account_has_no_part_in_it(
    tmp_path: Path,
) -> None:
    with Venue(accounts=2) as venue:
        one, two = venue.accounts
        config = "\n".join(
            f'[accounts.{name}]\nws_url = "{venue.ws_url}"\nrest_url = "{venue.rest_url}"\n'
            f'api_key = "{account.api_key}"\napi_secret = "{account.api_secret}"'
            for name, account in (("one", one), ("two", two))
        )
        with Run(tmp_path, config=config, settings=QUICK) as run:
            run.wait_for(lambda: len({r["account"] for r in run.records("on_connected")}) == 2)
            for times in (2, 3):
                venue.new_listen_key(0)
                if times == 2:
                    run.wait_for(lambda: len(run.records("on_connected", account="one")) >= 2)
                    venue.wait_connected(2)
            run.wait_for(lambda: len(run.errors("ListenKeyError")) == 2)
            assert "another program makes listen keys" in run.errors("ListenKeyError")[1]
            venue.step(30, account=0)
            venue.step(30, account=1)
            run.wait_for(lambda: not missing(venue, run.records(account="two"), account=1))
            assert not run.records("on_disconnected", account="two")
            assert not run.records("on_error", account="two")
            check_once(run.records(account="two"))
            _, _, third, *later = [r for r in venue.requests if r.path.endswith("/listen-key")]
            # One for each account, one after the first takeover, and after the second one it waits.
            assert all(each.at - third.at > 10 for each in later)


def test_an_account_that_can_not_connect_at_all_costs_the_others_nothing(tmp_path: Path) -> None:
    with Venue() as venue:
        config = (
            f'[accounts.good]\nws_url = "{venue.ws_url}"\nrest_url = "{venue.rest_url}"\n'
            f'api_key = "{venue.api_key}"\napi_secret = "{venue.api_secret}"\n'
            f'[accounts.bad]\nws_url = "{venue.ws_url}"\nrest_url = "{venue.rest_url}"\n'
            'api_key = "unknown-key"\napi_secret = "wrong-secret"\n'
        )
        with Run(tmp_path, config=config, settings=QUICK) as run:
            pair = Pair(venue, run)
            pair.wait_connected(1)
            told = run.wait_for(lambda: run.records("on_error", account="bad"))
            assert "check api_key, api_secret and rest_url" in told[0]["text"]
            venue.step(20)
            run.wait_for(lambda: not missing(venue, run.records(account="good")))
            assert not run.records("on_error", account="good")
            assert run.stop() == 0


# --- other venues, other ways ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "asked", "settings"),
    [
        ("v1", "v1", {}),
        ("mixed", "v2", {**TEXT_HEARTBEAT, "connection.heartbeat": "text"}),
    ],
)
def test_v1_both_forms_text_heartbeats_and_a_venue_whose_clock_is_off(
    protocol: str, asked: str, settings: dict[str, object], tmp_path: Path
) -> None:
    with (
        Venue(protocol=protocol, faults=["clock=+90s"]) as venue,  # type: ignore[arg-type]
        Run(
            tmp_path,
            "--protocol",
            asked,
            venue=venue,
            settings={**QUICK, **settings},
        ) as run,
    ):
        pair = Pair(venue, run)
        pair.wait_connected(1)
        venue.step(60)
        pair.wait_for_all(without_filled=True)
        if settings:
            [connection] = venue.wait_connected()
            frames = Frames(connection)
            # For longer than a venue is taken for alive that answers no pings.
            interval, timeout = TEXT_HEARTBEAT.values()
            beats = (interval + timeout) / interval + 2
            run.wait_for(lambda: frames.count[ABNF.OPCODE_TEXT] >= beats, "heartbeats")
            assert not run.records("on_disconnected")
        venue.drop("reset")
        venue.step(60)
        pair.wait_connected(2)
        venue.step(60)
        pair.wait_for_all(without_filled=True)
        check_once(run.records())
        assert run.records("on_fill")
        # As exactly as half of a round trip, which may take long.
        run.wait_for_line(r"this machine's clock is [89]\d\.\d s behind")
        assert not run.errors()


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_stream_and_rest_go_through_a_proxy_with_credentials(kind: str, tmp_path: Path) -> None:
    proxy = ConnectProxy("user:pass-word") if kind == "http" else SocksProxy("user:pass-word")
    with (
        proxy,
        Venue() as venue,
        Run(
            tmp_path,
            venue=venue,
            settings={
                **QUICK,
                "accounts.main.proxy": f"{kind}://user:pass-word@127.0.0.1:{proxy.port}",
            },
        ) as run,
    ):
        pair = Pair(venue, run)
        pair.wait_connected(1)
        assert proxy.served >= 2
        venue.step(10)
        pair.wait_for_all()
        assert "pass-word" not in run.story()


def test_tls_with_an_authority_of_ones_own_and_a_client_certificate(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    with Venue() as venue:
        host, _, port = venue.address.rpartition(":")
        with (
            TlsFront(certificates.server_context(), (host, int(port))) as front,
            Run(
                tmp_path,
                "--ws-url",
                f"wss://localhost:{front.port}",
                "--rest-url",
                f"https://localhost:{front.port}",
                env={"QEHOST_API_KEY": venue.api_key, "QEHOST_API_SECRET": venue.api_secret},
                settings={
                    **QUICK,
                    "accounts.main.ca_file": certificates.ca,
                    "accounts.main.client_cert": certificates.client,
                },
            ) as run,
        ):
            pair = Pair(venue, run)
            pair.wait_connected(1)
            venue.drop("reset")
            venue.step(30)
            pair.wait_connected(2)
            pair.wait_for_all()
            check_once(run.records())


# --- how it ends, how it goes on ---------------------------------------------------------------


def test_giving_up_ends_with_5_and_says_why(tmp_path: Path) -> None:
    with (
        Venue(faults=["handshake-500=100%"]) as venue,
        Run(tmp_path, "--give-up-after", "0.5", venue=venue, settings=QUICK) as run,
    ):
        assert run.wait() == 5
        run.wait_for_line("account main: no connection for 0.5 s")


def test_what_happened_between_two_runs_is_read_at_the_start_of_the_second(tmp_path: Path) -> None:
    with Venue() as venue:
        for times in (1, 2):
            with Run(tmp_path, venue=venue, settings=QUICK) as run:
                pair = Pair(venue, run)
                pair.wait_connected(times)
                venue.step(40)
                pair.wait_for_all()
                assert run.stop() == 0
            venue.step(40)
        check_once(run.records())


def test_pings_are_answered_while_a_plugin_sleeps(tmp_path: Path) -> None:
    # For longer than the test may take.
    (tmp_path / "slow").write_text("1000", encoding="utf-8")
    with Venue(rate=50) as venue, Run(tmp_path, venue=venue, settings=QUICK) as run:
        [connection] = venue.wait_connected()
        frames = Frames(connection)
        for count in range(4):
            connection.send(frame(ABNF.OPCODE_PING, b"are you there"))
            # The first one may be read before the frames are counted.
            run.wait_for(lambda count=count: frames.count[ABNF.OPCODE_PONG] >= count, "a pong")
        assert not run.records("on_connected"), "the plugin has not even dealt with its first event"


def test_a_terminal_that_stands_still_costs_the_connection_nothing(tmp_path: Path) -> None:
    """Ctrl-S, a pager, a log collector that hangs: whoever writes then waits, and must not."""
    chatty = "import sys\ndef on_start():\n    sys.stderr.write('x' * 1_000_000)"
    with (
        Venue(rate=50) as venue,
        Run(
            tmp_path,
            "--log-level",
            "debug",
            venue=venue,
            settings={**QUICK, **PATIENT},
            plugins={"chatty": chatty},
            deaf=True,
        ) as run,
    ):
        for end in range(5):
            [connection] = venue.wait_connected()
            frames = Frames(connection)
            for _ in range(2):
                connection.send(frame(ABNF.OPCODE_PING, b"are you there"))
            run.wait_for(lambda frames=frames: frames.count[ABNF.OPCODE_PONG], f"a pong, {end}")
            venue.drop("reset")


def test_no_secret_appears_anywhere(tmp_path: Path) -> None:
    """Not in what it logs or writes, nor in the list of processes; whatever goes wrong."""
    folder = tmp_path / "run"
    folder.mkdir()
    keys: set[str] = set()
    with (
        SocksProxy("user:pass-word") as proxy,
        Venue(rate=50, faults=["expire-key=3s"]) as venue,
        Run(
            folder,
            "--log-level",
            "debug",
            venue=venue,
            settings={
                **QUICK,
                **PATIENT,
                "connection.connect_timeout": 3.0,
                "accounts.main.proxy": f"socks5://user:pass-word@127.0.0.1:{proxy.port}",
            },
        ) as run,
    ):
        account = venue.accounts[0]
        pair = Pair(venue, run)
        pair.wait_connected(1)
        for fault in ("handshake-500", "handshake-401", "handshake-hang", "rest-401"):
            keys.add(account.listen_key)
            known = pair.connections()
            venue.inject(fault)
            end = partial(venue.drop, "close", 4000, f"key {account.listen_key} is over")
            run.wait_for(end, "a stream that can be ended")
            run.wait_for(lambda known=known: pair.connections() > known, fault)
        commands = [
            Path(f"/proc/{pid}/{file}").read_bytes()
            for pid in run.all_pids()
            for file in ("cmdline", "comm")
        ]
        keys.add(account.listen_key)
        assert run.stop() == 0
        written = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
        shown = "".join(run.log + run.out).encode()
    secrets = [venue.api_key, venue.api_secret, "pass-word", *filter(None, keys)]
    assert len(written) > 5
    assert len(keys) >= 2
    for secret in secrets:
        for text in (shown, *commands, *written):
            assert secret.encode() not in text
