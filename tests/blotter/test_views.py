from __future__ import annotations

import json
from decimal import Decimal

from qehost.blotter import Blotter, MasterState
from qehost.testing import Events

START = 1_764_036_000_000


def master(**fields: object) -> MasterState:
    given = {"start_time_ms": START, "duration_secs": 60, **fields}
    events = Events(start_ms=START)
    made = Blotter().add(events.master_order(**given)).master  # type: ignore[arg-type]
    assert made is not None
    return made


def test_the_schedule_runs_from_the_start_to_the_planned_duration() -> None:
    order = master()
    assert order.schedule(START + 15_000) == 0.25
    assert order.schedule(START + 1_000_000) == 1.0
    assert master(status="COMPLETED").schedule(START + 15_000) is None
    assert master(duration_secs=0).schedule(START) is None


def test_time_runs_until_the_end() -> None:
    assert master().elapsed(START + 5_000) == 5.0
    ended = master(status="COMPLETED", finished_ms=START + 30_000)
    assert ended.elapsed(START + 90_000) == 30.0
    assert master().elapsed(START - 5_000) == 0.0


def test_an_order_is_silent_since_something_was_heard_of_it() -> None:
    assert master().silent_for(START + 2_500) == 2.5


def test_decimals_are_text_in_a_dictionary() -> None:
    made = master(total_quantity="1.50", commission={"USDT": Decimal("0.10")}).as_dict()
    assert (made["target"], made["fees"]) == ("1.50", {"USDT": "0.10"})
    assert json.loads(json.dumps(made)) == {**made, "open_children": []}


def test_a_fill_has_the_name_of_its_event() -> None:
    fill = Blotter().add(Events().fill(seq=7)).fill
    assert fill is not None
    assert fill.name == ("0123456789abcdef", "main", 7)
