"""Text output that never blocks the process.

A write to a terminal blocks after Ctrl-S or while text is selected, a write to a pipe while its
reader does not read.  A connection process that blocks answers no pings, a host process calls no
plugin.
"""

from __future__ import annotations

import atexit
import io
import os
import queue
import threading
import time
from typing import Any, TextIO

__all__ = ["NonBlockingWriter", "text_file"]

DRAIN_TIMEOUT = 1.0
"""Seconds that the end of the process waits for texts that are not written yet."""


class NonBlockingWriter:
    """Writes to `target` from a thread of its own; holds `limit` texts at most, then drops them.

    A fork has no such thread: what it writes is written at once.
    """

    def __init__(self, target: TextIO, limit: int = 1000) -> None:
        self._target = target  # it closes the descriptor when it goes
        self._fd = target.fileno()
        self._process = os.getpid()
        self._texts: queue.Queue[str] = queue.Queue(limit)
        self._dropped = 0
        threading.Thread(target=self._run, name="qehost-log", daemon=True).start()
        atexit.register(self._drain)

    def write(self, text: str) -> None:
        """Returns at once."""
        if os.getpid() != self._process:
            self._write(text)
            return
        try:
            self._texts.put_nowait(text)
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        """Does nothing: each text is flushed when it is written."""

    def _run(self) -> None:
        while True:
            text = self._texts.get()
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                text += f"{dropped} log lines were dropped: they were not read in time\n"
            self._write(text)
            self._texts.task_done()

    def _write(self, text: str) -> None:
        # Not through the file object: it has a lock that the end of the interpreter needs, and a
        # thread that blocks in it keeps that.
        data = memoryview(_encoded(text))
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            pass  # the reader is gone

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_TIMEOUT
        while self._has_more() and time.monotonic() < deadline:
            time.sleep(0.005)

    def _has_more(self) -> bool:
        return os.getpid() == self._process and self._texts.unfinished_tasks > 0


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


class _Raw(io.RawIOBase):
    """The bytes of a text file whose writes go to a `NonBlockingWriter`."""

    def __init__(self, writer: NonBlockingWriter, descriptor: int) -> None:
        super().__init__()
        self._writer = writer
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        self._writer.write(bytes(data).decode("utf-8", "surrogateescape"))
        return len(data)


def text_file(writer: NonBlockingWriter, descriptor: int) -> TextIO:
    """To be put in the place of `sys.stderr`, whose descriptor it shows."""
    return io.TextIOWrapper(
        _Raw(writer, descriptor),  # type: ignore[type-var]
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )
