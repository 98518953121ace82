"""A value that must not be shown: keys, passwords, a URL's credentials."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

__all__ = ["Secret", "without_credentials"]


class Secret:
    """A text that prints as dots.  `reveal()` is the only way to it: easy to search for."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('••••')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def without_credentials(url: str) -> str:
    """The URL without user, password, query and fragment: what may be printed of it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
