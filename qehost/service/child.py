"""The connection process of a program: the same loop as in `qehost run`.

What differs: a journal only by choice, log lines that go to the program's logger, and no way to
import what stands beside the program's script.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection as Pipe

import msgspec

from qehost import children
from qehost.control import ConnectionTask, Control, Refused
from qehost.errors import Error
from qehost.logs import BlottingFormatter, LogSettings
from qehost.queue import BatchWriter

__all__ = ["HOST", "Line", "main"]

HOST = "service"
"""What the process calls the program it serves."""
COULD_NOT_START = 3
LINES_KEPT = 1 << 16
"""Bytes of log lines that wait for a program that takes none; more are left out."""


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A line of the log on its way to the program's logger."""

    level: int
    text: str


class ToTheProgram(logging.Handler):
    def __init__(self, pipe: Pipe, settings: LogSettings) -> None:
        super().__init__()
        self.setFormatter(WithoutPrefix("", settings.secrets))
        self._writer = BatchWriter(pipe, LINES_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        line = Line(record.levelno, self.format(record))
        self._writer.offer(msgspec.msgpack.encode(line), 0)


class WithoutPrefix(BlottingFormatter):
    """The program's logger adds time and level in its own way."""

    def format(self, record: logging.LogRecord) -> str:
        return self.text(record)


def main(
    task: ConnectionTask,
    newest: Sequence[bytes],
    hidden: Sequence[str],
    control: Pipe,
    events: Pipe,
    lines: Pipe,
) -> None:
    """`newest` are the batches that came last from the process before this one, `hidden` the
    folders of the import path that are the program's own."""
    children.enter(f"connection {task.account}", task.log)
    logging.getLogger().handlers[:] = [ToTheProgram(lines, task.log)]
    # The script may be called `websocket.py`; imported in its place, it would run a second time.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) not in hidden]
    program = Control(control)
    try:
        _run(task, newest, program, events)
    except Error as error:
        program.send(Refused(str(error), COULD_NOT_START))
        sys.exit(COULD_NOT_START)
    except Exception as error:
        logging.getLogger("qehost.service").critical("the connection failed", exc_info=True)
        program.send(Refused(f"the connection process failed: {error!r}", COULD_NOT_START))
        sys.exit(COULD_NOT_START)


def _run(task: ConnectionTask, newest: Sequence[bytes], program: Control, events: Pipe) -> None:
    from qehost.connection.earlier import Listening, restore
    from qehost.connection.process import Connection
    from qehost.journal import Journal
    from qehost.pipeline import Pipeline
    from qehost.records import decode_records, last_seq
    from qehost.state import StateFolder

    with ExitStack() as stack:
        journal, pipeline, heard = None, Pipeline(task.account), 0
        if task.state_dir:
            folder = StateFolder(task.state_dir).journal(task.account)
            journal = stack.enter_context(Journal(folder, task.journal.durability))
            pipeline, heard = restore(task.account, journal)
        listening = Listening()
        for batch in newest:
            earlier = decode_records(batch)
            # Also what a journal that was deleted, or could not be written, does not know of: the
            # program would pass over a number that it was given before.
            if last_seq(earlier[-1]) >= pipeline.next_seq:
                pipeline.restore(earlier)
                listening.note(earlier)
        connection = Connection(task, program, journal, pipeline, max(heard, listening.until))
        connection.outlet.attach(HOST, events)
        connection.run()
