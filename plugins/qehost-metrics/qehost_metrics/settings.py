"""The plugin's settings, as they stand under `[plugins.metrics]`."""

from __future__ import annotations

import errno
from typing import Annotated

import msgspec
from msgspec import Meta
from qehost import Context
from qehost.errors import Error

from qehost_metrics.server import listening_socket

__all__ = ["Config"]

Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where metrics are served, and from when on /healthz is 503."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="The address that is listened on. Other machines reach it with "
            '"0.0.0.0" or "::": then everybody who can reach it reads what is traded.',
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="0: any that is free.")] = 9464
    max_down: Annotated[
        Seconds,
        Meta(
            description="Seconds without a connection, or without a host process, "
            "until /healthz is 503."
        ),
    ] = 10.0
    max_lag: Annotated[
        Seconds, Meta(description="Seconds that an event may wait to be delivered.")
    ] = 60.0
    max_call: Annotated[Seconds, Meta(description="Seconds that a call of a hook may take.")] = 60.0
    max_age: Annotated[
        Seconds,
        Meta(
            description="Seconds that the status may be old; the supervisor writes it each second."
        ),
    ] = 5.0

    def check(self, context: Context) -> str:
        """For `qehost check`: whether the address can be had."""
        status = context.status()
        try:
            with listening_socket(self.host, self.port):
                return f"it can listen on {self.host}:{self.port}"
        except OSError as error:
            is_ours = status is not None and not status.ended
            if error.errno == errno.EADDRINUSE and is_ours:
                return f"{self.host}:{self.port} is in use, as it is while qehost runs"
            raise Error(str(error)) from error
