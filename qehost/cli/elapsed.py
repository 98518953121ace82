"""For how long a command has been at it, on a terminal: what takes long shows that it is alive."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["elapsed"]

AFTER = 2.0
"""Seconds without a word."""
EVERY = 1.0
CLEAR = "\r\x1b[K"


@contextmanager
def elapsed() -> Iterator[None]:
    """`… 3 s` on standard error, from two seconds on; the next output replaces it.

    Nothing at all where that is no terminal.
    """
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_show, args=(over,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _show(over: threading.Event) -> None:
    began = time.monotonic()
    wait = AFTER
    with suppress(OSError):  # the terminal is gone
        while not over.wait(wait):
            wait = EVERY
            # Back to the beginning of the line: what the command prints there replaces it.
            sys.stderr.write(f"{CLEAR}… {time.monotonic() - began:.0f} s\r")
            sys.stderr.flush()
        if wait == EVERY:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()
