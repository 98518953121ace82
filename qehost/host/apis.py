"""The REST clients that plugins act with: one for each account, made when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from qehost.errors import Error
from qehost.names import suggestion
from qehost.settings import AccountSettings

if TYPE_CHECKING:
    from qehost.rest.api import API

__all__ = ["Apis"]


class Apis:
    """`apis(account)` is the account's client, the same for all plugins of this process.

    Any thread may ask.  The settings stand in closures: no attribute leads to a credential, so
    nothing that prints objects with all that they hold can show one.
    """

    def __init__(self, accounts: Mapping[str, AccountSettings]) -> None:
        self._makers = {name: _maker(name, account) for name, account in accounts.items()}
        self._made: dict[str, API] = {}
        self._lock = threading.Lock()

    def __call__(self, account: str) -> API:
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
        return api

    def close(self) -> None:
        """End what is under way in plugins' threads; every later call is refused."""
        with self._lock:
            for api in self._made.values():
                api.close()


def _maker(name: str, account: AccountSettings) -> Callable[[], API]:
    def make() -> API:
        # HTTP and TLS are loaded for those who act; most plugins never do.
        from qehost.rest.account import account_api

        if not (account.api_key and (account.api_secret or account.private_key)):
            raise Error(
                f"account {name} has no credentials to sign with: set api_key and api_secret "
                f"under [accounts.{name}]; a listen key alone only lets the stream be read"
            )
        return account_api(account)

    return make
