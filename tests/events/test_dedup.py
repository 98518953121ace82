"""What was delivered is remembered, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qehost.events.dedup import Dedup, Seen
from qehost.events.recent_texts import RecentTexts

ids = st.lists(st.text("abcdef", min_size=1, max_size=2), max_size=60)


class _Messages:
    """What comes, with the `kept` last texts for comparison."""

    def __init__(self, size: int = 100, kept: int = 1000) -> None:
        self.texts = RecentTexts(kept, 10**6)
        self.dedup = Dedup(self.texts, size)

    def see(self, id_: str, text: str) -> Seen | None:
        return self.dedup.see(id_, text, self.texts.add((text,)))


def test_a_message_is_a_repeat_if_its_id_and_its_content_came_before() -> None:
    messages = _Messages()
    assert messages.see("a", "x") is None
    assert messages.see("a", "x") is Seen.REPEAT
    assert messages.see("a", "y") is Seen.OTHER
    assert messages.see("a", "x") is Seen.REPEAT
    assert messages.see("a", "y") is Seen.REPEAT
    assert messages.see("a", "z") is Seen.OTHER
    assert messages.see("b", "x") is None


def test_of_a_message_that_is_long_past_it_is_not_known_whether_it_comes_again() -> None:
    messages = _Messages(kept=3)
    for id_ in ("a", "b", "c", "d"):
        messages.see(id_, "x")
    assert messages.see("a", "x") is Seen.PERHAPS
    assert messages.see("a", "x") is Seen.REPEAT


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"))), st.integers(1, 8))
def test_no_message_is_dropped_that_did_not_come_before(
    came: list[tuple[str, str]], kept: int
) -> None:
    messages = _Messages(kept=kept)
    for place, message in enumerate(came):
        seen = messages.see(*message)
        if seen is Seen.REPEAT:
            assert message in came[:place]
        elif seen is not Seen.PERHAPS:
            assert message not in came[:place]


def test_no_id_is_never_a_repeat() -> None:
    messages = _Messages()
    assert messages.see("", "x") is None
    assert messages.see("", "x") is None
    assert len(messages.dedup) == 0


@given(ids, st.integers(1, 8))
def test_the_last_ids_are_certain_and_the_memory_is_bounded(added: list[str], size: int) -> None:
    messages = _Messages(size)
    for id_ in added:
        messages.see(id_, "x")
        assert messages.see(id_, "x") is Seen.REPEAT
        assert len(messages.dedup) <= 2 * size
    distinct = list(dict.fromkeys(reversed(added)))
    assert all(messages.see(id_, "x") is Seen.REPEAT for id_ in distinct[:size])


def test_an_id_that_comes_again_stays_remembered() -> None:
    messages = _Messages(2)
    for id_ in ("a", "b", "a", "c", "a"):
        messages.see(id_, "x")
    assert messages.see("a", "x") is Seen.REPEAT


def test_an_id_that_was_forgotten_is_new() -> None:
    messages = _Messages(2)
    for id_ in ("a", "b", "c"):
        messages.see(id_, "x")
    for id_ in ("a", "c"):
        messages.dedup.forget(id_)
        assert messages.see(id_, "x") is None
