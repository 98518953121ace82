"""An `API` with the settings of an account."""

from __future__ import annotations

import ssl

from qehost.config.settings import AccountSettings
from qehost.network.dial import tls_context
from qehost.rest.api import API

__all__ = ["account_api"]


def account_api(account: AccountSettings, tls: ssl.SSLContext | None = None) -> API:
    """The venue's REST interface as this account's settings describe it.

    `tls` is the context of the stream, where there is one; without it one is made.

    Raises:
        Error: a setting can't be used: a file with certificates, a private key, the proxy.
    """
    return API(
        account.api_key,
        account.api_secret,
        account.rest_url,
        private_key=account.private_key,
        private_key_pass=account.private_key_pass,
        ssl_context=tls or tls_context(account.ca_file, account.client_cert, account.client_key),
        proxy=account.proxy,
    )
