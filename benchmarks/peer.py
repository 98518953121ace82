"""The peer: the PyPI package `qe-connector`, the venue's own client.

As a program it receives the stream in its way, in one process, with the recorder's methods as its
handlers.  `decode` is its way from text to message, of which it has no function of its own.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["MISSING", "NAME", "decode", "version"]

NAME = "qe-connector"
MISSING = (
    f"{NAME} is not installed here, so its columns are empty. With it, in an environment of its "
    "own:\n"
    "    python -m venv ENV && ENV/bin/python -m pip install -e . qe-connector\n"
    "    ENV/bin/python benchmarks"
)


def version() -> str | None:
    """Of the installed package; None: it is not installed."""
    try:
        return importlib.metadata.version(NAME)
    except importlib.metadata.PackageNotFoundError:
        return None


def decode(text: str) -> Any:
    """The same steps by the same functions as its `_handle_message` and `_dispatch_message`."""
    from qe import WebSocketService
    from qe.ws.types import ClientPushMessage

    fields = json.loads(text)
    message = ClientPushMessage(
        type=fields.get("type", ""),
        messageId=fields.get("messageId", ""),
        userId=fields.get("userId", ""),
        data=fields.get("data", ""),
    )
    inner = WebSocketService._parse_payload_data(message.data)
    if message.type == "master_data":
        return WebSocketService._build_master_order_message(inner)
    return WebSocketService._build_order_message(inner)


def main(url: str, folder: str, sleep: str) -> None:
    """Receives until it is ended; `sleep` is seconds in each call of a handler."""
    from qe import API, WebSocketEventHandlers, WebSocketService
    from recorder import Recorder

    recorder = Recorder(Recorder.Config(folder))
    pause = float(sleep)

    def slow(handler: Callable[[Any], None]) -> Callable[[Any], None]:
        def handle(message: Any) -> None:
            handler(message)
            time.sleep(pause)

        return handle if pause else handler

    service = WebSocketService(API("key", "secret"), url)
    service.set_handlers(
        WebSocketEventHandlers(
            on_master_order=slow(recorder.on_master_order),
            on_order=slow(recorder.on_order),  # it takes V1's fills for orders
            on_status=recorder.on_status,
        )
    )
    service.connect("benchmark")
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
