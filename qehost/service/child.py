"""The connection process of a program: the same loop as in `qehost run`.

What differs: a journal only by choice, log lines that go to the program's logger, and no way to
import what stands beside the program's script.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
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
    from qehost.records import decode_records
    from qehost.state import StateFolder

    if task.state_dir:
        folder = StateFolder(task.state_dir).journal(task.account)
        with Journal(folder, task.journal.durability) as journal:
            connection = Connection(task, program, journal, *restore(task.account, journal))
            connection.outlet.attach(HOST, events)
            connection.run()
        return
    pipeline, listening = Pipeline(task.account), Listening()
    for batch in newest:
        earlier = decode_records(batch)
        pipeline.restore(earlier)
        listening.note(earlier)
    connection = Connection(task, program, None, pipeline, listening.until)
    connection.outlet.attach(HOST, events)
    connection.run()
