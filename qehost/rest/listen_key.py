"""The listen key as a value."""

from __future__ import annotations

from typing import Any

import msgspec

from qehost.errors import APIError, ServerError
from qehost.rest.api import API
from qehost.secret import Secret, redact, redact_keys

__all__ = ["ListenKey", "make_listen_key"]


class ListenKey(msgspec.Struct, frozen=True):
    """A key to the stream.  `expire_at` is in epoch seconds, 0 if the venue did not say."""

    key: Secret
    expire_at: int = 0

    @classmethod
    def of(cls, reply: Any) -> ListenKey:
        """The key in the venue's dictionary.

        Raises:
            APIError: the venue says that it made none.
            ServerError: there is none.
        """
        fields = reply if isinstance(reply, dict) else {}
        if fields.get("success") in (False, "false"):
            message = str(fields.get("message") or "no reason was given")
            raise APIError(200, "not successful", redact_keys(redact(message)))
        key = str(fields.get("listenKey") or "")
        if not key:
            raise ServerError(200, "the answer has no listenKey")
        try:
            expire_at = int(fields.get("expireAt") or 0)
        except (TypeError, ValueError, OverflowError):
            expire_at = 0
        return cls(Secret(key), expire_at)


def make_listen_key(api: API, version: str) -> ListenKey:
    """Make a key; `version` is `v2` or `v1`.  This ends the user's key from before.

    Raises:
        RestError: there is none, or its answer was lost.
    """
    if version == "v1":
        return ListenKey.of(api.create_listen_key())
    return ListenKey.of(api.create_listen_key_v2())
