"""Whether the machine has been started anew since: a power cut takes more than a killed process."""

from __future__ import annotations

import logging
from pathlib import Path

from qehost.state import private_file

__all__ = ["started_anew"]

log = logging.getLogger("qehost.supervisor")

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def started_anew(note: Path) -> bool:
    """Compare this start of the machine with the one in the file `note`, and note this one.

    False where there is no note yet, and where the system does not tell (it does on Linux).
    """
    try:
        now = BOOT_ID.read_text("ascii")
    except OSError:
        return False
    try:
        before = note.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        before = ""
    if before == now:
        return False
    try:
        private_file(note)
        note.write_text(now, "ascii")
    except OSError as error:
        log.warning("%s can't be written: %s", note, error.strerror)
    return bool(before)
