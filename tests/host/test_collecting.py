"""A plugin whose on_batch waits for more events is always apart: the others get them at once, and
its cursor waits with the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from plugin_bench import Call, PluginBench

from qehost.errors import Retry
from qehost.host.subscription import Subscription
from qehost.messages import Event
from qehost.storage.cursor_file import own_key

PLUGINS = {"sink": ["on_status", "on_batch"], "view": ["on_status", "on_batch"]}
COLLECTS = {"sink": Subscription(max_events=4, max_wait=1000.0)}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., PluginBench]]:
    made: list[PluginBench] = []

    def make(plugins: dict[str, Sequence[str]] = PLUGINS, **options: object) -> PluginBench:
        options.setdefault("wanted", COLLECTS)
        made.append(PluginBench(tmp_path, plugins, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for bench in made:
        bench.close()


def batches(bench: PluginBench) -> list[list[int]]:
    """What each call of the sink's on_batch got: after its typed hooks come those of the batch."""
    found: list[list[int]] = []
    before = ""
    for plugin, hook, seq, _, _ in bench.calls:
        if plugin == "sink":
            if hook == "on_batch":
                if before != hook:
                    found.append([])
                found[-1].append(seq)
            before = hook
    return found


def let_wait(bench: PluginBench) -> None:
    """What waits has waited for long enough."""
    for laggard in bench.apart.laggards.values():
        for own in laggard.own.values():
            assert own.collector is not None
            times = own.collector._times
            own.collector._times = type(times)((last, -1e9) for last, _ in times)
    bench.turn()


def cursor(bench: PluginBench) -> int | None:
    return bench.cursors.cursor(own_key("sink", "main"))


def test_a_full_batch_is_delivered_and_the_others_wait_for_nothing(
    make: Callable[..., PluginBench],
) -> None:
    bench = make()
    for seq in range(1, 10):
        bench.receive(seq)
        assert bench.seqs("view")[-1] == seq
        bench.turn()
    assert batches(bench) == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert cursor(bench) == 8
    assert bench.seqs("sink") == list(range(1, 9))


def test_what_has_waited_long_enough_is_a_batch(make: Callable[..., PluginBench]) -> None:
    bench = make()
    bench.receive(1, 2)
    bench.turn(5)
    assert batches(bench) == []
    assert cursor(bench) == 0
    let_wait(bench)
    assert batches(bench) == [[1, 2]]
    assert cursor(bench) == 2


def test_at_the_end_what_waits_is_delivered(make: Callable[..., PluginBench]) -> None:
    bench = make()
    bench.receive(1, 2, 3)
    bench.turn()
    assert not bench.apart.is_drained()
    bench.apart.flush()
    bench.settle()
    assert batches(bench) == [[1, 2, 3]]


def test_a_backlog_in_small_records_makes_full_batches(make: Callable[..., PluginBench]) -> None:
    bench = make()
    for seq in range(1, 7):
        bench.receive(seq)
    bench.journal_has([7, 8, 9], [10])
    bench.start()
    bench.deliveries["main"].catch_up()
    while bench.deliveries["main"].busy:
        bench.deliveries["main"].step()
    bench.turn(10)
    assert batches(bench) == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert bench.got("sink", "on_batch")[-1] == ("on_batch", 8, 1, False)


def test_events_that_the_journal_does_not_have_are_collected_all_the_same(
    make: Callable[..., PluginBench],
) -> None:
    bench = make()
    for seq in range(1, 9):
        bench.take(seq)
        bench.turn()
    assert batches(bench) == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert bench.told == []


def test_a_process_that_dies_before_the_batch_is_full_leaves_all_of_it_to_the_next_one(
    make: Callable[..., PluginBench],
) -> None:
    bench = make()
    bench.receive(1, 2, 3)
    bench.turn()
    bench.start()
    bench.receive(4)
    bench.turn()
    assert batches(bench) == [[1, 2, 3, 4]]
    # No call had begun, so none is in doubt.
    assert {again for _, _, _, again in bench.got("sink")} == {False}


class Died(BaseException):
    pass


def die_in_the_next_call(bench: PluginBench) -> None:
    own = bench.apart.laggards["sink"].own["main"]
    deliver = own._dispatcher.deliver

    def dies(*arguments: object) -> int:
        deliver(*arguments)  # type: ignore[arg-type]
        raise Died

    own._dispatcher.deliver = dies  # type: ignore[method-assign, assignment]


def test_a_process_that_dies_in_the_batch_brings_all_of_it_again_marked(
    make: Callable[..., PluginBench],
) -> None:
    bench = make()
    bench.receive(1, 2, 3, 4)
    die_in_the_next_call(bench)
    with pytest.raises(Died):
        bench.turn()
    bench.calls.clear()
    bench.start()
    bench.receive(5)
    bench.turn(10)
    bench.apart.flush()
    bench.turn(10)
    assert bench.got("sink", "on_batch") == [
        *(("on_batch", seq, 1, True) for seq in (1, 2, 3, 4)),
        ("on_batch", 5, 1, False),
    ]


def test_a_batch_that_raises_retry_waits_and_comes_again_while_the_others_go_on(
    make: Callable[..., PluginBench],
) -> None:
    bench = make()
    failing = True

    def react(call: Call) -> None:
        if failing and call[:2] == ("sink", "on_batch"):
            raise Retry(1, "no database")

    bench.react = react
    bench.receive(1, 2, 3, 4)
    bench.turn()
    (hold,) = bench.apart.holds()
    assert hold.why == "no database"
    bench.receive(5, 6)
    assert bench.seqs("view") == [1, 2, 3, 4, 5, 6]
    assert cursor(bench) == 0
    failing = False
    bench.pass_time()
    assert bench.got("sink", "on_batch")[4:] == [("on_batch", n, 2, False) for n in (1, 2, 3, 4)]
    assert not list(bench.apart.holds())
    let_wait(bench)
    assert batches(bench)[-1][-2:] == [5, 6]
    assert bench.seqs("sink") == [1, 2, 3, 4, 5, 6]


def test_a_filtered_event_counts_as_handled(make: Callable[..., PluginBench]) -> None:
    wanted = {"sink": Subscription(kinds=frozenset({"fill"}))}
    bench = make({"sink": ["on_raw_message", "on_status", "on_batch", "on_tick"]}, wanted=wanted)
    bench.receive(1, 2)
    bench.dispatcher.tick(0.0)
    assert bench.got("sink") == [("on_tick", 0, 1, False)]
    assert bench.cursors.cursor("main") == 2
    (did,) = bench.dispatcher.statistics()
    assert did.calls == 1


def test_on_error_of_a_filtered_plugin_tells_of_the_others(
    make: Callable[..., PluginBench],
) -> None:
    wanted = {"watch": Subscription(kinds=frozenset({"fill"}))}
    bench = make({"bad": ["on_status"], "watch": ["on_status", "on_error"]}, wanted=wanted)

    def react(call: Call) -> None:
        if call[0] == "bad":
            raise ValueError("no")

    bench.react = react
    bench.receive(1)
    assert bench.got("watch") == [("on_error", 1, 1, False)]


# --- filters ------------------------------------------------------------------------------------


class Tens(Subscription, frozen=True):
    """Every tenth event."""

    filters = True

    def wants(self, event: Event) -> bool:
        return event.seq % 10 == 0


TENS = {"sink": Tens(max_events=3, max_wait=1000.0)}


def test_a_batch_is_full_when_it_has_so_many_that_are_wanted(
    make: Callable[..., PluginBench],
) -> None:
    bench = make(wanted=TENS)
    for seq in range(1, 65):
        bench.receive(seq)
        bench.turn()
        assert bench.seqs("view")[-1] == seq
    assert batches(bench) == [[10, 20, 30], [40, 50, 60]]
    assert bench.seqs("sink") == [10, 20, 30, 40, 50, 60]
    assert cursor(bench) == 60


def test_the_cursor_passes_over_what_is_not_wanted_after_max_wait(
    make: Callable[..., PluginBench],
) -> None:
    bench = make(wanted=TENS)
    bench.receive(*range(1, 15))
    let_wait(bench)
    assert batches(bench) == [[10]]
    assert cursor(bench) == 14
    bench.receive(15, 16)
    let_wait(bench)
    assert cursor(bench) == 16
    assert batches(bench) == [[10]]


@pytest.mark.parametrize("at_once", [1, 7, 25])
def test_a_backlog_makes_full_batches_of_what_is_wanted(
    make: Callable[..., PluginBench], at_once: int
) -> None:
    bench = make(wanted=TENS)
    for first in range(1, 96, at_once):
        bench.journal_has([*range(first, min(first + at_once, 96))])
    bench.deliveries["main"].catch_up()
    while bench.deliveries["main"].busy:
        bench.deliveries["main"].step()
    # They came before this process: nobody knows how many of them are wanted.
    bench.start()
    bench.turn(20)
    assert batches(bench) == [[10, 20, 30], [40, 50, 60], [70, 80, 90]]
    assert cursor(bench) == 95


def test_a_long_backlog_that_is_not_wanted_holds_up_nobody(
    make: Callable[..., PluginBench],
) -> None:
    bench = make(wanted={"sink": Tens(max_events=200, max_wait=1000.0)})
    bench.receive(*range(1, 1801))
    bench.start()
    bench.turn()
    assert batches(bench) == []
    bench.settle()
    assert batches(bench) == [[*range(10, 1801, 10)]]


def test_a_batch_of_wanted_events_that_waits_comes_again_whole(
    make: Callable[..., PluginBench],
) -> None:
    bench = make(wanted=TENS)
    failing = True

    def react(call: Call) -> None:
        if failing and call[:2] == ("sink", "on_batch"):
            raise Retry(1, "no database")

    bench.react = react
    bench.receive(*range(1, 35))
    bench.turn()
    assert cursor(bench) == 0
    bench.receive(*range(35, 41))
    failing = False
    bench.pass_time()
    bench.turn(5)
    assert bench.got("sink", "on_batch") == [
        *(("on_batch", seq, 1, False) for seq in (10, 20, 30)),
        *(("on_batch", seq, 2, False) for seq in (10, 20, 30)),
    ]
    assert bench.got("sink", "on_status") == [("on_status", seq, 1, False) for seq in (10, 20, 30)]
    assert cursor(bench) == 30
    bench.apart.flush()
    bench.settle()
    assert batches(bench)[1:] == [[40]]
    assert cursor(bench) == 40


def test_a_process_that_dies_in_a_batch_brings_what_was_wanted_again_marked(
    make: Callable[..., PluginBench],
) -> None:
    bench = make(wanted=TENS)

    bench.receive(*range(1, 35))
    die_in_the_next_call(bench)
    with pytest.raises(Died):
        bench.turn()
    bench.calls.clear()
    bench.start()
    bench.apart.flush()
    bench.settle()
    assert bench.got("sink", "on_batch") == [("on_batch", seq, 1, True) for seq in (10, 20, 30)]
    assert cursor(bench) == 34
