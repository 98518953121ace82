"""Mistakes in the accounts' settings that show only when their files and keys are opened."""

from __future__ import annotations

import ssl

from qehost import config
from qehost.config.sources import located
from qehost.errors import ConfigError, Error
from qehost.processes.account_api import account_api

__all__ = ["account_mistakes"]


def account_mistakes(loaded: config.LoadedSettings) -> list[str]:
    """Missing credentials, and certificates, keys and proxies that can't be used: each with the
    place of the setting."""
    mistakes = config.missing_credentials(loaded)
    for name, account in loaded.settings.accounts.items():
        own_files = account.ca_file or account.client_cert or account.client_key
        # Nothing is sent here, and loading the system's certificates takes 20 ms for each account.
        tls = None if own_files else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            account_api(account, tls).close()
        except ConfigError as error:
            mistakes += [
                located(f"accounts.{name}.{text}", loaded.places) for text in error.mistakes
            ]
        except Error as error:
            mistakes.append(located(f"accounts.{name}: {error}", loaded.places))
    return mistakes
