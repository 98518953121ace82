"""The connection process of a program: the same loop as in `qehost run`.

What differs: a journal only by choice, and log lines that go to the program's logger.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection as Pipe

from qehost.errors import Error
from qehost.processes.control import ConnectionTask, Control, LogLine, Refused
from qehost.processes.logs import RedactingFormatter, send_to, set_up
from qehost.secret import redact

__all__ = ["HOST", "main"]

HOST = "service"
"""What the process calls the program it serves."""
COULD_NOT_START = 3
LONGEST_LINE = 30_000
"""Characters of a line of the log.  As many always fit into a pipe that has room."""


class ToTheProgram(logging.Handler):
    def __init__(self, program: Control) -> None:
        super().__init__()
        self.setFormatter(WithoutPrefix(""))
        self._program = program

    def emit(self, record: logging.LogRecord) -> None:
        self._program.send(LogLine(record.levelno, self.format(record)[:LONGEST_LINE]))


class WithoutPrefix(RedactingFormatter):
    """The program's logger adds time and level in its own way."""

    def format(self, record: logging.LogRecord) -> str:
        return self.text(record)


def main(
    task: ConnectionTask,
    newest: Sequence[bytes],
    control: Pipe,
    events: Pipe,
) -> None:
    """`newest` are the batches that came last from the process before this one."""
    set_up(task.log, f"connection {task.account}")
    program = Control(control)
    send_to(ToTheProgram(program))
    try:
        _run(task, newest, program, events)
    except Error as error:
        program.send(Refused(redact(str(error)), COULD_NOT_START))
        sys.exit(COULD_NOT_START)
    except Exception as error:
        logging.getLogger("qehost.service").critical("the connection failed", exc_info=True)
        text = redact(f"the connection process failed: {error!r}")
        program.send(Refused(text, COULD_NOT_START))
        sys.exit(COULD_NOT_START)


def _run(task: ConnectionTask, newest: Sequence[bytes], program: Control, events: Pipe) -> None:
    from qehost.connection.process import ConnectionProcess
    from qehost.connection.restore import Listening, restore
    from qehost.events.codec import decode_records, last_seq
    from qehost.events.pipeline import Pipeline
    from qehost.storage.journal import Journal
    from qehost.storage.state_folder import StateFolder

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
        connection = ConnectionProcess(
            task, program, journal, pipeline, max(heard, listening.until)
        )
        connection.publisher.attach(HOST, events)
        connection.run()
