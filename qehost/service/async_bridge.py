"""From the service's thread to a coroutine that takes events one by one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

from qehost.host.delivery import SLICE, ConsumerClosed
from qehost.messages import AnyEvent

__all__ = ["AsyncBridge", "in_a_thread"]

LOOK_EVERY = 1.0
"""Seconds between two looks whether the loop is still there."""


class AsyncBridge:
    """A receiver for the delivery thread on one side, an iterator for the loop on the other.

    There is one slice of events on its way at most: the next one comes when the coroutine has come
    back for more.  So a slow coroutine is waited for, and an event counts as delivered once the
    coroutine is through with it.
    """

    slice_size = SLICE

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._slices: asyncio.Queue[Sequence[AnyEvent]] = asyncio.Queue()
        self._through = threading.Event()
        # Of the slice on its way.
        self._begun = 0
        self._done = 0
        self._stopped = threading.Event()

    # --- the delivery thread, and whoever closes the service ---------------------------------

    def deliver(self, events: Sequence[AnyEvent]) -> None:
        self._begun = self._done = 0
        self._through.clear()
        if self._stopped.is_set() or not self._send(events):
            raise ConsumerClosed
        while not self._through.wait(LOOK_EVERY):
            if self._loop.is_closed():
                self._stopped.set()
                break
        if (done := self._done) < len(events):
            raise ConsumerClosed(done, self._begun)

    def deliver_last(self, event: AnyEvent) -> None:
        """Nothing: nobody takes events any more."""

    def is_gone(self) -> bool:
        return self._loop.is_closed()

    def stop(self) -> None:
        self._stopped.set()
        self._through.set()
        self._send(())

    def _send(self, events: Sequence[AnyEvent]) -> bool:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._slices.put_nowait, events)
            return True
        return False

    # --- the loop -----------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[AnyEvent]:
        """Until the service is closed."""
        while not self._stopped.is_set():
            for event in await self._slices.get():
                # In this order: `deliver` reads it after the stop.
                self._begun += 1
                if self._stopped.is_set():
                    return
                yield event
                self._done += 1
            self._through.set()


async def in_a_thread(work: Callable[[], object]) -> None:
    """Do it in a thread of its own: all threads of the loop's executor may be at work for long."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            work()
        finally:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="qehost-close", daemon=True).start()
    await done.wait()
