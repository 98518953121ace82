"""When two texts are the same id, and when a text is none.  No I/O."""

from __future__ import annotations

__all__ = ["is_no_id", "normal"]

_NO_IDS = frozenset({"", "0", "-1", "null", "none", "undefined", "false", "{}", "[]"})
_LONGEST = max(map(len, _NO_IDS))


def is_no_id(text: str) -> bool:
    """Whether it only stands in the place of an id, as `0` does before an exchange gave one."""
    return len(text) <= _LONGEST and text.lower() in _NO_IDS


def normal(text: str) -> str:
    """The form in which ids are compared: one and the same hexadecimal id comes in either case.

    It is `""` for what only stands in the place of an id.
    """
    folded = text.lower()
    if folded == text:
        folded = text  # not a copy: there is one for each order
    return folded if len(folded) > _LONGEST or folded not in _NO_IDS else ""
