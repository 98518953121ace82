"""What was read over REST reaches the plugins in parts, each once."""

from __future__ import annotations

import json

import pytest

from qehost.connection import handover
from qehost.connection.handover import Handover
from qehost.events.codec import Record
from qehost.events.pipeline import Pipeline

AT = 1_790_000_000 * 10**9


def orders(count: int) -> list[str]:
    return [
        json.dumps({"id": str(number), "masterOrderId": "m", "status": "PLACED"})
        for number in range(count)
    ]


def test_it_comes_in_parts_and_says_when_that_was_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "SLICE", 3)
    pipeline, parts = Pipeline("main"), list[list[Record]]()
    found = Handover([], orders(7), pipeline.reading())
    ends = [found.step(pipeline, lambda records: parts.append(list(records))) for _ in range(3)]
    assert ends == [False, False, True]
    assert [len(part) for part in parts] == [3, 3, 1]
    assert found.events == 7


def test_what_can_not_be_read_does_not_count_as_something_that_rest_knows() -> None:
    pipeline, emitted = Pipeline("main"), list[Record]()
    found = Handover(["null"], [], pipeline.reading())
    assert found.step(pipeline, emitted.extend)
    assert len(emitted) == 1
    assert found.events == 0


def test_nothing_is_over_at_once() -> None:
    pipeline, emitted = Pipeline("main"), list[Record]()
    assert Handover([], [], pipeline.reading()).step(pipeline, emitted.extend)
    assert emitted == []
