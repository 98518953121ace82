"""Comparing the names of plugins, hooks and settings, and suggesting the nearest one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

__all__ = ["canonical", "suggestion"]


def canonical(name: str) -> str:
    """The form in which names are compared: `My_Plugin`, `my.plugin` and `my-plugin` are equal.

    pip compares the names of distributions in the same way.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def suggestion(name: str, known: Iterable[str]) -> str:
    """` (did you mean …?)` with the known name nearest to this one, or `""` if none is near."""
    by_form = {canonical(each): each for each in known}
    near = difflib.get_close_matches(canonical(name), by_form, n=1)
    return f" (did you mean {by_form[near[0]]}?)" if near else ""
