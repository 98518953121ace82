"""What an `API` was given, for what acts beside it.

It stands here and not in the object: no attribute of an `API` leads to a credential, so none gets
into a log, a pickle or a debugger's view by accident.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from qehost.secret import Secret

__all__ = ["Credentials", "credentials_of", "remember"]


class Credentials(msgspec.Struct, frozen=True):
    """`rest_url` is the base URL; `""` and None are what was not given."""

    api_key: Secret | None = None
    api_secret: Secret | None = None
    private_key: Secret | None = None
    private_key_pass: Secret | None = None
    rest_url: str = ""
    proxy: Secret = Secret("")


_given: WeakKeyDictionary[Any, Credentials] = WeakKeyDictionary()


def remember(api: object, credentials: Credentials) -> None:
    """Called by the `API` that was given them."""
    _given[api] = credentials


def credentials_of(api: object) -> Credentials:
    """Of an `API`, or of a client of another library that has them as attributes, as the venue's
    own has: api_key, api_secret, private_key, private_key_pass, base_url."""
    try:
        found = _given.get(api)
    except TypeError:
        found = None  # it can't be hashed or referred to weakly
    if found is not None:
        return found
    return Credentials(
        api_key=_secret(api, "api_key"),
        api_secret=_secret(api, "api_secret"),
        private_key=_secret(api, "private_key"),
        private_key_pass=_secret(api, "private_key_pass"),
        rest_url=str(getattr(api, "base_url", None) or ""),
    )


def _secret(api: object, name: str) -> Secret | None:
    match getattr(api, name, None):
        case Secret() as secret:
            return secret
        case bytes() as value:
            return Secret(value.decode())
        case str() as text if text:
            return Secret(text)
        case _:
            return None
