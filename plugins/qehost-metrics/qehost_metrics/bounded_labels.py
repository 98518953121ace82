"""Labels whose values come from outside, so their number is bounded."""

from __future__ import annotations

from collections import defaultdict

__all__ = ["OTHER", "BoundedLabels"]

OTHER = "other"


class BoundedLabels:
    """The first so many values of each group keep their name, all later ones are `other`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: defaultdict[str, set[str]] = defaultdict(set)
        self._beyond: defaultdict[str, set[str]] = defaultdict(set)

    def label(self, group: str, value: str) -> str:
        known = self._known[group]
        if value in known:
            return value
        if len(known) < self._limit:
            known.add(value)
            return value
        beyond = self._beyond[group]
        if len(beyond) < self._limit:
            beyond.add(value)
        return OTHER

    def beyond(self, group: str) -> int:
        """How many values of the group are `other`; counted up to the limit."""
        return len(self._beyond.get(group, ()))
