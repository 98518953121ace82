"""The plugins at the head as those who consume events, and dead letters again."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence

import msgspec
from msgspec.structs import replace

from qehost.errors import GapError
from qehost.events.codec import decode_events
from qehost.host.dead_letter_writer import DeadLetterWriter
from qehost.host.dispatch import Dispatcher
from qehost.host.laggard import Head
from qehost.host.plugin_positions import PluginPositions
from qehost.host.returned_hooks import NOTHING_RETURNED, Held, ReturnedHooks
from qehost.host.waiting import Suspended
from qehost.messages import AnyEvent
from qehost.storage.dead_letters import DeadLetter
from qehost.storage.progress import CallRecorder

__all__ = ["LetterCalls", "PluginCalls"]

log = logging.getLogger("qehost.host")


class PluginCalls:
    """The consumer of one account's events."""

    def __init__(
        self, head: Head, dispatcher: Dispatcher, recorder: CallRecorder, apart: PluginPositions
    ) -> None:
        self._head = head
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._apart = apart

    def deliver(self, events: Sequence[AnyEvent]) -> int:
        """Call the plugins; returns for how many of the events: where that took long, not all."""
        head = self._head
        self._recorder.account(head.account)
        if without := head.poison.get(events[0].seq):
            self._dispatcher.deliver_without(without, events[0], head.table)
            done = 1
        else:
            done = self._dispatcher.deliver(events, head.table)
        # Before the cursor moves past them.
        self._apart.settle(head.account, events[done - 1].seq)
        for own in head.collecting:
            own.collect(events[:done])
        return done

    def tell(self, error: GapError) -> None:
        """Log it and call `on_error`."""
        log.error("%s", error)
        self._head.note_gap(error)
        self._dispatcher.tell(error, self._head.table)
        self._apart.settle(self._head.account, self._head.position.cursor)


class LetterCalls:
    """Delivers dead letters again that the user wants delivered, each to its plugin alone.

    `accounts` are those that the recorder knows; `held` is where the dispatcher notes a `Retry`.
    """

    def __init__(
        self,
        letters: DeadLetterWriter,
        dispatcher: Dispatcher,
        recorder: CallRecorder,
        accounts: Collection[str],
        held: list[Held],
    ) -> None:
        self._letters = letters
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._accounts = accounts
        self._held = held
        self._tried: dict[int, tuple[int, ReturnedHooks]] = {}
        """Of the letters that wait for their plugins: how often each was tried since it was taken
        first, and what the plugin has had of it."""

    def deliver(self, plugins: Collection[str], seconds: float) -> None:
        """To these plugins, until none is left or so much time is over."""
        able = set(plugins)
        until = time.monotonic() + seconds
        while able and time.monotonic() < until and (letter := self._letters.take(able)):
            if letter.account in self._accounts:
                self._recorder.account(letter.account)
            if not self._deliver(letter):
                able.remove(letter.plugin)
        self._letters.write()

    def _deliver(self, letter: DeadLetter) -> bool:
        """False: the plugin can't go on now, and the letter waits."""
        try:
            (event,) = decode_events(letter.event)
        except (msgspec.DecodeError, ValueError) as error:
            log.error("dead letter %d can't be read: %s", letter.id, error)
            return True
        # After a raise the other hooks have had the event, after a death none for certain.
        hook = letter.hook if letter.cause == "raised" else ""
        tried, so_far = self._tried.pop(letter.id, (0, NOTHING_RETURNED))
        # Unlike what may have come before: the hook has not returned for this event.
        again = replace(event, attempt=letter.count + 1 + tried)
        match self._dispatcher.deliver_again(letter.plugin, hook, again, so_far):
            case "returned":
                self._letters.delivered(letter)
                log.info("dead letter %d: delivered to plugin %s", letter.id, letter.plugin)
            case "raised":
                log.error("dead letter %d: plugin %s raised again", letter.id, letter.plugin)
            case "nothing to call":
                log.error(
                    "dead letter %d: plugin %s has no %s now", letter.id, letter.plugin, letter.hook
                )
            case "held":
                found = [held for held in self._held if held.plugin == letter.plugin]
                # A coroutine that goes on is no try of its own.
                counts = not isinstance(found[-1].error, Suspended)
                self._tried[letter.id] = tried + counts, so_far.and_(found[-1].had)
                self._letters.put_back(letter)
                return False
        return True
