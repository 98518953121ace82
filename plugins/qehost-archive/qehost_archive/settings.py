"""The plugin's settings, as they stand under `[plugins.archive]`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from qehost import Context, Error

__all__ = ["Config", "folder_of"]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the archive is, and how often something is added."""

    folder: Annotated[
        str,
        Meta(
            description='Where it is; "": archive, in the plugin\'s own state folder.  A relative '
            "path counts from this file."
        ),
    ] = ""
    raw: Annotated[
        bool, Meta(description="With the venue's text of each event: twice as large.")
    ] = True
    flush_rows: Annotated[
        int, Meta(ge=1, le=100_000, description="So many events of an account are added at once.")
    ] = 5_000
    flush_minutes: Annotated[
        float,
        Meta(gt=0, le=60, description="Or fewer, when the first of them has waited so long."),
    ] = 5.0

    def check(self, context: Context) -> str:
        """For `qehost check`: whether the folder can be written.  Raises Error."""
        if not self.folder:
            return "the archive is in its own state folder"
        folder = folder_of(context)
        existing = next(each for each in (folder, *folder.parents) if each.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            raise Error(f"the archive {folder} can't be written: {existing} does not allow it")
        return f"the archive {folder} can be written"


def folder_of(context: Context) -> Path:
    """The archive's folder.  Raises OSError."""
    config: Config = context.config
    if not config.folder:
        return context.state_dir / "archive"
    return context.settings_dir / Path(config.folder).expanduser()
