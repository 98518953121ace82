"""What was delivered is remembered, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qehost.once import Once

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
