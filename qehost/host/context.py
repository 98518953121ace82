"""What `on_start` hands to a plugin."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Context"]


@dataclass(frozen=True, slots=True)
class Context:
    """What a plugin may know and use.  It stays valid until `on_stop` has returned."""

    plugin: str
    """The plugin's name."""
    accounts: tuple[str, ...]
    """The accounts' names, as in the settings."""
    config: Any = field(repr=False)  # it may hold the plugin's passwords
    """An instance of the plugin's `Config`, or None if it has none."""
    _folder: Path
    stop: Callable[[str], None] = field(repr=False)
    """`stop(reason)` asks the whole of qehost to end in an orderly way.  It returns at once."""

    @property
    def logger(self) -> logging.Logger:
        """`qehost.plugin.NAME`"""
        return logging.getLogger(f"qehost.plugin.{self.plugin}")

    @property
    def state_dir(self) -> Path:
        """A folder of the plugin's own that outlives restarts.

        It is made when it is first asked for, for the user alone (mode 0700).  Raises `OSError` if
        that is not possible.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder
