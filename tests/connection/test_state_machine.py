"""What the connection does next, whatever the venue does: on a clock that only the tests move."""

from __future__ import annotations

import random
from typing import Any, ClassVar

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from qehost.config.settings import ConnectionSettings
from qehost.connection.actions import (
    Action,
    CloseStream,
    Connect,
    DrainStream,
    GiveUp,
    MakeKey,
    SendPing,
    TellDisconnected,
    TellError,
    UseStream,
    WriteLog,
)
from qehost.connection.listen_key import Key, ListenKeys, Made
from qehost.connection.state_machine import HANDOVER_TIME, PROOF, State, StreamMachine
from qehost.errors import (
    APIError,
    ConnectError,
    ConnectionLost,
    HandshakeError,
    ListenKeyError,
    TransportError,
)

DAY = 86_400.0
NEVER = float("inf")
DEFAULTS = ConnectionSettings()
CLOSED = 1001
POLICY_VIOLATION = 1008


def refusal(status: int, retry_after: float | None = None) -> HandshakeError:
    return HandshakeError(f"HTTP {status}", "ws://venue", status, retry_after)


def rest_refusal(status: int, retry_after: float | None = None) -> APIError:
    error = APIError(status, "NO", "no")
    error.status_code, error.retry_after = status, retry_after
    return error


class Shell:
    """Keeps what the machine asked for, as its shell would; the test answers for the venue."""

    def __init__(
        self,
        settings: ConnectionSettings = DEFAULTS,
        *,
        given: str = "",
        can_make: bool = True,
        may_replace: bool = False,
        seed: int = 1,
    ) -> None:
        self.now = 1000.0
        rng = random.Random(seed)
        keys = ListenKeys(given, can_make=can_make, may_replace=may_replace, rng=rng)
        self.machine = StreamMachine(settings, keys, rng, self.now)
        self.done: list[Action] = []
        self.is_open = False
        self.is_draining = False
        self.is_told = False
        self.key: Key | None = None  # with which it was asked to connect
        self.making = False
        self.keys_made = 0
        self.gave_up = ""

    def act(self) -> list[Action]:
        """Carry out what is due."""
        actions = self.machine.due(self.now)
        for action in actions:
            self._do(action)
        self.done += actions
        assert self.machine.next_deadline(self.now) > self.now, "it would run in a circle"
        return actions

    def _do(self, action: Action) -> None:
        match action:
            case MakeKey():
                assert not self.making
                self.making = True
            case Connect(key):
                assert self.key is None, "two connections at once"
                self.key = key
            case DrainStream():
                assert self.is_open
                self.is_open, self.is_draining = False, True
            case UseStream(attempt):
                assert not self.is_open
                self.is_open = True
                assert self.is_told == (attempt == 0), "connected twice, or never"
                self.is_told = True
            case CloseStream():
                assert self.is_open
                self.is_open = False
            case SendPing():
                assert self.is_open, "a ping on a dead stream"
            case TellDisconnected():
                assert self.is_told
                assert not self.is_open
                self.is_told = False
            case GiveUp(reason):
                assert not self.is_open
                assert not self.is_draining
                self.gave_up = reason

    # --- what happens --------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Wake at every deadline, as the loop does."""
        end = self.now + seconds
        while (deadline := self.machine.next_deadline(self.now)) <= end:
            self.now = max(self.now, deadline)
            self.act()
        self.now = end

    def wait_for(self, kind: type[Action], limit: float = DAY) -> float:
        """Wake at deadlines until there is such an action; after how many seconds."""
        began, known = self.now, len(self.done)
        while not any(isinstance(action, kind) for action in self.done[known:]):
            self.now = max(self.now, self.machine.next_deadline(self.now))
            assert self.now - began <= limit, f"no {kind.__name__} within {limit:g} s"
            self.act()
        return self.now - began

    def next_try(self) -> float:
        """Until a connection is being opened, for which keys are made; after how many seconds."""
        began = self.now
        while self.key is None:
            if self.making:
                self.make_key()
            else:
                self.now = max(self.now, self.machine.next_deadline(self.now))
                assert self.now - began <= DAY, "no further try"
                self.act()
        return self.now - began

    def make_key(self, lifetime: float = DAY) -> list[Action]:
        assert self.making
        self.making = False
        self.keys_made += 1
        self.machine.key_made(Made(f"key-{self.keys_made}", lifetime), self.now)
        return self.act()

    def fail_key(self, error: Exception) -> list[Action]:
        assert self.making
        self.making = False
        self.machine.key_failed(error, self.now)
        return self.act()

    def open(self) -> list[Action]:
        assert self.key
        self.key = None
        self.machine.opened(self.now)
        return self.act()

    def drain(self) -> list[Action]:
        assert self.is_draining
        self.is_draining = False
        self.machine.drained(self.now)
        return self.act()

    def refuse(self, error: Exception) -> list[Action]:
        assert self.key
        self.key = None
        self.machine.not_opened(error, self.now)
        return self.act()

    def end(self, code: int = 1006) -> list[Action]:
        self.machine.ended(ConnectionLost("it has ended", code), self.now)
        return self.act()

    def hear(self, *, message: bool = False) -> None:
        self.machine.heard(self.now)
        if message:
            self.machine.message_came()

    def live(self, seconds: float) -> None:
        """The stream brings something every second."""
        for _ in range(int(seconds)):
            self.wait(1.0)
            self.hear(message=True)


def shell_that_is_up(
    settings: ConnectionSettings = DEFAULTS, *, lifetime: float = DAY, **options: Any
) -> Shell:
    shell = Shell(settings, **options)
    shell.act()
    if shell.making:
        shell.make_key(lifetime)
    shell.open()
    assert shell.machine.state is State.UP
    return shell


def kinds(actions: list[Action]) -> list[type[Action]]:
    return [type(action) for action in actions]


# --- from the start to the end -----------------------------------------------------------------


def test_it_makes_a_key_connects_with_it_and_is_up():
    shell = Shell()
    assert shell.act() == [MakeKey()]
    assert shell.machine.status == "connecting"
    assert shell.make_key() == [Connect(Key("key-1", 1))]
    assert shell.machine.status == "connecting"
    assert shell.open() == [UseStream(attempt=1)]
    assert shell.machine.status == "connected"
    assert shell.machine.state is State.UP


def test_a_given_key_is_connected_with_at_once():
    shell = Shell(given="given", can_make=False)
    assert shell.act() == [Connect(Key("given", 1))]


def test_while_it_is_held_no_key_is_made_and_no_stream_opened():
    shell = Shell()
    shell.machine.hold(shell.now + 10.0)
    assert shell.act() == []
    assert shell.machine.status == "connecting"
    assert shell.machine.next_deadline(shell.now) == shell.now + 10.0
    shell.machine.go()
    assert shell.act() == [MakeKey()]


def test_it_is_not_held_for_longer_than_was_said():
    shell = Shell(given="given", can_make=False)
    shell.machine.hold(shell.now + 10.0)
    shell.wait(9.9)
    assert shell.done == []
    shell.wait(0.2)
    assert shell.done == [Connect(Key("given", 1))]


def test_an_end_is_told_with_what_comes_next_and_leads_back():
    shell = shell_that_is_up()
    shell.live(60)
    actions = shell.end()
    assert actions[0] == CloseStream(at_once=True)
    told = actions[1]
    assert isinstance(told, TellDisconnected)
    assert "it has ended" in str(told.error)
    assert "again" in told.outlook
    shell.next_try()
    assert shell.open() == [UseStream(attempt=1)]


def test_a_stream_that_ended_with_a_close_frame_is_closed_in_good_order():
    shell = shell_that_is_up()
    assert shell.end(CLOSED)[0] == CloseStream(at_once=False)


def test_attempts_are_counted_in_each_outage_anew():
    shell = shell_that_is_up()
    for times in (3, 2):
        shell.live(60)
        shell.end()
        for _ in range(times - 1):
            shell.next_try()
            shell.refuse(ConnectError("refused"))
        shell.next_try()
        assert shell.open() == [UseStream(attempt=times)]


def test_pings_go_out_and_a_silent_venue_is_left_on_time():
    shell = shell_that_is_up()
    shell.live(100)
    shell.done.clear()
    silent = DEFAULTS.ping_interval + DEFAULTS.pong_timeout
    assert shell.wait_for(TellDisconnected) == pytest.approx(silent)
    assert SendPing() in shell.done
    [told] = [action for action in shell.done if isinstance(action, TellDisconnected)]
    assert "the venue is silent: nothing came for 40 s" in str(told.error)


def test_an_error_of_unknown_origin_is_named_without_its_text():
    shell = Shell()
    shell.act()
    shell.make_key()
    [told] = shell.refuse(RuntimeError("it holds a secret"))
    assert isinstance(told, TellError)
    assert str(told.error) == "RuntimeError"


# --- pace --------------------------------------------------------------------------------------


def test_the_first_try_comes_at_once():
    shell = shell_that_is_up()
    shell.live(60)
    actions = shell.end()
    assert kinds(actions) == [CloseStream, TellDisconnected, Connect]
    assert actions[1].outlook == "Connecting again at once"


def test_while_there_is_no_key_it_is_told_that_one_is_waited_for():
    shell = shell_that_is_up()
    shell.live(60)
    shell.machine.keys.refused(1, shell.now)
    [told] = [each for each in shell.end() if isinstance(each, TellDisconnected)]
    assert told.outlook == "Connecting again when there is a new listen key"


def test_a_refusal_is_told_and_tried_again_ever_more_slowly():
    shell = Shell()
    shell.act()
    shell.make_key()
    delays = []
    for _ in range(8):
        [told] = shell.refuse(ConnectError("connection refused"))
        assert isinstance(told, TellError)
        assert "Trying again in" in told.outlook
        delays.append(shell.next_try())
    assert all(
        0.5 <= delay / min(DEFAULTS.reconnect_max_delay, DEFAULTS.reconnect_delay * 2**number) <= 1
        for number, delay in enumerate(delays)
    )


def test_a_venue_that_accepts_and_drops_at_once_meets_the_same_delays_as_one_that_refuses():
    shell = shell_that_is_up()
    delays = []
    for _ in range(6):
        shell.wait(0.5)
        shell.end()
        delays.append(shell.next_try())
        shell.open()
    assert delays[-1] >= DEFAULTS.reconnect_max_delay / 2
    assert delays == sorted(delays) or delays[-2] >= DEFAULTS.reconnect_max_delay / 2


def test_a_connection_that_has_proved_itself_starts_the_delays_again():
    shell = shell_that_is_up()
    for _ in range(6):
        shell.end()
        shell.next_try()
        shell.open()
    shell.live(30)
    shell.end()
    assert shell.next_try() == 0


def test_a_refusal_that_does_not_heal_by_itself_slows_down_at_once():
    shell = Shell(given="given", can_make=False)
    shell.act()
    shell.refuse(refusal(404))
    assert shell.next_try() >= DEFAULTS.reconnect_max_delay / 2


@pytest.mark.parametrize("status", [418, 429, 503])
def test_a_wait_that_the_venue_asks_for_is_kept(status):
    shell = Shell()
    shell.act()
    shell.make_key()
    shell.refuse(refusal(status, 300.0))
    assert 300 <= shell.next_try() <= 300 + DEFAULTS.reconnect_delay


@pytest.mark.parametrize("status", [418, 429])
def test_a_venue_that_throttles_without_a_number_is_left_alone_ever_longer(status):
    shell = Shell()
    shell.act()
    shell.make_key()
    delays = []
    for _ in range(6):
        [told] = shell.refuse(refusal(status))
        delays.append(shell.next_try())
        assert f"Trying again in {delays[-1]:.1f} s" in told.outlook
    assert delays[0] >= 10
    assert delays[-1] >= 150
    assert delays == sorted(delays)


def test_a_try_that_hangs_does_not_cost_its_delay_as_well():
    shell = Shell()
    shell.act()
    shell.make_key()
    for _ in range(8):
        shell.wait(DEFAULTS.connect_timeout)
        shell.refuse(ConnectError("no answer"))
        assert shell.next_try() == 0


def test_the_stream_is_back_within_five_seconds_of_the_venue_on_the_average():
    """An outage of up to ten minutes in which every try is refused at once, with HTTP 503 or by a
    closed port; the venue comes back at any moment."""
    chance = random.Random(1)
    blind = []
    for seed in range(400):
        shell = shell_that_is_up(seed=seed)
        shell.live(20)
        outage = chance.uniform(0, 600)
        back_at = shell.now + outage
        shell.end()
        while True:
            shell.next_try()
            if shell.now >= back_at:
                break
            shell.refuse(chance.choice([refusal(503), ConnectError("connection refused")]))
        blind.append(shell.now - back_at)
    assert sum(blind) / len(blind) < 5.0
    assert max(blind) <= DEFAULTS.reconnect_max_delay


def test_a_fixed_pace_means_that_long_after_every_end_and_failure():
    shell = shell_that_is_up(ConnectionSettings(reconnect_delay=7.0, reconnect_pace="fixed"))
    for uptime in (20, 0.5, 20):
        shell.wait(uptime)
        shell.end()
        assert shell.next_try() == pytest.approx(7.0)
        for error in (ConnectError("refused"), refusal(500), refusal(404)):
            shell.wait(3.0)
            shell.refuse(error)
            assert shell.next_try() == pytest.approx(7.0)
        shell.refuse(refusal(429))
        assert shell.next_try() >= 10
        shell.refuse(refusal(503, 30.0))
        assert shell.next_try() >= 30
        shell.open()


@pytest.mark.parametrize("seed", range(100))
def test_no_behaviour_of_the_venue_makes_it_try_more_than_31_times_a_minute(seed):
    venue, shell = random.Random(seed), Shell(seed=seed)
    tries: list[float] = []
    shell.act()
    shell.make_key()
    refusals, uptimes = venue.uniform(0, 0.8), [0.0, 1.0, PROOF - 0.01, PROOF, 2 * PROOF]
    for _ in range(200):
        shell.next_try()
        tries.append(shell.now)
        if venue.random() < refusals:
            shell.refuse(ConnectError("refused"))
        else:
            shell.open()
            shell.wait(venue.choice(uptimes))
            shell.end()
    for start in tries:
        assert sum(start <= moment < start + 60 for moment in tries) <= 31


# --- giving up ---------------------------------------------------------------------------------


def test_it_gives_up_when_told_to_and_not_before_also_while_a_try_hangs():
    shell = Shell(ConnectionSettings(give_up_after=30.0))
    shell.act()
    shell.make_key()
    assert shell.wait_for(GiveUp) == pytest.approx(30.0)
    assert "no connection for 30 s" in shell.gave_up
    assert shell.machine.due(shell.now + DAY) == []
    assert shell.machine.next_deadline(shell.now) == NEVER


def test_an_outage_that_ends_in_time_does_not_count():
    shell = shell_that_is_up(ConnectionSettings(give_up_after=30.0))
    for _ in range(5):
        shell.end()
        shell.next_try()
        shell.wait(10)
        shell.open()
        shell.live(100)
    assert not shell.gave_up


# --- listen keys -------------------------------------------------------------------------------


def renewing_shell() -> Shell:
    """Half of its key's life is over: a new one is being made."""
    shell = shell_that_is_up(lifetime=120.0)
    while not shell.making:
        shell.live(1)
    return shell


def test_a_new_keys_connection_is_opened_beside_the_old_one_and_read_after_it():
    shell = renewing_shell()
    assert shell.make_key() == [Connect(Key("key-2", 2))]
    assert shell.open() == [DrainStream()]
    assert shell.machine.state is State.DRAINING
    assert shell.machine.status == "connected"
    assert shell.drain() == [UseStream(attempt=0)]
    assert shell.machine.state is State.UP


def test_a_renewal_that_fails_leaves_the_stream_as_it_is():
    shell = renewing_shell()
    [told] = shell.fail_key(TransportError("no answer"))
    assert "could not be renewed" in str(told.error)
    shell.make_key() if shell.making else shell.wait_for(MakeKey)
    shell.make_key()
    shell.refuse(refusal(500))
    assert shell.machine.state is State.UP
    shell.next_try()
    assert shell.open() == [DrainStream()]
    assert shell.drain() == [UseStream(attempt=0)]


@pytest.mark.parametrize("code", [1000, POLICY_VIOLATION])
@pytest.mark.parametrize("moment", ["while the key is made", "while it is connected with"])
def test_a_venue_that_ends_the_old_connection_first_makes_no_disconnect(code, moment):
    shell = renewing_shell()
    if moment == "while it is connected with":
        shell.make_key()
    assert kinds(shell.end(code)) == [CloseStream, WriteLog]
    assert shell.machine.state is State.HANDOVER
    assert shell.machine.status == "connecting"
    if shell.making:
        assert shell.key is None, "the old key has ended"
        shell.make_key()
    assert shell.open() == [UseStream(attempt=0)]


def test_the_end_of_the_old_connection_is_told_if_no_new_one_follows_in_time():
    shell = renewing_shell()
    shell.end(POLICY_VIOLATION)
    assert shell.wait_for(TellDisconnected) == pytest.approx(HANDOVER_TIME)
    assert shell.machine.state is State.DOWN


@pytest.mark.parametrize("failure", [refusal(500), TransportError("no answer")])
def test_the_end_of_the_old_connection_is_told_if_the_new_one_fails(failure):
    shell = renewing_shell()
    shell.end(POLICY_VIOLATION)
    if isinstance(failure, HandshakeError):
        shell.make_key()
        actions = shell.refuse(failure)
    else:
        actions = shell.fail_key(failure)
    assert kinds(actions) == [TellDisconnected, TellError]
    assert actions[0].error.close_code == POLICY_VIOLATION


def test_a_try_that_was_under_way_when_the_stream_ended_is_the_first_of_the_outage():
    shell = renewing_shell()
    shell.make_key()
    shell.end()
    shell.wait_for(TellDisconnected)
    assert shell.open() == [UseStream(attempt=1)]


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_after_it_was_accepted_is_replaced_and_not_tried_again(status):
    shell = shell_that_is_up()
    shell.wait(60)
    shell.end()
    shell.next_try()
    assert shell.key == Key("key-1", 1)
    told, make = shell.refuse(refusal(status))
    assert isinstance(make, MakeKey)
    assert isinstance(told, TellError)
    assert isinstance(told.error, ListenKeyError)
    shell.make_key()
    shell.next_try()
    assert shell.key == Key("key-2", 2)


@pytest.mark.parametrize("status", [401, 403])
def test_a_venue_that_refuses_every_key_for_a_while_is_tried_at_the_usual_pace(status):
    shell = shell_that_is_up()
    shell.wait(60)
    shell.end()
    began = shell.now
    while shell.now < began + 1800:
        if shell.making:
            shell.make_key()
        before = shell.now
        shell.next_try()
        assert shell.now - before <= ConnectionSettings().reconnect_max_delay
        shell.refuse(refusal(status))
    assert shell.keys_made < 20


def test_a_key_is_doubted_when_two_connections_in_a_row_end_at_once_and_silently():
    shell = shell_that_is_up()
    shell.wait(1)
    assert MakeKey not in kinds(shell.end())
    shell.next_try()
    shell.open()
    shell.wait(1)
    assert MakeKey in kinds(shell.end())


def test_a_key_is_not_doubted_where_messages_come_or_connections_last():
    shell = shell_that_is_up()
    for number in range(10):
        shell.live(2) if number % 2 else shell.wait(20)
        shell.end()
        shell.next_try()
        shell.open()
    assert shell.keys_made == 1


HOW_A_KEY_ENDS = {
    "close code 1008": lambda shell: shell.end(POLICY_VIOLATION),
    "close code 1000, then HTTP 401": lambda shell: shell.end(1000),
    "reset, then HTTP 404": lambda shell: shell.end(),
    "close code 1000, also of every further connection": lambda shell: shell.end(1000),
}


@pytest.mark.parametrize("how", HOW_A_KEY_ENDS)
def test_two_programs_that_end_each_others_stream_are_both_told_what_happens(how):
    one, two = Shell(seed=1), Shell(seed=2)
    valid: tuple[Shell, int] | None = None  # whose key, and which
    made: list[float] = []
    for second in range(3600):
        for shell, other in ((one, two), (two, one)):
            shell.wait(1.0)
            if shell is two and second < 30:
                continue  # it is started later
            shell.act()
            if shell.making:
                shell.make_key()
                valid = shell, shell.keys_made
                made.append(shell.now)
                if other.is_open:
                    HOW_A_KEY_ENDS[how](other)
            if shell.is_draining:
                shell.drain()
            if shell.key:
                good = valid == (shell, shell.key.number)
                if good or "every further" in how or "1008" in how:
                    shell.open()
                    if not good:
                        HOW_A_KEY_ENDS[how](shell)
                else:
                    shell.refuse(refusal(404 if "404" in how else 401))
            if shell.is_open and second % 5 == 0:
                shell.hear(message=True)
    for shell in (one, two):
        told = [str(action.error) for action in shell.done if isinstance(action, TellError)]
        assert any("another program makes listen keys with the same user" in text for text in told)
    assert len(made) < 30, "that is a war"


# --- whatever happens --------------------------------------------------------------------------

REFUSALS = [
    ConnectError("connection refused"),
    RuntimeError("a surprise"),
    *(refusal(status) for status in (0, 101, 302, 401, 403, 404, 418, 429, 500, 503)),
    refusal(429, 40.0),
    refusal(503, 3600.0),
]
KEY_FAILURES = [
    TransportError("no answer"),
    RuntimeError("a surprise"),
    rest_refusal(401),
    rest_refusal(429, 40.0),
    rest_refusal(500),
]
LONGEST_WAIT = 3600.0 + 60.0
"""Of all the delays of connecting and of making a key."""


class Whatever(RuleBasedStateMachine):
    """The venue and the network do as they like."""

    settings = DEFAULTS
    options: ClassVar[dict[str, Any]] = {}

    @initialize(seed=st.integers(0, 10_000))
    def start(self, seed: int) -> None:
        self.shell = Shell(self.settings, seed=seed, **self.options)
        self.refused: set[int] = set()
        self.accepted: set[int] = set()
        self.given_tries: list[float] = []
        self.shell.act()

    @property
    def over(self) -> bool:
        return bool(self.shell.gave_up)

    @rule(seconds=st.one_of(st.floats(0, 1), st.floats(0, 100), st.floats(0, 4000)))
    def time_passes(self, seconds: float) -> None:
        self.shell.wait(seconds)

    @precondition(lambda self: self.shell.making and not self.over)
    @rule(lifetime=st.sampled_from([1.0, 5.0, 600.0, DAY]))
    def a_key_is_made(self, lifetime: float) -> None:
        self.shell.make_key(lifetime)

    @precondition(lambda self: self.shell.making and not self.over)
    @rule(error=st.sampled_from(KEY_FAILURES))
    def no_key_is_made(self, error: Exception) -> None:
        self.shell.fail_key(error)

    @precondition(lambda self: self.shell.key and not self.over)
    @rule()
    def a_connection_opens(self) -> None:
        assert self.shell.key
        self.accepted.add(self.shell.key.number)
        self.shell.open()

    @precondition(lambda self: self.shell.is_draining)
    @rule()
    def the_old_stream_is_drained(self) -> None:
        self.shell.drain()

    @precondition(lambda self: self.shell.key and not self.over)
    @rule(error=st.sampled_from(REFUSALS))
    def a_connection_is_refused(self, error: Exception) -> None:
        key = self.shell.key
        assert key
        assert key.number not in self.refused, "a key that was refused is tried again"
        # A new one may be refused by a venue that is ill; a given one can't be replaced.
        was_good = key.number in self.accepted and key.text != "given"
        if was_good and isinstance(error, HandshakeError) and error.status in (401, 403):
            self.refused.add(key.number)
        self.shell.refuse(error)

    @precondition(lambda self: self.shell.is_open)
    @rule(code=st.sampled_from([1000, CLOSED, 1006, POLICY_VIOLATION]))
    def the_stream_ends(self, code: int) -> None:
        self.shell.end(code)

    @rule(message=st.booleans())
    def something_is_heard(self, message: bool) -> None:
        self.shell.hear(message=message)

    @rule()
    def the_loop_turns(self) -> None:
        self.shell.act()

    @invariant()
    def states_and_facts_agree(self) -> None:
        shell, machine = self.shell, self.shell.machine
        assert shell.is_open == (machine.state is State.UP)
        assert shell.is_draining == (machine.state is State.DRAINING)
        assert shell.is_told == (machine.state is not State.DOWN)
        assert shell.key == machine.connecting
        assert shell.making == machine.keys.making
        limit = self.settings.give_up_after
        if limit and not self.over:
            up = shell.is_open or shell.is_draining
            assert up or machine.next_deadline(shell.now) <= shell.now + limit

    def teardown(self) -> None:
        """From wherever it is, it is up again as soon as the venue lets it."""
        if not hasattr(self, "shell") or self.over:
            return
        shell, began = self.shell, self.shell.now
        shell.act()
        while not (shell.is_open or shell.gave_up):
            if shell.is_draining:
                shell.drain()
            elif shell.making:
                shell.make_key()
            elif shell.key:
                shell.open()
            else:
                shell.now = max(shell.now, shell.machine.next_deadline(shell.now))
                assert shell.now - began <= LONGEST_WAIT, "it does not come back"
                shell.act()


class WhateverWithAGivenKey(Whatever):
    options: ClassVar[dict[str, Any]] = {"given": "given"}

    @invariant()
    def no_key_is_made_in_its_place(self) -> None:
        assert not self.shell.making
        assert self.shell.keys_made == 0


class WhateverWithAKeyThatMayBeReplaced(Whatever):
    options: ClassVar[dict[str, Any]] = {"given": "given", "may_replace": True}


class WhateverWithAnEnd(Whatever):
    settings = ConnectionSettings(give_up_after=50.0)


@pytest.mark.parametrize(
    "case",
    [Whatever, WhateverWithAGivenKey, WhateverWithAKeyThatMayBeReplaced, WhateverWithAnEnd],
)
def test_whatever_happens_it_keeps_its_promises_and_is_up_again(case):
    run_state_machine_as_test(
        case, settings=hypothesis_settings(max_examples=150, stateful_step_count=40, deadline=None)
    )
