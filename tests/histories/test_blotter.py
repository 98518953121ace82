"""A blotter that is fed what was told of a history: in order, repeated, permuted, cut, dumped."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

import pytest

from qehost.blotter import Blotter
from qehost.events.ids import normal
from qehost.messages import AnyEvent, FillEvent, OrderEvent

from .making import make
from .playing import played
from .story import Order, Story
from .venue import Venue

SEEDS = 400
PARTS = 4


class Told(NamedTuple):
    """A history, as far as it was told, and the venue behind it."""

    story: Story
    venue: Venue
    events: list[AnyEvent]

    @property
    def has_ids_of_its_own(self) -> bool:
        """Whether no two orders have one id."""
        return len({order.id for order in self.story.orders}) == len(self.story.orders)

    @property
    def has_numbers_once(self) -> bool:
        """Whether no journal gave a number that another one had given: none was set back."""
        return len({event.seq for event in self.events}) == len(self.events)


@cache
def histories(part: int) -> Sequence[Told]:
    found = []
    for seed in range(part, SEEDS, PARTS):
        story = make(seed)
        venue, told, _, _ = played(story)
        found.append(Told(story, venue, [each.event for each in told]))
    return found


def folded(events: Iterable[AnyEvent], **bounds: int) -> Blotter:
    blotter = Blotter(**bounds)
    blotter.add_all(events)
    return blotter


def contents(blotter: Blotter) -> dict[str, Any]:
    """All that can be read."""
    return {
        "masters": {each.id.lower(): each.as_dict() for each in blotter.masters()},
        "children": {each.id.lower(): each.as_dict() for each in blotter.children()},
        "fills": [each.as_dict() for each in blotter.fills()],
        "link": blotter.link("main"),
        "seq": blotter.seq,
        "as_of": blotter.as_of,
    }


def figures(blotter: Blotter) -> dict[str, Any]:
    """What no order of the same events may change: how orders stand, what is filled, and sums."""
    masters = {
        each.id.lower(): (
            each.status,
            each.is_open,
            each.filled,
            each.notional,
            each.average,
            each.children,
            len(each.open_children),
            each.fills,
            each.first_fill,
            each.first_price,
            each.heard,
            each.target,
        )
        for each in blotter.masters()
    }
    children = {
        (each.master_id.lower(), normal(each.order_id) or each.id.lower()): (
            each.status,
            each.is_open,
            each.filled,
            each.notional,
            each.average,
            each.quantity,
            each.heard,
        )
        for each in blotter.children()
    }
    return {"masters": masters, "children": children}


def by_child(told: Told) -> dict[str, tuple[Order, list[AnyEvent]]]:
    """What was told of each child order, by the id under which a blotter has it."""
    found: dict[str, tuple[Order, list[AnyEvent]]] = {}
    for event in told.events:
        if isinstance(event, OrderEvent | FillEvent):
            seen = told.venue.texts[event.raw][0]
            found.setdefault(seen.order.id, (seen.order, []))[1].append(event)
    return found


def filled_most(told: Told, events: Sequence[AnyEvent]) -> Decimal:
    """The largest cumulative figure of the venue in these events."""
    units = max(
        max((seen.state.filled for seen in told.venue.texts[event.raw]), default=0)
        for event in events
    )
    return Decimal(units).scaleb(-told.story.style.scale)


def child_of(blotter: Blotter, order: Order) -> Any:
    ids = [order.id, *(state.order_id for state in order.states)]
    return next((child for id_ in ids if (child := blotter.child("main", id_)) is not None), None)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_child_order_is_filled_as_far_as_the_venue_said_last(part: int) -> None:
    for told in histories(part):
        if not told.has_ids_of_its_own:
            continue
        blotter = folded(told.events)
        for order, events in by_child(told).values():
            child = child_of(blotter, order)
            assert child is not None, (told.story.seed, order.id)
            assert child.filled == filled_most(told, events), (told.story.seed, order.id)


@pytest.mark.parametrize("part", range(PARTS))
def test_an_order_whose_end_was_told_has_ended_and_no_other_has(part: int) -> None:
    for told in histories(part):
        if not told.has_ids_of_its_own:
            continue
        blotter = folded(told.events)
        for order, events in by_child(told).values():
            states = [
                told.venue.texts[event.raw][0].state
                for event in events
                if isinstance(event, OrderEvent) and not event.stale
            ]
            child = child_of(blotter, order)
            last = order.states[-1]
            if last in states:
                assert (child.status.upper(), child.is_open) == (
                    last.status.upper(),
                    not last.is_final,
                ), (told.story.seed, order.id)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_master_order_is_filled_by_the_sum_of_its_child_orders_or_what_is_reported(
    part: int,
) -> None:
    for told in histories(part):
        if not told.has_ids_of_its_own:
            continue
        blotter = folded(told.events)
        for master in blotter.masters():
            children = [
                filled_most(told, events)
                for order, events in by_child(told).values()
                if order.master is not None and order.master.id.lower() == master.id.lower()
            ]
            due = max(sum(children, Decimal()), master.reported_filled or Decimal())
            assert master.filled in (due, None), told.story.seed
            assert master.filled is not None or not due


@pytest.mark.parametrize("part", range(PARTS))
def test_repeats_change_nothing(part: int) -> None:
    for told in histories(part):
        chance = random.Random(told.story.seed)
        again: list[AnyEvent] = []
        for place in range(len(told.events)):
            again.append(told.events[place])
            if chance.random() < 0.2:
                again += told.events[max(0, place - chance.randrange(30)) : place + 1]
        once, twice = folded(told.events), folded(again + told.events)
        assert contents(twice) == contents(once), told.story.seed


@pytest.mark.parametrize("part", range(PARTS))
def test_any_order_of_the_events_ends_alike(part: int) -> None:
    for told in histories(part):
        if not (told.has_ids_of_its_own and told.has_numbers_once):
            continue  # which of two orders an id means, and of two events a number, time alone says
        chance = random.Random(told.story.seed)
        texts = [list(of_one) for _, of_one in groupby(told.events, key=lambda event: event.raw)]
        texts += chance.sample(texts, len(texts) // 2)
        chance.shuffle(texts)
        shuffled = [event for of_one in texts for event in of_one]
        assert figures(folded(shuffled)) == figures(folded(told.events)), told.story.seed


@pytest.mark.parametrize("part", range(PARTS))
def test_a_history_without_its_beginning_counts_what_the_venue_sums_up(part: int) -> None:
    for told in histories(part):
        if not told.has_ids_of_its_own:
            continue
        cut = random.Random(told.story.seed).randrange(len(told.events) + 1)
        rest = Told(told.story, told.venue, told.events[cut:])
        blotter = folded(rest.events)
        for order, events in by_child(rest).values():
            if not any(isinstance(event, OrderEvent) for event in events):
                continue
            assert child_of(blotter, order).filled == filled_most(rest, events), told.story.seed


@pytest.mark.parametrize("part", range(PARTS))
def test_a_dump_in_the_middle_is_as_if_there_had_been_none(part: int) -> None:
    for told in histories(part):
        cut = random.Random(told.story.seed).randrange(len(told.events) + 1)
        loaded = Blotter()
        loaded.load(folded(told.events[:cut]).dump())
        loaded.add_all(told.events[cut:])
        assert contents(loaded) == contents(folded(told.events)), told.story.seed


@pytest.mark.parametrize("part", range(PARTS))
def test_what_the_bounds_have_made_small_is_not_counted_twice(part: int) -> None:
    for told in histories(part):
        if not told.has_ids_of_its_own:
            continue
        whole = {each.id: each for each in folded(told.events).masters()}
        small = Blotter(children=1, fills=1)
        for _ in range(2):
            small.add_all(told.events)
            assert len(list(small.children())) <= 1
            assert len(list(small.fills())) <= 1
            for master in small.masters():
                filled = whole[master.id].filled
                assert master.filled is None or filled is None or master.filled <= filled
                if small.dropped.tombstones == 0:
                    assert master.filled == filled, told.story.seed
