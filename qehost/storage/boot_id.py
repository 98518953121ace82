"""Whether the machine has been started anew since: a power cut takes more than a killed process."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from qehost.storage.private_files import replace_file

__all__ = ["boot_id", "booted_at", "is_started_anew", "note_start", "started_anew"]

log = logging.getLogger("qehost.supervisor")

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Of this start of the machine; `""` where the system does not tell (it does on Linux)."""
    try:
        return BOOT_ID.read_text("ascii")
    except OSError:
        return ""


def booted_at() -> int:
    """When that was, epoch ns; now where the system does not tell."""
    now = time.time_ns()
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return now
    return now - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def started_anew(note: Path) -> bool:
    """Compare this start of the machine with the one in the file `note`, and note this one.

    False where there is no note yet, and where the system does not tell.
    """
    anew = is_started_anew(note)
    note_start(note)
    return anew


def is_started_anew(note: Path) -> bool:
    """As `started_anew`, and the note stays as it is."""
    before = _noted(note)
    return bool(before) and before != (boot_id() or before)


def note_start(note: Path) -> None:
    """Note this start of the machine: what followed from a new one is on the disk."""
    now = boot_id()
    if now and _noted(note) != now:
        try:
            replace_file(note, now.encode("ascii"))
        except OSError as error:
            log.warning("%s can't be written: %s", note, error.strerror)


def _noted(note: Path) -> str:
    try:
        return note.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""
