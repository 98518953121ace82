"""The hooks.  They put events into the inbox of the thread that serves the page."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qehost import Retry
from qehost.errors import Error, HookError
from qehost.messages import AnyEvent, ErrorEvent, Event

from qehost_dashboard import settings
from qehost_dashboard.publishing import Inbox
from qehost_dashboard.settings import is_wildcard

if TYPE_CHECKING:
    from qehost.hookspecs import Context

    from qehost_dashboard.serving import Server

__all__ = ["Dashboard"]

ROOM = 20_000
"""Events that may wait in the inbox."""
END_WITHIN = 0.8
"""Seconds: the end of all plugins together has ten."""


class Dashboard:
    """Serves the page."""

    Config = settings.Config

    def __init__(self, config: settings.Config) -> None:
        self._config = config
        self._inbox: Inbox = deque()
        self._server: Server | None = None

    def on_start(self, context: Context) -> None:
        from qehost_dashboard.serving import Server  # uvicorn takes a while to import

        config = self._config
        try:
            server = Server(context, config, self._inbox)
        except OSError as error:
            raise Error(
                f"the page can't be served at {config.host}:{config.port}: {error}; "
                "port in [plugins.dashboard] is another one"
            ) from error
        self._server = server
        name = "127.0.0.1" if is_wildcard(config.host) else config.host
        context.logger.info("the page is at http://%s:%d/", name, server.port)

    @property
    def port(self) -> int:
        """Where the page is; 0: nowhere."""
        return 0 if self._server is None else self._server.port

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        if len(self._inbox) > ROOM:
            # Its position waits, and the events come again from the journal: nothing is lost.
            raise Retry(after=1.0, reason="the page's thread does not get to its work")
        self._inbox.extend(events)

    def on_error(self, error: Error, event: ErrorEvent | Event | None) -> None:
        if isinstance(error, HookError) and len(self._inbox) <= ROOM:
            self._inbox.append(error)

    def on_stop(self, reason: str) -> None:
        if self._server is not None:
            self._server.stop(END_WITHIN)
            self._server = None
