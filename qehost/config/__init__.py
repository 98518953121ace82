"""The settings: flags > environment > file > defaults.

`settings` declares them, `sources` reads the file and the environment, `loading` merges all
sources, `catalogue` describes each setting, and `annotated` prints them as a file.
"""

from qehost.config.durations import parse_duration
from qehost.config.loading import (
    DEFAULT_ACCOUNT,
    LoadedSettings,
    LoadResult,
    all_but_accounts,
    load,
    missing_credentials,
    try_load,
)

__all__ = [
    "DEFAULT_ACCOUNT",
    "LoadResult",
    "LoadedSettings",
    "all_but_accounts",
    "load",
    "missing_credentials",
    "parse_duration",
    "try_load",
]
