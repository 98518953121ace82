"""A plugin for tests: every call of its hooks becomes one JSON line in `records.jsonl`.

A line is written whole in one call, so a process that is killed leaves none half.  A test makes it
misbehave by files in the working folder: while `slow` exists, each event takes as many seconds as
stand in it; while `hold` exists, each event waits whose number is not below that in it.
"""

import contextlib
import os
import time
from pathlib import Path

import msgspec

FILE = os.open("records.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
SLOW = Path("slow")
HOLD = Path("hold")


def note(hook, **fields):
    line = {"hook": hook, "at": time.monotonic(), "pid": os.getpid(), **fields}
    os.write(FILE, msgspec.json.encode(line) + b"\n")


def about(event):
    """What all events share; the message as a dictionary, if it is one of our own."""
    if event is None:
        return {}
    message = event.message
    return {
        "kind": event.kind,
        "seq": event.seq,
        "account": event.account,
        "message_id": event.message_id,
        "received_at": event.received_at,
        "origin": event.origin,
        "redelivered": event.redelivered,
        "message": message.as_dict() if hasattr(message, "as_dict") else message,
    }


def note_event(hook, event, **fields):
    with contextlib.suppress(FileNotFoundError):
        time.sleep(float(SLOW.read_text()))
    with contextlib.suppress(FileNotFoundError):
        while event is not None and event.seq >= int(HOLD.read_text()):
            time.sleep(0.01)
    note(hook, **about(event), **fields)


def on_start(context):
    note("on_start", accounts=context.accounts)


def on_stop(reason):
    note("on_stop", reason=reason)


def on_connected(event):
    note_event("on_connected", event)


def on_disconnected(reason, event):
    note_event("on_disconnected", event, reason=reason)


def on_master_order(event, detail):
    note_event("on_master_order", event, detail=detail.as_dict())


def on_order(event, detail):
    note_event("on_order", event, detail=detail.as_dict())


def on_fill(event, detail):
    note_event("on_fill", event, detail=detail.as_dict())


def on_status(status, event):
    note_event("on_status", event)


def on_error(error, event):
    note_event("on_error", event, error=type(error).__name__, text=str(error))
