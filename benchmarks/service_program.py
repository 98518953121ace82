"""The program of `service.py`, for either library: only the import differs.

`python service_program.py LIBRARY URL FOLDER` notes the time of each handler's call (epoch ns; of
`on_fill` as a negative number) into a file of FOLDER at each status message, as `recorder.py` does.
At the status `close` it closes, and notes the nanoseconds that took.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from array import array
from importlib import import_module
from pathlib import Path
from time import time_ns
from typing import Any

library: Any = import_module(sys.argv[1])
url, folder = sys.argv[2], Path(sys.argv[3])
times = array("q")
note = times.append
closing = threading.Event()


def write(name: str, content: array[int]) -> None:
    draft = folder / f"{name}.draft"
    draft.write_bytes(content.tobytes())
    os.replace(draft, folder / name)


def on_status(text: str) -> None:
    if text == "close":
        closing.set()
        return
    write(text, times)
    del times[:]


service = library.WebSocketService(None, url)
service.set_handlers(
    library.WebSocketEventHandlers(
        on_master_order=lambda message: note(time_ns()),
        on_order=lambda message: note(time_ns()),
        on_fill=lambda message: note(-time_ns()),
        on_status=on_status,
    )
)
service.connect("benchmark")
closing.wait()
begun = time.perf_counter_ns()
service.close()
write("close", array("q", [time.perf_counter_ns() - begun]))
