"""The end of a host process: what its plugins leave running does not hold it up."""

from __future__ import annotations

import logging
import os
import threading
import time

__all__ = ["end_soon"]

log = logging.getLogger("qehost.host")

LEFT_RUNNING = 1.0
"""Seconds that threads, pools and exit handlers of plugins have after `on_stop`.  Python would wait
for them for ever, and a reload with it."""
LAST_LINES = 0.2
"""Seconds for the log to be written."""


def end_soon(exit_code: int) -> None:
    """End this process with that code, at the latest in a second or so."""
    ending = threading.Thread(target=_end, args=[exit_code], name="qehost-ending", daemon=True)
    ending.start()


def _end(exit_code: int) -> None:
    time.sleep(LEFT_RUNNING)
    main = threading.main_thread()
    left = [t.name for t in threading.enumerate() if not t.daemon and t is not main]
    log.warning(
        "a plugin has left something running that does not end: %s. It ends with the process",
        f"the threads {', '.join(left)}" if left else "a pool or an exit handler",
    )
    time.sleep(LAST_LINES)
    os._exit(exit_code)
