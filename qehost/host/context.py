"""What `on_start` hands to a plugin."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from qehost.errors import Error

if TYPE_CHECKING:
    from qehost.rest.api import API

__all__ = ["ApiOf", "Context", "no_api"]

ApiOf: TypeAlias = "Callable[[str], API]"
"""From an account's name to its REST client."""


def no_api(account: str) -> API:
    """Where there is no REST."""
    raise Error(f"there is no REST interface to reach account {account} by")


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
    _api: ApiOf = field(repr=False, default=no_api)

    def api(self, account: str) -> API:
        """The account's REST client, signed with its credentials, which it does not show.

        It is made at the first call, shared by the plugins of a process, may be used from any
        thread, and is closed after `on_stop`.  A call takes the time of a round trip, and ten
        seconds at worst: in a hook that is time in which no plugin of this process gets an event.

        Raises `Error` for an account that does not exist or has no credentials.
        """
        return self._api(account)

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
