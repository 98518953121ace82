"""Texts of others as they may be printed: none controls a terminal or looks like another one."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable

__all__ = ["json_printable", "visible"]


def visible(text: str, keep: str = "") -> str:
    """The text with its control characters as escapes: `\\x1b`, `\\n`.

    So are the characters that turn the direction of writing, and those without any width; a blank
    of any width stays, and what is in `keep`.
    """
    return _escaped(text, keep, lambda it: it.encode("unicode_escape").decode())


def json_printable(text: str) -> str:
    """The same for a JSON text without line breaks, which says what it said."""
    return _escaped(text, "", lambda it: json.dumps(it)[1:-1])


def _escaped(text: str, keep: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(
        it if it.isprintable() or it in keep or unicodedata.category(it) == "Zs" else escape(it)
        for it in text
    )
