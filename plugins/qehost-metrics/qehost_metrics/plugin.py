"""The hooks, and the two pages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from qehost import Context, Status
from qehost.errors import JournalError
from qehost.messages import AnyEvent

from qehost_metrics.condition import Condition
from qehost_metrics.counting import Counting
from qehost_metrics.health import Limits, reasons
from qehost_metrics.server import Answer, Server
from qehost_metrics.settings import Config as Settings

__all__ = ["Metrics"]

OPENMETRICS = "application/openmetrics-text"


class Metrics:
    """Counts events, and serves what it counted with the state of the pipeline."""

    Config: ClassVar[type[Settings]] = Settings

    def __init__(self, config: Settings) -> None:
        self._config = config
        self._limits = Limits(config.max_down, config.max_lag, config.max_call, config.max_age)
        self._counting = Counting()
        self._registry = CollectorRegistry(auto_describe=False)
        self._server: Server | None = None

    def on_start(self, context: Context) -> None:
        self._context = context
        config = self._config
        pages = {"/metrics": self._metrics, "/healthz": self._health}
        # A port that is taken is raised here, and tried again; nothing else has begun yet.
        server = Server(config.host, config.port, pages, context.logger)
        self._counting.start(context.accounts)
        self._registry.register(
            Condition(self._status, self._limits, context.accounts, self._counting.symbols_beyond)
        )
        self._server = server
        server.start()
        host = f"[{config.host}]" if ":" in config.host else config.host
        context.logger.info("metrics at http://%s:%d/metrics", host, server.port)

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        self._counting.add(events, time.time())

    def on_stop(self, reason: str) -> None:
        if self._server is not None:
            self._server.close()

    # --- in the server's threads ------------------------------------------------------------------

    def _status(self) -> Status | None:
        with suppress(JournalError):  # as if there were none, which is a reason not to be well
            return self._context.status()
        return None

    def _metrics(self, accept: str) -> Answer:
        _, content_type = choose_encoder(accept)
        is_openmetrics = content_type.startswith(OPENMETRICS)
        # The first version of the form, whichever is asked for: what was counted is written so.
        encode, content_type = choose_encoder(OPENMETRICS if is_openmetrics else "")
        counted = "".join(self._counting.lines(is_openmetrics)).encode()
        return Answer(200, content_type, counted + encode(self._registry))

    def _health(self, accept: str) -> Answer:
        status = self._status()
        found = reasons(status, self._limits)
        body = {
            "healthy": not found,
            "reasons": found,
            "age": None if status is None else round(status.age(), 3),
        }
        return Answer(503 if found else 200, "application/json", msgspec.json.encode(body))
