"""Orders as an error names them."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["name_some"]

NAMED = 10


def name_some(names: Sequence[str]) -> str:
    """The first ones, and how many more there are."""
    more = f" and {len(names) - NAMED} more" * (len(names) > NAMED)
    return f"{', '.join(names[:NAMED])}{more}"
