"""The users of the simulated venue: credentials, listen key, market, history.  No I/O."""

from __future__ import annotations

import secrets
from random import Random

from qehost.simulator.history import History, TimeFilter
from qehost.simulator.market import Market

__all__ = ["Account", "AccountList"]

_DAY = 24 * 3600.0


class Account:
    """One user.  `public_key` (PEM: RSA or Ed25519), if set, is used in place of the secret."""

    def __init__(
        self, seed: int, index: int, now_ms: int, time_filter: TimeFilter = "updated"
    ) -> None:
        # The credentials depend on the seed alone, so a command line copied yesterday still works.
        rng = Random(f"credentials {seed}/{index}")
        self.index = index
        self.user_id = f"user-{index + 1}"
        self.api_key = f"{rng.getrandbits(128):032x}"
        self.api_secret = f"{rng.getrandbits(256):064x}"
        self.public_key = ""
        self.market = Market(seed, now_ms, index)
        self.history = History(time_filter)
        self.listen_key = ""
        self.expire_at_ms = 0

    def __repr__(self) -> str:
        return f"Account({self.user_id})"

    def new_listen_key(self, now_ms: int, lifetime: float | None = None) -> str:
        """A new key that is valid for `lifetime` seconds or a day; the one before it ends."""
        self.listen_key = secrets.token_hex(16)
        self.expire_at_ms = now_ms + round((lifetime or _DAY) * 1000)
        return self.listen_key

    def accepts(self, listen_key: str, now_ms: int) -> bool:
        """Whether this is the user's valid listen key."""
        return (
            bool(self.listen_key) and listen_key == self.listen_key and now_ms < self.expire_at_ms
        )


class AccountList(list[Account]):
    """All users, found by the credentials of a request."""

    def by_api_key(self, api_key: str) -> Account | None:
        return next((account for account in self if account.api_key == api_key), None)

    def by_listen_key(self, listen_key: str, now_ms: int) -> Account | None:
        return next((account for account in self if account.accepts(listen_key, now_ms)), None)
