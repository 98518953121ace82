"""The thread that serves the page: one loop with the HTTP server and the publisher.

uvicorn speaks HTTP.  The socket is bound before it starts, in `on_start`, so that a taken port is
an error that is seen, and the limits that uvicorn has not are set on each connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any

import uvicorn
from qehost import Context
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from qehost_dashboard.access import Sessions
from qehost_dashboard.publishing import Inbox, Publisher
from qehost_dashboard.settings import Config
from qehost_dashboard.web import application

__all__ = ["Server"]

KERNEL_BUFFER = 64 * 1024
"""Bytes for what a client has not read.  Without a bound the kernel keeps megabytes for each."""
WRITE_BUFFER = 16 * 1024
"""Bytes that are kept beyond that before a send waits."""
FIRST_REQUEST = 10.0
"""Seconds in which a connection must have asked for something."""
MORE = 64
"""Connections beyond those of the streams."""


class _Connections:
    """Those that are open, by the peer's address."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[tuple[str, int], asyncio.Transport] = {}

    def add(self, transport: asyncio.Transport) -> None:
        if len(self._open) >= self._most:
            transport.abort()
            return
        self._open[transport.get_extra_info("peername")] = transport

    def remove(self, transport: asyncio.Transport) -> None:
        name = transport.get_extra_info("peername")
        if self._open.get(name) is transport:
            del self._open[name]

    def cut(self, scope: Scope) -> None:
        transport = self._open.get(tuple(scope["client"] or ()))
        if transport is not None:
            transport.abort()

    def cut_all(self) -> None:
        for transport in list(self._open.values()):
            transport.abort()


def _protocol(connections: _Connections) -> type[H11Protocol]:
    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            transport.set_write_buffer_limits(WRITE_BUFFER)
            connections.add(transport)
            self.loop.call_later(FIRST_REQUEST, self._cut_if_silent, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            connections.remove(self.transport)
            super().connection_lost(exc)

        def _cut_if_silent(self, transport: asyncio.Transport) -> None:
            if self.cycle is None:  # as before the first request, though it is declared otherwise
                transport.abort()  # type: ignore[unreachable]

    return Protocol


class Server:
    """Bound when it is made (OSError), and served by a thread of its own until `stop`."""

    def __init__(self, context: Context, config: Config, inbox: Inbox) -> None:
        self._context = context
        self._config = config
        self._inbox = inbox
        self._socket = socket.create_server((config.host, config.port), backlog=128)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        self.port: int = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="qehost-dashboard", daemon=True)
        self._thread.start()

    def stop(self, within: float) -> bool:
        """Whether it has ended within these seconds."""
        self._started.wait(within)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(within)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with self._socket:  # nobody else may close it: the loop waits for it
                asyncio.run(self._serve())
        except BaseException as error:  # it must not end without a trace: the page would be silent
            self._context.logger.exception("the page is no longer served")
            self._context.problem("page", f"the page is no longer served: {error!r}")

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._started.set()
        config, connections = self._config, _Connections(self._config.clients + MORE)
        publisher = Publisher(self._context, self._inbox, config.clients)
        sessions = Sessions(config.token.reveal(), self.port)
        app = application(self._context, config, publisher, sessions, connections.cut)
        server = uvicorn.Server(_server_config(app, _protocol(connections)))
        async with asyncio.TaskGroup() as group:
            work = [group.create_task(publisher.feed()), group.create_task(publisher.publish())]
            group.create_task(server.serve(sockets=[self._socket]))
            await self._stopping.wait()
            for task in work:
                task.cancel()
            publisher.broadcast.end()
            server.should_exit = True
            await asyncio.sleep(0.1)  # what is listening gets its end
            connections.cut_all()


def _server_config(app: ASGIApp, protocol: type[H11Protocol]) -> uvicorn.Config:
    own: dict[str, Any] = {
        "http": protocol,
        "ws": "none",
        "lifespan": "off",
        "loop": "asyncio",
        "log_config": None,
        "log_level": "critical",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "timeout_keep_alive": 15,
        "timeout_graceful_shutdown": 1,
    }
    return uvicorn.Config(app, **own)
