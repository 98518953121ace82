"""What plugins may do to whoever runs their code: return in a fork, raise what has no text."""

from __future__ import annotations

import os

from qehost.secret import redact

__all__ = ["describe_error", "exit_if_forked"]


def exit_if_forked(process: int) -> None:
    """End this process, at once, if it is a fork of `process` that a plugin let return from a call:
    two processes would share one queue and one cursor."""
    if os.getpid() != process:
        os._exit(1)


def describe_error(error: BaseException) -> str:
    """`ValueError: its text; its notes`, without secrets, or the type alone if `str` raises."""
    try:
        what = f"{type(error).__name__}: {error}".removesuffix(": ")
        return redact("; ".join([what, *getattr(error, "__notes__", ())]))
    except BaseException:  # noqa: BLE001 — the exception is the plugin's, and so is its __str__
        return type(error).__name__
