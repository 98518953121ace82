"""Errands: what may take long (connecting, REST calls) runs in threads; the results come back.

The connection's loop never waits for an errand.  It is woken by a byte on a socket when one is
done.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Errands"]


class Errands:
    """Runs functions in threads of their own and their callbacks in the loop's thread."""

    def __init__(self) -> None:
        self._done: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake, self._ring = socket.socketpair()
        self._wake.setblocking(False)
        self._ring.setblocking(False)
        self.running = 0
        """How many have not come back."""

    def fileno(self) -> int:
        """Readable when `collect` has something to do."""
        return self._wake.fileno()

    def run(
        self,
        name: str,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Run `work()` in a thread; then, from `collect`, `done(result)` or `failed(error)`.

        The threads are daemons: an errand that hangs does not hold the end of the process.
        """

        def errand() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - whatever it was is the loop's to judge
                outcome = _bind(failed, error)
            else:
                outcome = _bind(done, result)
            self._done.put(outcome)
            try:
                self._ring.send(b"\0")
            except OSError:
                # Full: it will wake up anyway.  Closed: nobody wants to know any more.
                return

        self.running += 1
        threading.Thread(target=errand, name=f"qehost-{name}", daemon=True).start()

    def collect(self) -> None:
        """Call the callbacks of the errands that are done."""
        with contextlib.suppress(BlockingIOError):
            self._wake.recv(4096)
        while True:
            try:
                callback = self._done.get_nowait()
            except queue.Empty:
                return
            self.running -= 1
            callback()

    def close(self) -> None:
        """Nobody wants to know any more what those that still run bring."""
        self._wake.close()
        self._ring.close()


def _bind(function: Callable[[Any], None], argument: Any) -> Callable[[], None]:
    return lambda: function(argument)
