"""Faults as they are written, and when they strike.  No socket."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.simulator.faults import (
    KINDS,
    Fault,
    FaultSchedule,
    RandomFaults,
    describe_faults,
    parse,
)


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("drop", Fault("drop", every=10.0)),
        ("drop=5s", Fault("drop", every=5.0)),
        (" drop=250ms ", Fault("drop", every=0.25)),
        ("reset=2m", Fault("reset", every=120.0)),
        ("duplicate", Fault("duplicate", probability=0.05)),
        ("torn=0.5%", Fault("torn", probability=0.005)),
        ("close-at-open=100%", Fault("close-at-open", probability=1.0)),
        ("clock=+90s", Fault("clock", value=90.0)),
        ("clock=-1.5s", Fault("clock", value=-1.5)),
        ("clock", Fault("clock", value=90.0)),
        ("expire-key=3s", Fault("expire-key", value=3.0)),
        ("keep-old", Fault("keep-old")),
        ("clock-step=-1h", Fault("clock-step", every=20.0, value=-3600.0)),
        ("clock-step=+3m,5s", Fault("clock-step", every=5.0, value=180.0)),
        ("whole-seconds", Fault("whole-seconds")),
        ("resting=10m", Fault("resting", value=600.0)),
        ("amend=20%", Fault("amend", probability=0.2)),
        ("random=7", Fault("random", every=2.0, value=7)),
        ("random=7,500ms", Fault("random", every=0.5, value=7)),
    ],
)
def test_a_fault_is_read(spec: str, fault: Fault) -> None:
    assert parse(spec) == fault


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("dorp", "did you mean drop?"),
        ("xyzzy", "The faults are drop, end, reset"),
        ("", "The faults are"),
        ("drop=5", "drop=5: a time (5s, 250ms, 2m) or a probability (5%) was expected"),
        ("drop=0s", "was expected"),
        ("drop=-5s", "was expected"),
        ("drop=0%", "more than 0%"),
        ("drop=101%", "at most 100%"),
        ("expire-key=5%", "a time (5s, 250ms, 2m) was expected"),
        ("keep-old=5s", "takes no value"),
        ("clock-step=fast", "was expected"),
        ("clock-step=1h,0s", "was expected"),
        ("resting=-1h", "was expected"),
        ("random=x", "a whole number was expected"),
        ("random=1,fast", "was expected"),
    ],
)
def test_a_fault_that_makes_no_sense_is_explained(spec: str, part: str) -> None:
    with pytest.raises(ValueError, match=re.escape(part)):
        parse(spec)


def test_every_fault_can_be_written_as_it_is_listed() -> None:
    assert [parse(written).name for written, _ in describe_faults()] == list(KINDS)
    assert [parse(name).name for name in KINDS] == list(KINDS)


@given(st.text())
def test_no_text_does_worse_than_a_value_error(text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either is right


def test_a_time_strikes_again_and_again() -> None:
    occasions = FaultSchedule([parse("drop=5s"), parse("torn=7s")], Random(0), now=100.0)

    struck = {now: occasions.due(now) for now in range(100, 122)}

    assert {now: names for now, names in struck.items() if names} == {
        105: ["drop"],
        107: ["torn"],
        110: ["drop"],
        114: ["torn"],
        115: ["drop"],
        120: ["drop"],
        121: ["torn"],
    }


def test_a_stall_is_not_made_up_for() -> None:
    occasions = FaultSchedule([parse("drop=5s")], Random(0), now=0.0)

    assert [occasions.due(now) for now in (100.0, 100.1, 104.9, 105.0)] == [
        *(["drop"], [], [], ["drop"]),
    ]


def test_a_probability_strikes_that_often_and_by_seed() -> None:
    def run() -> list[bool]:
        occasions = FaultSchedule([parse("duplicate=20%")], Random(3), now=0.0)
        return [bool(occasions.due(0.0)) for _ in range(5000)]

    assert 800 < sum(run()) < 1200
    assert run() == run()


def test_between_occasions_only_time_strikes() -> None:
    occasions = FaultSchedule([parse("torn=100%"), parse("drop=1s")], Random(0), now=0.0)

    assert occasions.due(2.0, chance=False) == ["drop"]
    assert occasions.due(2.0) == ["torn"]


def test_an_injected_fault_strikes_as_often_as_asked() -> None:
    occasions = FaultSchedule([], Random(0), now=0.0)

    occasions.inject("gap", 2)
    occasions.inject("duplicate")

    assert [occasions.due(0.0) for _ in range(3)] == [["gap", "duplicate"], ["gap"], []]


def test_what_is_still_to_come_of_an_injected_fault_can_be_withdrawn() -> None:
    occasions = FaultSchedule([], Random(0), now=0.0)
    occasions.inject("gap", 5)
    occasions.inject("duplicate", 2)
    assert occasions.due(0.0) == ["gap", "duplicate"]

    occasions.withdraw("gap")
    occasions.withdraw("torn")

    assert [occasions.due(0.0) for _ in range(2)] == [["duplicate"], []]


def test_mixed_faults_follow_from_their_seed() -> None:
    def run(seed: int) -> list[str]:
        mixer = RandomFaults(parse(f"random={seed},1s"), 0.0)
        return [name for tick in range(20_000) if (name := mixer.due(tick / 20))]

    one, other = run(1), run(2)

    assert one == run(1) != other
    assert 800 < len(one) < 1200
    assert len(set(one)) > 15
    assert {"drop", "gap", "rest-429", "silence", "expire-key"} <= set(one)
    assert not {"clock", "takeover", "random", "mute", "restart", "amend", "resting"} & set(one)
