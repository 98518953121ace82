"""An `API` with the settings of an account."""

from __future__ import annotations

import ssl

from qehost.network.dial import tls_context
from qehost.rest.api import API
from qehost.secret import Secret
from qehost.settings import AccountSettings

__all__ = ["account_api"]


def account_api(account: AccountSettings, tls: ssl.SSLContext | None = None) -> API:
    """The venue's REST interface as this account's settings describe it.

    `tls` is the context of the stream, where there is one; without it one is made.

    Raises:
        Error: a setting can't be used: a file with certificates, a private key, the proxy.
    """
    return API(
        _text(account.api_key),
        _text(account.api_secret),
        account.rest_url,
        private_key=_text(account.private_key),
        private_key_pass=_text(account.private_key_pass),
        ssl_context=tls or tls_context(account.ca_file, account.client_cert, account.client_key),
        proxy=account.proxy.reveal(),
    )


def _text(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()
