"""What was delivered is remembered, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qehost.once import Once

ids = st.lists(st.text("abcdef", min_size=1, max_size=2), max_size=60)


def test_an_id_is_seen_once_it_was_added() -> None:
    once = Once()
    assert once.first("a")
    assert not once.first("a")


def test_no_id_is_never_a_duplicate() -> None:
    once = Once()
    assert once.first("")
    assert once.first("")
    assert len(once) == 0


@given(ids, st.integers(1, 8))
def test_the_last_ids_are_certain_and_the_memory_is_bounded(added: list[str], size: int) -> None:
    once = Once(size)
    for id_ in added:
        once.first(id_)
        assert not once.first(id_)
        assert len(once) <= 2 * size
    distinct = list(dict.fromkeys(reversed(added)))
    assert not any(once.first(id_) for id_ in distinct[:size])


def test_an_id_that_comes_again_stays_remembered() -> None:
    once = Once(2)
    for id_ in ("a", "b", "a", "c", "a"):
        once.first(id_)
    assert not once.first("a")


def test_an_id_that_was_forgotten_is_new() -> None:
    once = Once(2)
    for id_ in ("a", "b", "c"):
        once.first(id_)
    for id_ in ("a", "c"):
        once.forget(id_)
        assert once.first(id_)
