"""`python benchmarks/blotter.py`: what the present state of all orders costs, in one process.

A market's events are folded by a `Blotter`: the cost of an event beyond decoding its text and its
exact figures, which others ask for, too; all of it from the bytes of a journal, as a plugin has it
that begins where its checkpoint ends; and the dump that such a checkpoint is.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import corpus
from instrument import Sizes, command
from table import Row

from qehost.blotter import Blotter
from qehost.events import wire
from qehost.events.codec import decode_events, encode_events
from qehost.events.pipeline import Pipeline
from qehost.messages import AnyEvent, OrderEvent
from qehost.testing import Events

__all__ = ["Blotters"]

SECTION = "blotter"
MESSAGES = 20_000
BATCH = 64  # messages that came together
FILE = 58_000
"""Events of a journal file of 32 MiB, which is how far back a checkpoint of the journal is."""
CHILDREN = 20_000


class Blotters:
    def __init__(self, sizes: Sizes) -> None:
        self._journal = _journal(min(MESSAGES, sizes.messages))
        self._events = [event for batch in self._journal for event in decode_events(batch)]
        for event in self._events:
            assert event.detail is event.detail  # made, and kept: folding does not pay for it
        self._full = Blotter(children=CHILDREN)
        self._full.add_all(_children(min(CHILDREN, sizes.messages)))
        names = (
            ("exact figures of an event", "µs"),
            ("fold an event", "µs"),
            ("add an event", "µs"),
            ("read and fold a journal file", "s"),
            ("dump child orders", "ms"),
            ("load child orders", "ms"),
        )
        self._rows = {
            name: Row(SECTION, name, unit, "less", len(list(self._full.children())))
            if unit == "ms"
            else Row(SECTION, name, unit, "less")
            for name, unit in names
        }

    @property
    def rows(self) -> list[Row]:
        return list(self._rows.values())

    def run(self, number: int) -> None:
        events = self._events
        a_million = 1e6 / len(events)
        exact = _seconds(lambda: [wire.detail(event) for event in events])
        folded = _seconds(lambda: Blotter().add_all(events))
        added = _seconds(lambda: _add_each(Blotter(), events))
        read = _seconds(lambda: _read(self._journal))
        dump = self._full.dump()
        self._note("exact figures of an event", exact * a_million)
        self._note("fold an event", folded * a_million)
        self._note("add an event", added * a_million)
        self._note("read and fold a journal file", read / len(events) * FILE)
        self._note("dump child orders", _seconds(self._full.dump) * 1e3)
        self._note("load child orders", _seconds(lambda: Blotter().load(dump)) * 1e3)

    def _note(self, name: str, figure: float) -> None:
        self._rows[name].ours.append(figure)


def _journal(messages: int) -> list[bytes]:
    """A market in batches, as a journal has them: half of it in V1, half in V2, whose fills are
    derived."""
    pipeline = Pipeline("main")
    texts = [text.decode() for text in corpus.messages(messages)]
    return [
        encode_events(pipeline.feed(texts[at : at + BATCH], corpus.OPENED * 10**9 + at))
        for at in range(0, len(texts), BATCH)
    ]


def _children(count: int) -> list[OrderEvent]:
    events = Events()
    return [
        events.order(id=f"{number}", order_id=f"9{number}", filled_quantity="0.123")
        for number in range(count)
    ]


def _add_each(blotter: Blotter, events: list[AnyEvent]) -> None:
    for event in events:
        blotter.add(event)


def _read(journal: list[bytes]) -> None:
    blotter = Blotter()
    for batch in journal:
        blotter.add_all(decode_events(batch))


def _seconds(work: Callable[[], object]) -> float:
    """CPU time of this process, which a busy machine lengthens less than the clock's."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


if __name__ == "__main__":
    command(__doc__, lambda _, sizes: [Blotters(sizes)])
