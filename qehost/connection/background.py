"""What may take long (connecting, REST calls) runs in threads; the results come back to the loop.

The loop never waits for a thread: a byte on a socket wakes it when there is a result.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["BackgroundCalls"]


class BackgroundCalls:
    """Runs functions in threads of their own and their callbacks in the loop's thread."""

    def __init__(self) -> None:
        self._done: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self.running = 0
        """Calls whose result has not been collected."""

    def fileno(self) -> int:
        """Readable when `collect` has something to do."""
        return self._wake_reader.fileno()

    def run(
        self,
        name: str,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Run `work()` in a thread; then, from `collect`, `done(result)` or `failed(error)`.

        The threads are daemons: one that hangs does not keep the process from ending.
        """

        def call() -> None:
            self._done.put(_outcome(work, done, failed))
            try:
                self._wake_writer.send(b"\0")
            except OSError:
                # Full: the loop will wake up anyway.  Closed: the loop has ended.
                return

        self.running += 1
        threading.Thread(target=call, name=f"qehost-{name}", daemon=True).start()

    def collect(self) -> None:
        """Call the callbacks of the calls that are done."""
        with contextlib.suppress(BlockingIOError):
            self._wake_reader.recv(4096)
        while True:
            try:
                callback = self._done.get_nowait()
            except queue.Empty:
                return
            self.running -= 1
            callback()

    def close(self) -> None:
        """Results of calls that still run are dropped."""
        self._wake_reader.close()
        self._wake_writer.close()


def _outcome(
    work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]
) -> Callable[[], None]:
    # A function of its own, without a variable for what it returns: the frames of an error must not
    # lead back to it, or both would stay until the collector runs.
    try:
        return partial(done, work())
    except Exception as error:  # noqa: BLE001 - the loop decides what to do about it
        return partial(failed, error)
