"""What is left out of a slice changes no figure."""

import pytest
from qehost.testing import events_from

from qehost_stats import traces
from qehost_stats.making import figures_of
from qehost_stats.thinning import thinned


@pytest.fixture(scope="module")
def events(journal, qehost):
    file = journal / "events.jsonl"
    qehost("journal", "export", "-o", file, "--state-dir", journal / "state", cwd=journal)
    return events_from(file)


def figures(events, size):
    gathered = traces.Traces()
    for place in range(0, len(events), size):
        gathered.add(events[place : place + size])
    found = [figures_of(trace, gathered.as_of) for trace in gathered.unsettled()]
    return {order.master_order_id: order for order in found if order is not None}


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_figures_are_those_of_all_events(events, size, monkeypatch):
    monkeypatch.setattr(traces, "thinned", list)
    whole = figures(events, 1)
    monkeypatch.undo()
    assert figures(events, size) == whole
    assert len(whole) > 5


def test_most_states_are_left_out_and_no_fill(events):
    kept = thinned(events)
    assert sum(event.kind == "fill" for event in kept) == sum(e.kind == "fill" for e in events)
    states = [event for event in events if event.kind in ("order", "master_order")]
    assert sum(event.kind != "fill" for event in kept) < 0.6 * len(states)


def test_a_state_before_a_cancellation_stays(life):
    order = life()
    order.master(0, "NEW")
    order.child(1, 1)
    order.child(2, 2)
    order.child(3, 2, status="Cancelack")
    order.child(4, 2, status="CANCELLED")
    kept = [(e.message.order_id, e.message.status) for e in thinned(order.events)[1:]]
    assert kept == [("o1", "PLACED"), ("o2", "Cancelack"), ("o2", "CANCELLED")]


def test_the_state_that_a_fill_belongs_to_comes_in_front_of_it(life):
    order = life()
    order.child(1, 1)
    order.child(2, 2, "0.5")
    order.fill(2, "0.5", "100", 2)
    order.child(3, 2, "0.7")
    order.fill(3, "0.2", "100", 2, cum="0.7")
    order.child(4, 2, "0.8")
    assert [event.kind for event in thinned(order.events)] == [
        "order",
        "order",
        "fill",
        "fill",
        "order",
    ]
