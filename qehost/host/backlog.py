"""What waits for a plugin where there is no journal: in a replay, and in a plugin's own tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from qehost.host.dispatch import Dispatcher
from qehost.host.returned_hooks import NOTHING_RETURNED, Held, ReturnedHooks
from qehost.messages import AnyEvent

__all__ = ["Backlog"]


class Backlog:
    """What one plugin has not had, or not all of: calls, and slices of events."""

    def __init__(self, dispatcher: Dispatcher, plugin: str) -> None:
        self._dispatcher = dispatcher
        self._plugin = plugin
        self._calls: deque[tuple[int, tuple[Any, ...]]] = deque()
        """Calls about no event of its own that come again first."""
        self._slices: list[tuple[Sequence[AnyEvent], ReturnedHooks]] = []

    def __bool__(self) -> bool:
        return bool(self._calls or self._slices)

    def add(self, events: Sequence[AnyEvent]) -> None:
        """These came while it waits."""
        self._slices.append((events, NOTHING_RETURNED))

    def hold(
        self, held: Held, events: Sequence[AnyEvent], so_far: ReturnedHooks = NOTHING_RETURNED
    ) -> None:
        """It has raised `Retry` in this slice, of which it had had so much: it comes again first,
        as far as its hooks have not returned.  Without events it was in a call about none."""
        if held.call is not None:
            self._calls.append(held.call)
        if not events:
            return
        attempts = {event.seq: event.attempt + 1 for event in held.events}
        again = [
            replace(event, attempt=attempts[event.seq]) if event.seq in attempts else event
            for event in events
        ]
        self._slices.insert(0, (again, so_far.and_(held.had)))

    def deliver(self, held: list[Held]) -> Held | None:
        """Deliver it, slice by slice, until there is no more; what raised `Retry`, if it did.

        `held` is where the dispatcher notes that.
        """
        while self._calls:
            self._dispatcher.call_again(self._plugin, *self._calls[0])
            if (again := self._taken(held)) is not None:
                return again
            self._calls.popleft()
        while self._slices:
            events, so_far = self._slices.pop(0)
            self._dispatcher.deliver(events, self._dispatcher.table([self._plugin]), so_far)
            if (again := self._taken(held)) is not None:
                self.hold(again, events, so_far)
                return again
        return None

    def _taken(self, held: list[Held]) -> Held | None:
        mine = next((each for each in held if each.plugin == self._plugin), None)
        if mine is not None:
            held.remove(mine)
        return mine
