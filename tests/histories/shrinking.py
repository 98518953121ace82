"""The shortest story that still fails in the same way."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import fields

from .story import Story, Style

__all__ = ["shrunk"]

TRIES = 600


def shrunk(story: Story, fails: Callable[[Story], bool]) -> Story:
    """A story from which nothing can be taken without which it would not fail."""
    tries, found = 0, True
    while found and tries < TRIES:
        found = False
        for shorter in _shorter(story):
            tries += 1
            if fails(shorter):
                story, found = shorter, True
                break
            if tries >= TRIES:
                break
    return story


def _shorter(story: Story) -> Iterator[Story]:
    for name in ("outages", "ends", "steps", "disks", "sleeps", "orders"):
        for place in range(len(getattr(story, name))):
            shorter = copy.deepcopy(story)
            gone = getattr(shorter, name).pop(place)
            if name == "orders" and any(order.master is gone for order in shorter.orders):
                continue
            yield shorter
    for field in fields(Style):
        if getattr(story.style, field.name) != field.default:
            shorter = copy.deepcopy(story)
            setattr(shorter.style, field.name, field.default)
            yield shorter
    for place, order in enumerate(story.orders):
        for number, state in enumerate(order.states):
            if len(order.states) > 1:
                shorter = copy.deepcopy(story)
                del shorter.orders[place].states[number]
                yield shorter
            if state.repeats or state.delay != 20:
                shorter = copy.deepcopy(story)
                plain = shorter.orders[place].states[number]
                plain.repeats, plain.delay = (), 20
                yield shorter
