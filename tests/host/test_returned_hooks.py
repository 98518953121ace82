"""Which hooks come again after a `Retry`: those that had not returned, and no others."""

from __future__ import annotations

import pytest
from plugin_bench import event

from qehost.host.arguments import NAMES
from qehost.host.returned_hooks import (
    NOTHING_RETURNED,
    ON_BATCH,
    ON_RAW_MESSAGE,
    ReturnedHooks,
    Step,
    had,
    not_had,
)

ON_STATUS = NAMES.index("on_status")
EVENTS = [event(7), event(8)]


def steps() -> list[Step]:
    """All of a slice of two events."""
    one_by_one = [
        (hook, (), (), (each,), each.seq) for each in EVENTS for hook in (ON_RAW_MESSAGE, ON_STATUS)
    ]
    return [*one_by_one, (ON_BATCH, (), (), tuple(EVENTS), 7)]


def left(so_far: ReturnedHooks) -> list[tuple[str, list[int]]]:
    return [
        (NAMES[hook], [e.seq for e in found]) for hook, _, _, found, _ in not_had(steps(), so_far)
    ]


def test_all_hooks_are_left_of_what_nothing_was_had_of() -> None:
    assert left(NOTHING_RETURNED) == [
        ("on_raw_message", [7]),
        ("on_status", [7]),
        ("on_raw_message", [8]),
        ("on_status", [8]),
        ("on_batch", [7, 8]),
    ]


@pytest.mark.parametrize(
    ("number", "first_left"),
    [(0, "on_raw_message 7"), (1, "on_status 7"), (2, "on_raw_message 8"), (3, "on_status 8")],
)
def test_a_call_that_raised_is_the_first_that_is_left(number: int, first_left: str) -> None:
    hook, _, _, events, _ = steps()[number]
    name, seqs = left(had(hook, events, returned=False))[0]
    assert f"{name} {seqs[0]}" == first_left


def test_of_a_batch_that_raised_the_batch_alone_is_left() -> None:
    assert left(had(ON_BATCH, EVENTS, returned=False)) == [("on_batch", [7, 8])]
    assert left(had(ON_BATCH, EVENTS, returned=True)) == []


def test_of_a_batch_that_was_had_in_part_the_rest_is_left() -> None:
    assert left(ReturnedHooks(8, 8, 7)) == [("on_batch", [8])]


def test_what_was_had_before_counts_too() -> None:
    assert ReturnedHooks(3, 2, 1).and_(ReturnedHooks(2, 2, 2)) == ReturnedHooks(3, 2, 2)
