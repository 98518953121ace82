"""Which hooks a plugin has had for the events that it is not done with.

For each event come `on_raw_message` and the hook of its kind, then `on_batch` for a whole slice.  A
plugin that raised `Retry` somewhere in this is called again for what is missing, and for no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from qehost.errors import Retry
from qehost.host.arguments import ON_BATCH, ON_RAW_MESSAGE
from qehost.host.call_table import Call
from qehost.messages import Event

__all__ = [
    "NOTHING_RETURNED",
    "Held",
    "ReturnedHooks",
    "Step",
    "had",
    "not_had",
]

Step: TypeAlias = tuple[int, Sequence[Call], tuple[Any, ...], Sequence[Event], int]
"""One hook with its arguments, for all plugins that implement it: hook, calls, arguments, the
events that it is called for, and the seq of the first."""


class ReturnedHooks(NamedTuple):
    """`on_raw_message` has returned up to event `raw`, the hook of the event's kind up to `typed`,
    `on_batch` up to `batch`."""

    raw: int = 0
    typed: int = 0
    batch: int = 0

    def and_(self, other: ReturnedHooks) -> ReturnedHooks:
        return ReturnedHooks(*map(max, self, other))

    def done(self, *, has_batch: bool) -> int:
        """The last event for which all have returned; `has_batch`: there is an `on_batch`."""
        return self.batch if has_batch else self.typed


NOTHING_RETURNED = ReturnedHooks()


class Held(NamedTuple):
    """A plugin has raised `Retry`."""

    plugin: str
    hook: str
    error: Retry
    events: Sequence[Event]
    """For which the call comes again; the first is that at which it raised.  Empty for a call that
    is about no event of the plugin's own."""
    had: ReturnedHooks
    """Of the events that it was called for."""
    call: tuple[int, tuple[Any, ...]] | None
    """Hook and arguments, where the call would not come again by itself."""

    def reached(self) -> int:
        """The last event for which a call has begun."""
        return max(self.had.raw, self.events[-1].seq if self.events else 0)


def had(hook: int, events: Sequence[Event], *, returned: bool) -> ReturnedHooks:
    """What a plugin has had of a slice when this call has returned, or has not."""
    first, last = events[0].seq, events[-1].seq
    if hook == ON_BATCH:
        return ReturnedHooks(last, last, last if returned else 0)
    done = first if returned else first - 1
    return ReturnedHooks(done, first - 1) if hook == ON_RAW_MESSAGE else ReturnedHooks(first, done)


def not_had(steps: Iterable[Step], had: ReturnedHooks) -> Iterator[Step]:
    """The steps for which the hooks have not returned."""
    for step in steps:
        hook, calls, _, events, seq = step
        if hook == ON_BATCH:
            if rest := tuple(event for event in events if event.seq > had.batch):
                yield hook, calls, (rest,), rest, rest[0].seq
        elif seq > (had.raw if hook == ON_RAW_MESSAGE else had.typed):
            yield step
