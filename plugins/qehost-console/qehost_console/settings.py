"""The plugin's settings, as they stand under `[plugins.console]`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

__all__ = ["Config"]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the console shows events."""

    style: Annotated[
        Literal["auto", "live", "lines"],
        Meta(
            description="live: a table that is redrawn in place.  lines: one line a message.  "
            "auto: live on a terminal, nothing elsewhere."
        ),
    ] = "auto"
    colour: Annotated[
        Literal["auto", "always", "never"],
        Meta(description="auto: on a terminal, unless the environment has NO_COLOR."),
    ] = "auto"
    masters: Annotated[
        int,
        Meta(ge=1, le=200, description="Rows for master orders; a small screen shows fewer."),
    ] = 16
    fills: Annotated[
        int,
        Meta(ge=0, le=200, description="Rows for the latest fills; a small screen shows fewer."),
    ] = 8
    summary: Annotated[
        bool, Meta(description="Print what was received, and how fast, when qehost stops.")
    ] = True
