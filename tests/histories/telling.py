"""A story in plain text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from qehost.messages import (
    Connected,
    Disconnected,
    FillEvent,
    MasterOrderEvent,
    OrderEvent,
    Problem,
)

from .listener import Heard, Told
from .story import Story, Style
from .venue import Venue

__all__ = ["in_words"]


def in_words(story: Story, venue: Venue, told: Sequence[Told], heard: Heard) -> str:
    lines: list[tuple[float, int, str]] = []

    def say(at: float, text: str) -> None:
        lines.append((at, len(lines), f"{at / 1000:10.3f}  {text}"))

    for order in story.orders:
        of = f" of {order.master.id}" if order.master else ""
        for state in order.states:
            number = f" as {state.order_id or '(no number)'}" if order.master else ""
            say(
                state.at,
                f"{order.id}{of} {state.status} {state.filled}/{state.quantity}{number}",
            )
    for outage in story.outages:
        how = "falls silent" if outage.is_silent else "ends"
        say(outage.at, f"the stream {how}{', and REST' if outage.rest_too else ''}")
        say(outage.until, "the venue is back")
    for end in story.ends:
        say(
            end.at,
            f"qehost ends: {end.kind}{f' {end.lost}' if end.kind in ('tail', 'power') else ''}",
        )
        say(end.until, "qehost is started again")
    for step in story.steps:
        say(step.at, f"the {step.whose}'s clock is set by {step.by / 1000:g} s")
    for disk in story.disks:
        say(disk.at, "the disk is full")
        say(disk.until, "the disk has room")
    for sleep in story.sleeps:
        say(sleep.at, "the machine sleeps")
        say(sleep.until, "the machine wakes up")
    for at in heard.opened:
        say(at, "    a stream is open")
    for at, seen in heard.shown:
        state = seen.state
        say(at, f"    REST shows {seen.order.id} {state.status} {state.filled}/{state.quantity}")
    for at, push in heard.pushed:
        state, seen = push.seen.state, push.seen
        what = f"fill {seen.filled}" if seen.what == "fill" else f"{state.status} {state.filled}"
        say(at, f"    pushed: {seen.order.id} {what} (of {push.sent / 1000:.3f})")
    for each in told:
        say(each.at, f"        told {each.event.seq}: {_event(each, venue)}")
    lines.sort(key=lambda line: line[:2])
    default = Style()
    odd = [
        f"{f.name}={getattr(story.style, f.name)!r}"
        for f in fields(Style)
        if getattr(story.style, f.name) != getattr(default, f.name)
    ]
    return "\n".join(
        [f"seed {story.seed}; {', '.join(odd) or 'a simple venue'}"] + [line[2] for line in lines]
    )


def _event(each: Told, venue: Venue) -> str:
    event = each.event
    marks = " redelivered" * event.redelivered + " stale" * bool(getattr(event, "stale", False))
    message = event.message
    if isinstance(event, OrderEvent | MasterOrderEvent | FillEvent):
        seen = venue.texts.get(event.raw)
        order = seen[0].order.id if seen else "?"
        if isinstance(event, FillEvent):
            return f"{order} fill {event.message.filled_qty:g} ({event.origin}{marks})"
        filled = seen[0].state.filled if seen else "?"
        return f"{order} {event.message.status} {filled} ({event.origin}{marks})"
    if isinstance(message, Problem):
        return f"{message.code} error: {message.text[:150]}"
    if isinstance(message, Connected):
        return "connected"
    if isinstance(message, Disconnected):
        return f"disconnected: {message.reason}"
    return event.kind
