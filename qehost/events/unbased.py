"""Orders of which it is not known how much was filled before they were listened to.  No I/O.

What has been filled of them by then is told in no fill.  That is announced: once for a connection
where the stream brings them, and each time where REST does, since those are asked for on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence

from qehost.errors import GapError

__all__ = ["Unbased"]

_NAMED = 10
"""Orders that an error names."""


class Unbased:
    """Those of one account that are still to be announced."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._is_announced = False

    def add(self, order_id: str, venue_id: str) -> None:
        """One more: its id at the exchange, and the venue's."""
        self.ids.append(order_id or venue_id)

    def renew(self) -> None:
        """A connection begins: none is announced in it, and none is left."""
        self.ids.clear()
        self._is_announced = False

    def take_pushed(self) -> GapError | str:
        """What to tell of those that the stream brought: an error, or a line for the log where
        there was an error before."""
        named, self.ids = self.ids, []
        if self._is_announced:
            return f"another order without its beginning: {named[0]}"
        self._is_announced = True
        return _gap(named)

    def take_read(self) -> GapError:
        """What to tell of those that REST brought."""
        named, self.ids = self.ids, []
        return _gap(named)


def _gap(ids: Sequence[str]) -> GapError:
    names = ", ".join(ids[:_NAMED]) + (", …" if len(ids) > _NAMED else "")
    return GapError(
        f"{len(ids)} child orders ({names}) were made before they were listened to, and how much "
        "of them was filled by then is not known: what has been filled of them until now is told "
        "in no fill, what follows is. Look at the venue's own history"
    )
