"""What qehost calls itself towards the venue."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

__all__ = ["user_agent"]


@cache  # reading the metadata takes a while, and leaves something for the collector each time
def user_agent() -> str:
    return f"qehost/{version('qehost')}"
