"""The REST clients of plugins: one for each account, made at its first use.

Each plugin has a view of them, by which the log names it with what it does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from qehost.config.settings import AccountSettings
from qehost.config.suggest import suggestion
from qehost.errors import Error
from qehost.storage.progress import HookCall

if TYPE_CHECKING:
    from qehost.rest.api import API

__all__ = ["ApiClients"]


class ApiClients:
    """`apis(plugin, account)` is the account's client; its connections are the same for all
    plugins of this process.  `current` is the call of a hook that is going on.

    Any thread may call it.  The settings are in closures: no attribute leads to a credential, so
    nothing that prints objects with their attributes can show one.
    """

    def __init__(
        self,
        accounts: Mapping[str, AccountSettings],
        current: Callable[[], HookCall | None] = lambda: None,
    ) -> None:
        self._makers = {name: _maker(name, account) for name, account in accounts.items()}
        self._made: dict[str, API] = {}
        self._views: dict[tuple[str, str], API] = {}
        self._lock = threading.Lock()
        self._current = current

    def __call__(self, plugin: str, account: str) -> API:
        """Raises `Error` for an account that does not exist or has no credentials."""
        maker = self._makers.get(account)
        if maker is None:
            names = ", ".join(self._makers) or "none"
            hint = suggestion(account, self._makers) or f" (the accounts are {names})"
            raise Error(f"there is no account {account}{hint}")
        with self._lock:
            api = self._made.get(account)
            if api is None:
                api = self._made[account] = maker()
            view = self._views.get((plugin, account))
            if view is None:
                view = api.logged_as(partial(self._caller, plugin))
                self._views[plugin, account] = view
        return view

    def _caller(self, plugin: str) -> str:
        """Who acts, and at which event.  A thread of a plugin's own acts at none."""
        call = self._current()
        in_hook = threading.current_thread() is threading.main_thread()
        if call is None or call.plugin != plugin or not in_hook:
            return f"plugin {plugin}"
        event = f" at event {call.seq} of {call.account}" if call.seq else ""
        return f"plugin {plugin}, {call.hook}{event}"

    def close(self) -> None:
        """End the calls that plugins' threads make; every later one is refused."""
        with self._lock:
            for api in self._made.values():
                api.close()


def _maker(name: str, account: AccountSettings) -> Callable[[], API]:
    def make() -> API:
        # HTTP and TLS are imported only when a plugin acts; most never do.
        from qehost.processes.account_api import account_api

        if not (account.api_key and (account.api_secret or account.private_key)):
            raise Error(
                f"account {name} has no credentials to sign with: set api_key and api_secret "
                f"under [accounts.{name}]; a listen key alone only lets the stream be read"
            )
        return account_api(account)

    return make
