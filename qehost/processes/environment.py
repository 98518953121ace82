"""The environment of what is started here: without the variables that hold secrets.

Whatever a process starts inherits its environment, and hands it on; and what a process was started
with can be read for as long as it runs.  A secret reaches our own processes by a pipe.
"""

from __future__ import annotations

import os

from qehost.config.secret_settings import secret_variables
from qehost.secret import holds_secret

__all__ = ["drop_secrets", "environment_for_child"]


def environment_for_child(*, keep_secrets: bool) -> dict[str, str]:
    """That of this process; unless `keep_secrets`, without the variables that hold secrets, or
    settings of plugins, which may be secrets."""
    return {
        name: value
        for name, value in os.environ.items()
        if keep_secrets or not _is_secret(name, value)
    }


def drop_secrets() -> None:
    """Take the variables that hold secrets out of this process's environment.

    To be called in a plugins' process when it has read their settings: a secret that stands in a
    file may stand in a variable, too.
    """
    for name, value in list(os.environ.items()):
        if _is_secret(name, value):
            del os.environ[name]


def _is_secret(name: str, value: str) -> bool:
    # A proxy's address may hold a password, and is for all programs.
    return name in secret_variables or (holds_secret(value) and not name.lower().endswith("_proxy"))
