"""Where the settings come from: flags > environment > file > defaults.

`loading` puts the sources together, `sources` reads them, `catalogue` knows every setting in words,
and `annotated` prints them.  The settings themselves are structs in `qehost.settings`.
"""

from qehost.config.loading import (
    DEFAULT_ACCOUNT,
    Examined,
    Loaded,
    all_but_accounts,
    examine,
    load,
    missing_credentials,
    seconds,
)

__all__ = [
    "DEFAULT_ACCOUNT",
    "Examined",
    "Loaded",
    "all_but_accounts",
    "examine",
    "load",
    "missing_credentials",
    "seconds",
]
