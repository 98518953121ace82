"""What was delivered is remembered, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qehost.once import Once, States

ids = st.lists(st.text("abcdef", min_size=1, max_size=2), max_size=60)


def test_an_id_is_seen_once_it_was_added() -> None:
    once = Once()
    assert not once.seen("a")
    once.add("a")
    assert once.seen("a")


def test_no_id_is_never_a_duplicate() -> None:
    once = Once()
    once.add("")
    assert not once.seen("")
    assert len(once) == 0


@given(ids, st.integers(1, 8))
def test_the_last_ids_are_certain_and_the_memory_is_bounded(added: list[str], size: int) -> None:
    once = Once(size)
    for id_ in added:
        once.add(id_)
        assert once.seen(id_)
        assert len(once) <= 2 * size
    distinct = list(dict.fromkeys(reversed(added)))
    assert all(once.seen(id_) for id_ in distinct[:size])


def test_an_id_that_comes_again_stays_remembered() -> None:
    once = Once(2)
    for id_ in ("a", "b", "a", "c", "a"):
        once.add(id_)
    assert once.seen("a")


def test_a_state_that_the_stream_brought_is_not_caught_up() -> None:
    states = States()
    assert states.streamed("o", (10, "PLACED", 0.0))
    assert not states.caught_up("o", (10, "PLACED", 0.0))
    assert states.caught_up("other", (10, "PLACED", 0.0))


def test_a_state_that_was_caught_up_is_not_streamed_again() -> None:
    states = States()
    assert states.caught_up("o", (10, "PLACED", 0.0))
    assert not states.streamed("o", (10, "PLACED", 0.0))
    assert not states.caught_up("o", (10, "PLACED", 0.0))
    assert states.streamed("o", (11, "FILLED", 1.0))


def test_the_stream_is_never_held_back_for_its_own_states() -> None:
    states = States()
    assert states.streamed("o", (10, "PLACED", 0.0))
    assert states.streamed("o", (10, "PLACED", 0.0))
    assert states.streamed("o", (9, "PLACED", 0.0))


def test_rest_does_not_take_an_order_back_in_time() -> None:
    states = States()
    states.streamed("o", (10, "FILLED", 1.0))
    states.streamed("o", (9, "PLACED", 0.5))  # late
    assert not states.caught_up("o", (8, "PLACED", 0.0))
    assert not states.caught_up("o", (9, "PLACED", 0.5))
    assert states.caught_up("o", (11, "CANCELLED", 1.0))


def test_a_state_that_grew_is_new_whatever_its_time() -> None:
    states = States()
    states.streamed("o", (10, "PLACED", 0.5))
    assert states.caught_up("o", (9, "FILLED", 1.0), grew=True)
    assert not states.streamed("o", (9, "FILLED", 1.0))


def test_states_at_one_time_are_told_apart() -> None:
    states = States()
    states.streamed("o", (10, "PLACED", 0.0))
    states.streamed("o", (10, "FILLED", 1.0))
    assert not states.caught_up("o", (10, "PLACED", 0.0))
    assert not states.caught_up("o", (10, "FILLED", 1.0))
    assert states.caught_up("o", (10, "CANCELLED", 1.0))


def test_a_state_without_a_time_is_only_compared() -> None:
    states = States()
    states.streamed("o", (10, "FILLED", 1.0))
    assert states.caught_up("o", (0, "CANCELLED", 1.0))
    assert not states.caught_up("o", (0, "CANCELLED", 1.0))


def test_the_memory_of_states_is_bounded_and_keeps_the_last() -> None:
    states = States(10)
    for number in range(100):
        states.streamed(number, (1, "NEW", 0.0))
        assert len(states) <= 20
    assert not any(states.caught_up(number, (1, "NEW", 0.0)) for number in range(90, 100))
