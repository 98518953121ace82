"""The last texts are found by their numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qehost.events.recent_texts import RecentTexts


@given(st.lists(st.lists(st.text(max_size=3), max_size=5)), st.integers(1, 10))
def test_the_last_ones_are_found_and_the_others_are_not(
    batches: list[list[str]], size: int
) -> None:
    recent, texts = RecentTexts(size, 10**6), [""]
    for batch in batches:
        assert recent.add(batch) == len(texts)
        texts += batch
    assert recent.number == len(texts) - 1
    for number, text in enumerate(texts):
        is_kept = number > max(0, recent.number - size)
        assert recent.get(number) == (text if is_kept else None)


def test_large_texts_take_no_more_room_than_small_ones() -> None:
    recent = RecentTexts(1000, 5000)
    for _ in range(100):
        recent.add(["x" * 1000, "y" * 10])
    assert [recent.get(number) for number in (192, 191)] == ["y" * 10, None]
    recent.add(["z" * 6000])  # is not kept, and neither is what came before it
    assert recent.get(recent.number) is None
    recent.add(["small"])
    assert recent.get(recent.number) == "small"
