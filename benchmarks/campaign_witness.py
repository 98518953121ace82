"""The plugin of the fault campaign: it writes down each call, and misbehaves where it is told to.

A file in the working folder tells it: `slow` (seconds that each event takes), `shout` (write much
to the log, once), `handler` (while it is there, a handler on the root logger raises), `down` (while
it is there, a message makes the plugin wait).
"""

import contextlib
import logging
import os
import re
import time
from pathlib import Path

import qehost

FILE = os.open(f"{__name__}.calls", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
RAISES_AT_EACH = 97
TAKES = 0.002
"""Seconds: many a kill comes within a call."""
log = logging.getLogger(f"qehost.plugin.{__name__}")


class Failing(logging.Handler):
    def emit(self, record):
        if os.path.exists("handler"):
            raise ConnectionError("the target of this handler is down")


def note(event, what=""):
    """One line, written whole in one call: a process that is killed leaves none half."""
    fields = os.getpid(), time.monotonic(), event.seq, int(event.redelivered), event.kind, what
    os.write(FILE, (" ".join(map(str, fields)) + "\n").encode())
    try:
        takes = float(Path("slow").read_text())
    except (OSError, ValueError):
        takes = TAKES
    time.sleep(takes)
    with contextlib.suppress(OSError):
        os.rename("shout", f"shouted-{__name__}")
        for _ in range(1_000):
            log.warning("%s", "x" * 400)


def on_start(context):
    logging.getLogger().addHandler(Failing())


def on_connected(event):
    note(event)


def on_disconnected(event):
    note(event)


def on_status(status, event):
    if os.path.exists("down"):
        raise qehost.Retry(after=0.2, reason="as the campaign wants it")
    note(event, status.split()[0])
    if event.seq % RAISES_AT_EACH == 0:
        raise ValueError("as the campaign wants it")


def on_error(error, event):
    if event is None:
        found = re.search(r"events? (\d+)(?: to (\d+))? can't be delivered", str(error))
        if found:
            fields = os.getpid(), time.monotonic(), 0, 0, "gap", found[1], found[2] or found[1]
            os.write(FILE, (" ".join(map(str, fields)) + "\n").encode())
    elif event.kind == "error":
        note(event)
