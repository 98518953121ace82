"""The plugin's settings, as they stand under `[plugins.stats]`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["Config"]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often execution quality is told in the log."""

    every: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Seconds between two summaries of the day in the log; 0: at the end alone.",
        ),
    ] = 3600.0
    at_end: Annotated[bool, Meta(description="A summary of the day when qehost stops.")] = True
