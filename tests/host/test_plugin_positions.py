"""A plugin that waits leaves the head and comes back: nothing is missed or twice unmarked."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from limits import no_room
from plugin_bench import Call, PluginBench

from qehost.errors import Retry
from qehost.host import plugin_positions
from qehost.host.arguments import ON_TICK
from qehost.host.subscription import Subscription
from qehost.storage.cursor_file import UNSET, own_key
from qehost.storage.cursors import Cursors
from qehost.storage.dead_letters import DeadLetters

BOTH = {"sink": ["on_status"], "view": ["on_status"]}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., PluginBench]]:
    made: list[PluginBench] = []

    def make(plugins: dict[str, Sequence[str]] = BOTH, **options: object) -> PluginBench:
        made.append(PluginBench(tmp_path, plugins, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for bench in made:
        bench.close()


def raising(*calls: tuple[str, str, int], after: float | None = 1.0) -> Callable[[Call], object]:
    """Raise `Retry` at these calls (plugin, hook, seq), once for each time that they are listed."""
    left = Counter(calls)

    def react(call: Call) -> None:
        if left[call[:3]]:
            left[call[:3]] -= 1
            raise Retry(after, "the database is down")

    return react


# --- Retry ------------------------------------------------------------------------------------


def test_the_event_comes_again_and_the_others_go_on_meanwhile(
    make: Callable[..., PluginBench],
) -> None:
    bench = make()
    bench.react = raising(("sink", "on_status", 2), ("sink", "on_status", 2))
    bench.receive(1, 2, 3)
    bench.receive(4)
    assert bench.seqs("view") == [1, 2, 3, 4]
    assert bench.seqs("sink") == [1, 2]
    bench.turn(10)
    assert bench.seqs("sink") == [1, 2]
    bench.pass_time()
    assert bench.seqs("sink") == [1, 2, 2]
    bench.pass_time()
    bench.settle()
    assert bench.got("sink") == [
        ("on_status", 1, 1, False),
        ("on_status", 2, 1, False),
        ("on_status", 2, 2, False),
        ("on_status", 2, 3, False),
        ("on_status", 3, 1, False),
        ("on_status", 4, 1, False),
    ]
    assert not bench.apart.laggards
    bench.receive(5)
    assert bench.seqs("sink")[-1] == bench.seqs("view")[-1] == 5
    assert bench.letter_states() == []


def test_only_the_hooks_that_had_not_returned_are_called_again(
    make: Callable[..., PluginBench],
) -> None:
    bench = make({"sink": ["on_raw_message", "on_status", "on_batch"]})
    bench.react = raising(("sink", "on_status", 2))
    bench.receive(1, 2, 3)
    bench.pass_time()
    bench.settle()
    assert bench.got("sink") == [
        ("on_raw_message", 1, 1, False),
        ("on_status", 1, 1, False),
        ("on_raw_message", 2, 1, False),
        ("on_status", 2, 1, False),
        ("on_status", 2, 2, False),
        ("on_raw_message", 3, 1, False),
        ("on_status", 3, 1, False),
        ("on_batch", 1, 1, False),
        ("on_batch", 2, 2, False),
        ("on_batch", 3, 1, False),
    ]


def test_a_batch_comes_again_whole_and_its_typed_hooks_do_not(
    make: Callable[..., PluginBench],
) -> None:
    bench = make({"sink": ["on_status", "on_batch"]})
    bench.react = raising(("sink", "on_batch", 3))
    bench.receive(1, 2, 3)
    bench.receive(4)
    bench.pass_time()
    bench.settle()
    assert bench.seqs("sink") == [1, 2, 3, 4]
    assert bench.got("sink", "on_batch") == [
        *(("on_batch", seq, 1, False) for seq in (1, 2, 3)),
        *(("on_batch", seq, 2, False) for seq in (1, 2, 3)),
        ("on_batch", 4, 1, False),
    ]


def test_a_plugin_that_waits_has_no_calls_but_on_stop(make: Callable[..., PluginBench]) -> None:
    bench = make({"sink": ["on_status", "on_tick", "on_error", "on_stop"], "bad": ["on_status"]})

    def react(call: Call) -> None:
        if call[:2] == ("bad", "on_status"):
            raise ValueError("no")
        if call[:3] == ("sink", "on_status", 1):
            raise Retry(1)

    bench.react = react
    bench.receive(1)
    bench.dispatcher.tick(0.0)
    bench.receive(2)
    assert bench.got("sink") == [("on_status", 1, 1, False)]
    bench.dispatcher.stop("the end")
    assert bench.got("sink")[1:] == [("on_stop", 0, 1, False)]


def test_a_retry_in_on_tick_waits_like_any_other(make: Callable[..., PluginBench]) -> None:
    bench = make({"sink": ["on_tick", "on_status"]})
    at = ("sink", "on_tick", 0)
    bench.react = raising(at, at, at, after=None)
    bench.dispatcher.tick(0.0)
    bench.apart.settle_others()
    bench.receive(1, 2)
    for _ in range(3):
        bench.dispatcher.tick(0.0)
        bench.turn()
    assert bench.got("sink") == [("on_tick", 0, 1, False)]
    (first,) = bench.apart.holds()
    bench.pass_time()
    bench.pass_time()
    (third,) = bench.apart.holds()
    assert (third.attempts, third.since) == (3, first.since)
    assert 3.0 < third.next_try - first.since < 5.0
    assert bench.seqs("sink") == []
    bench.pass_time()
    bench.settle()
    bench.dispatcher.tick(0.0)
    assert [seq for _, seq, _, _ in bench.got("sink")] == [0, 0, 0, 0, 1, 2, 0]
    assert not list(bench.apart.holds())


def test_it_goes_on_only_when_all_that_failed_has_gone_well(
    make: Callable[..., PluginBench], caplog: pytest.LogCaptureFixture
) -> None:
    bench = make({"sink": ["on_tick", "on_status"]})
    failing = {"on_status"}

    def react(call: Call) -> None:
        if call[1] in failing:
            raise Retry(1, f"{call[1]} can't")

    bench.react = react
    bench.receive(1)
    bench.receive(2)
    failing.clear()
    failing.add("on_tick")
    with caplog.at_level(logging.WARNING):
        bench.apart.laggards["sink"].call_later(ON_TICK, (0.0,))
        bench.pass_time()
        bench.pass_time()
        (hold,) = bench.apart.holds()
        assert (hold.why, hold.attempts) == ("on_tick can't", 3)
        assert "goes on" not in caplog.text
        failing.clear()
        bench.pass_time()
    assert caplog.messages[-1].endswith("and was tried 3 times; it is 1 event behind")


def test_a_retry_in_on_error_about_another_plugin_brings_that_call_again(
    make: Callable[..., PluginBench],
) -> None:
    bench = make({"bad": ["on_status"], "watch": ["on_status", "on_error"]})
    failing = {1}

    def react(call: Call) -> None:
        if call[0] == "bad" and call[2] in failing:
            raise ValueError("no")

    waits = raising(("watch", "on_error", 1))
    bench.react = lambda call: (react(call), waits(call))
    bench.receive(1, 2)
    assert bench.seqs("watch") == [1]
    bench.pass_time()
    bench.settle()
    assert bench.got("watch") == [
        ("on_status", 1, 1, False),
        ("on_error", 1, 1, False),
        ("on_error", 1, 1, False),
        ("on_status", 2, 1, False),
    ]
    assert len(set(bench.told)) == 1


def test_it_waits_in_all_accounts_and_misses_nothing_in_any(
    make: Callable[..., PluginBench],
) -> None:
    bench = make({"sink": ["on_status"]}, accounts=["main", "other"])
    bench.receive(1, account="other")
    bench.react = raising(("sink", "on_status", 1))
    bench.receive(1, 2)
    bench.receive(2, 3, account="other")
    assert bench.seqs("sink") == [1, 1]
    bench.pass_time()
    bench.settle()
    assert sorted(bench.seqs("sink")) == [1, 1, 1, 2, 2, 3]
    assert bench.cursors.cursor(own_key("sink", "main")) is None
    assert bench.cursors.cursor(own_key("sink", "other")) is None


def test_the_back_off_grows_and_what_the_plugin_asks_for_holds(
    make: Callable[..., PluginBench],
) -> None:
    bench = make()
    at = ("sink", "on_status", 1)
    bench.react = raising(at, at, at, after=None)
    bench.receive(1)
    (first,) = bench.apart.holds()
    bench.pass_time()
    bench.pass_time()
    (third,) = bench.apart.holds()
    assert (first.attempts, third.attempts) == (1, 3)
    assert first.since == third.since
    assert third.why == "the database is down"
    assert 3.0 < third.next_try - first.since < 5.0  # 4 s, less the time that was passed over
    bench.react = raising(at, after=30.0)
    bench.pass_time()
    (asked,) = bench.apart.holds()
    assert 25 < asked.next_try - asked.since < 35


@pytest.mark.parametrize("after", [-1, 0, float("nan"), float("inf"), "soon", 1e300])
def test_no_number_in_a_retry_stops_the_process(
    make: Callable[..., PluginBench], after: object
) -> None:
    bench = make()
    bench.react = raising(("sink", "on_status", 1), after=after)  # type: ignore[arg-type]
    bench.receive(1)
    (hold,) = bench.apart.holds()
    assert 0 < hold.next_try - hold.since <= 86_400


def test_who_waits_for_what_is_in_the_log_once_and_that_it_goes_on(
    make: Callable[..., PluginBench], caplog: pytest.LogCaptureFixture
) -> None:
    bench = make()
    at = ("sink", "on_status", 1)
    bench.react = raising(at, at, at)
    with caplog.at_level(logging.WARNING):
        bench.receive(1)
        for _ in range(3):
            bench.pass_time()
        bench.settle()
    first, last = caplog.messages
    assert first.startswith("plugin sink waits in on_status at event 1 of account main: the data")
    assert last.startswith("plugin sink goes on: ")
    assert "tried 3 times" in last


def test_without_a_reason_that_from_which_it_was_raised_is_told(
    make: Callable[..., PluginBench],
) -> None:
    bench = make()

    def react(call: Call) -> None:
        if call[0] == "sink":
            try:
                raise ConnectionRefusedError("port 5432")
            except ConnectionRefusedError as error:
                raise Retry(5) from error

    bench.react = react
    bench.receive(1)
    (hold,) = bench.apart.holds()
    assert hold.why == "ConnectionRefusedError: port 5432"


# --- on_start ---------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("no table"), Retry(2.0, "no table")])
def test_events_wait_for_a_plugin_whose_on_start_raises(
    make: Callable[..., PluginBench], error: Exception
) -> None:
    bench = make({"sink": ["on_start", "on_status"], "view": ["on_status"]})
    failures = [error, error]

    def react(call: Call) -> None:
        if call[1] == "on_start" and failures:
            raise failures.pop()

    bench.react = react
    bench.start()
    bench.receive(1, 2)
    bench.pass_time()
    assert bench.seqs("sink") == []
    (hold,) = bench.apart.holds()
    assert "no table" in hold.why
    assert hold.attempts == 2
    bench.pass_time()
    bench.settle()
    assert bench.got("sink", "on_status") == [("on_status", seq, 1, False) for seq in (1, 2)]
    assert bench.seqs("view") == [1, 2]
    assert not list(bench.apart.holds())


# --- failures that can't be written -----------------------------------------------------------


def test_a_failure_that_cannot_be_written_holds_the_plugin_and_no_call_is_made_twice(
    make: Callable[..., PluginBench],
) -> None:
    bench = make({"sink": ["on_status", "on_batch"], "view": ["on_status"]})

    def react(call: Call) -> None:
        if call[:3] == ("sink", "on_status", 2):
            raise ValueError("bad event")

    bench.react = react
    bench.letters._retry_at = 0.0
    bench.journal_has([1, 2, 3])
    with no_room():
        bench.take(1, 2, 3)
        assert bench.cursors.cursor(own_key("sink", "main")) == 0
        (hold,) = bench.apart.holds()
        assert "dead letters can't be written" in hold.why
        bench.pass_time()
        assert list(bench.apart.holds())
    bench.receive(4)
    assert bench.seqs("view") == [1, 2, 3, 4]
    assert bench.seqs("sink") == [1, 2, 3]
    bench.letters._retry_at = 0.0
    bench.pass_time()
    bench.settle()
    assert bench.got("sink", "on_status") == [("on_status", n, 1, False) for n in (1, 2, 3, 4)]
    assert bench.seqs("sink", "on_batch") == [1, 2, 3, 4]
    assert bench.letter_states() == [("sink", 2, "dead")]


# --- dead letters -----------------------------------------------------------------------------


def test_a_letter_that_raises_retry_waits_with_its_plugin_and_comes_again(
    make: Callable[..., PluginBench],
) -> None:
    bench = make()
    failing = True

    def react(call: Call) -> None:
        if failing and call[0] == "sink":
            raise ValueError("no")

    bench.react = react
    bench.receive(1)
    with DeadLetters(bench.letters_file) as letters:
        letters.mark([1])
    failing = False
    bench.react = raising(("sink", "on_status", 1))
    bench.letter_calls.deliver(bench.dispatcher.awake(), 60.0)
    bench.apart.settle_others()
    assert bench.letter_states() == [("sink", 1, "retry")]
    bench.receive(2)
    assert 2 not in bench.seqs("sink")
    bench.pass_time()
    bench.settle()
    bench.letter_calls.deliver(bench.dispatcher.awake(), 60.0)
    assert bench.letter_states() == [("sink", 1, "delivered")]
    assert bench.got("sink") == [
        ("on_status", 1, 1, False),
        ("on_status", 1, 2, False),
        ("on_status", 2, 1, False),
        ("on_status", 1, 3, False),
    ]


def test_what_found_no_room_among_the_dead_letters_is_told_once_in_a_while(
    make: Callable[..., PluginBench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make({"bad": ["on_status"], "watch": ["on_error"]})

    def react(call: Call) -> None:
        if call[0] == "bad":
            raise ValueError("no")

    bench.react = react
    monkeypatch.setattr(DeadLetters, "_has_room", lambda *_: False)
    bench.receive(1, 2)
    bench.told.clear()
    bench.apart.tell_dropped()
    bench.receive(3)
    bench.told.clear()
    bench.apart.tell_dropped()
    assert bench.told == []
    monkeypatch.setattr(plugin_positions, "REMIND", 0.0)
    bench.apart._dropped_told.clear()
    bench.receive(4)
    bench.told.clear()
    bench.apart.tell_dropped()
    ((plugin, text),) = bench.told
    assert plugin == "watch"
    assert "plugin bad has so many dead letters" in text
    assert "2 failed events were not kept" in text


# --- gaps and poison --------------------------------------------------------------------------


def test_what_the_journal_no_longer_has_is_a_gap_for_the_plugin_that_waited_alone(
    make: Callable[..., PluginBench],
) -> None:
    bench = make({"sink": ["on_status", "on_error"], "view": ["on_status", "on_error"]})
    bench.react = raising(("sink", "on_status", 1))
    bench.take(1, 2)  # and the journal has none of them
    bench.receive(3)
    bench.pass_time()
    bench.settle()
    assert [plugin for plugin, _ in bench.told] == ["sink"]
    assert "events 1 to 2 can't be delivered" in bench.told[0][1]
    assert bench.seqs("sink") == [1, 3]


def test_an_event_that_killed_a_process_passes_a_plugin_by_also_where_it_is_apart(
    make: Callable[..., PluginBench],
) -> None:
    bench = make(poison={3: {"sink"}})
    bench.react = raising(("sink", "on_status", 2))
    bench.cursors.put_in_flight("main", 3)
    bench.start()
    bench.receive(1, 2, 3, 4)
    bench.pass_time()
    bench.settle()
    assert bench.seqs("sink") == [1, 2, 2, 4]
    assert bench.seqs("view") == [1, 2, 3, 4]


# --- deaths -----------------------------------------------------------------------------------


def test_a_wait_outlasts_the_process_and_nothing_of_it_is_in_doubt(
    make: Callable[..., PluginBench],
) -> None:
    bench = make({"sink": ["on_raw_message", "on_status", "on_batch"], "view": ["on_status"]})
    at = ("sink", "on_batch", 3)
    bench.react = raising(at, at, at, after=None)
    bench.receive(1, 2, 3)
    bench.pass_time()
    (before,) = bench.apart.holds()
    bench.calls.clear()
    bench.start()
    (after,) = bench.apart.holds()
    assert (after.since, after.attempts, after.why) == (before.since, 2, "the database is down")
    bench.turn()
    (again,) = bench.apart.holds()
    assert (again.since, again.attempts) == (before.since, 3)
    assert again.next_try - again.since > 3.0
    bench.start()
    bench.turn()
    bench.receive(4)
    bench.settle()
    # No hook that had returned is called again.
    assert bench.got("sink") == [
        *(("on_batch", seq, 3, False) for seq in (1, 2, 3)),
        *(("on_batch", seq, 4, False) for seq in (1, 2, 3)),
        *((hook, 4, 1, False) for hook in ("on_raw_message", "on_status", "on_batch")),
    ]
    assert not (bench.folder / "waiting" / "sink.json").exists()


@pytest.mark.parametrize("damage", ["", "cut", "gone"])
def test_a_process_that_died_in_a_later_try_leaves_a_doubt(
    make: Callable[..., PluginBench], damage: str
) -> None:
    bench = make({"sink": ["on_status"], "view": ["on_status"]})
    bench.react = raising(("sink", "on_status", 2))
    bench.receive(1, 2, 3)

    def die(call: Call) -> None:
        raise Died

    bench.apart.laggards["sink"].own["main"].deliver = die  # type: ignore[assignment,method-assign]
    with pytest.raises(Died):
        bench.pass_time()
    file = bench.folder / "waiting" / "sink.json"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-2])
    elif damage == "gone":
        file.unlink()
    bench.react = lambda call: None
    bench.calls.clear()
    bench.start()
    bench.turn()
    bench.settle()
    attempt = 1 if damage else 2
    assert bench.got("sink")[0] == ("on_status", 2, attempt, True)
    assert bench.got("sink")[-1][1] == 3


def test_a_wait_whose_file_is_lost_comes_again_as_a_doubt(
    make: Callable[..., PluginBench],
) -> None:
    bench = make()
    bench.react = raising(("sink", "on_status", 2), ("sink", "on_status", 2))
    bench.receive(1, 2, 3)
    bench.pass_time()
    (bench.folder / "waiting" / "sink.json").unlink()
    bench.calls.clear()
    bench.start()
    bench.settle()
    assert bench.got("sink") == [("on_status", 2, 1, True), ("on_status", 3, 1, False)]


def test_on_tick_that_waited_is_called_first_in_the_next_process(
    make: Callable[..., PluginBench],
) -> None:
    bench = make({"sink": ["on_tick", "on_status"]})
    at = ("sink", "on_tick", 0)
    bench.react = raising(at, at)
    bench.dispatcher.tick(0.0)
    bench.apart.settle_others()
    bench.start()
    bench.turn()
    (hold,) = bench.apart.holds()
    assert hold.attempts == 2
    bench.receive(1)
    bench.pass_time()
    bench.settle()
    assert [seq for _, seq, _, _ in bench.got("sink")] == [0, 0, 0, 1]
    assert not bench.apart.laggards


class Died(BaseException):
    pass


class Mortal(Cursors):
    """Cursors whose process dies before or after one of their stores."""

    lives = 0

    def _set(self, place: int, done: int, in_flight: int) -> None:
        self._die()
        super()._set(place, done, in_flight)
        self._die()

    def _die(self) -> None:
        self.lives -= 1
        if not self.lives:
            raise Died


HOOK_SETS = st.sampled_from(
    [["on_status"], ["on_status", "on_batch"], ["on_batch"], ["on_raw_message", "on_status"]]
)


@settings(max_examples=100, deadline=None)
@given(
    hooks=st.tuples(HOOK_SETS, HOOK_SETS),
    batches=st.lists(st.integers(1, 5), min_size=1, max_size=12),
    faults=st.lists(st.integers(0, 9), max_size=60),
    turns=st.lists(st.integers(0, 2), max_size=12),
    deaths=st.lists(st.integers(1, 25), max_size=6),
    slice_size=st.integers(1, 6),
    collects=st.sampled_from([0, 0, 1, 3, 50]),
)
@example((["on_status"], ["on_status"]), [1], [0], [], [10], 1, 0)
def test_whoever_waits_and_whenever_it_dies_nothing_is_missed_early_or_twice_without_a_mark(
    hooks: tuple[list[str], list[str]],
    batches: list[int],
    faults: list[int],
    turns: list[int],
    deaths: list[int],
    slice_size: int,
    collects: int,
) -> None:
    wanted = {"a": Subscription(max_events=collects, max_wait=1e9)} if collects else {}
    plugins = dict(zip("ab", hooks, strict=True))
    with TemporaryDirectory() as name:
        slots = ["main", *(own_key(plugin, "main") for plugin in plugins)]
        cursors = Mortal(None, dict.fromkeys(slots, UNSET))
        bench = PluginBench(
            Path(name), plugins, cursors=cursors, slice_size=slice_size, wanted=wanted
        )
        # Calls of this process and of those before it, and in which process each was.
        life, calls, returned = 0, list[tuple[int, Call]](), list[Call]()
        # Who died in a call doubts an event more: it is level when those have come.
        more = len(deaths) + 1
        faults, turns, deaths = faults[::-1], turns[::-1], deaths[::-1]

        def react(call: Call) -> None:
            calls.append((life, call))
            if faults and faults.pop() < 3:
                raise Retry(1)
            returned.append(call)

        bench.react = react
        last = 0
        for size in batches:
            numbers = range(last + 1, last + size + 1)
            last += size
            bench.journal_has(numbers)
            cursors.lives = deaths.pop() if deaths else 0
            try:
                bench.take(*numbers)
                bench.pass_time(steps=turns.pop() if turns else 1)
            except Died:
                cursors.lives = 0
                life += 1
                bench.start()
                bench.deliveries["main"].catch_up()
                while bench.deliveries["main"].busy:
                    bench.deliveries["main"].step()
        faults.clear()
        cursors.lives = 0
        numbers = range(last + 1, last + more + 1)
        last += more
        bench.journal_has(numbers)
        bench.take(*numbers)
        bench.apart.flush()
        for _ in range(5):
            bench.pass_time()
            bench.settle()
        assert bench.apart.laggards.keys() == wanted.keys()
        bench.close()
    for plugin, wanted in plugins.items():
        for hook in wanted:
            mine = [call for call in bench.calls if call[:2] == (plugin, hook)]
            first_times = list(dict.fromkeys(call[2] for call in mine))
            assert first_times == list(range(1, last + 1))
            for number, call in enumerate(mine):
                if call[2] in [earlier[2] for earlier in mine[:number]]:
                    assert call[4] or call[3] > 1, call
            once = [call[2:4] for call in mine if not call[4]]
            assert len(set(once)) == len(once)
