"""Whether an order that comes up for the first time is a new one.  No I/O.

What was filled of an order before its account was listened to is no fill.  So it counts since when
the stream is listened to, and which orders were known by then.
"""

from __future__ import annotations

from enum import StrEnum

from qehost.events.states import CLOCKS_APART, is_older

__all__ = ["FirstSight", "Known"]

_INEXACT = 1_000
"""Milliseconds by which a time of the venue that was noted here may be wrong."""

_OFFSET_INEXACT = 5_000
"""Milliseconds by which the venue's clock may be off from what was measured: half of the longest
call."""


class Known(StrEnum):
    """Which orders are known of those that were there when the listening began."""

    NONE = "none"
    """REST could not be read, for instance for want of credentials."""
    RUNNING = "running"
    """Those that were running: a baseline was read."""
    ALL = "all"
    """All: an earlier process listened until then, and what it knew is known."""


class FirstSight:
    """What can be said of an order that is not known.  Times are the venue's, in epoch ms."""

    def __init__(self) -> None:
        self.since = 0
        """0: there are no orders from before."""
        self._certain_since = 0
        self._may_have_begun = 0
        self.known = Known.ALL
        self.began = 0
        """When an earlier process listened to the account first, as far as is known; 0: it is
        not."""
        self.doubtful_until = 0
        """What was told until then may not be known; 0: it is."""

    def begin(self, since: int, known: Known, certain_since: int = 0) -> None:
        """The stream is listened to since then.  An order that was made later than that, and before
        `certain_since`, may be an old one all the same, since the venue's clock was set back."""
        self.since, self.known = since, known
        self._certain_since = max(certain_since, since if known is Known.RUNNING else 0)
        if since < self.began:
            # The venue's clock was set back, or what was noted of it was wrong.
            self.began, self._may_have_begun = 0, self.began

    def extend_doubt(self, by: int) -> None:
        """What was told until so many milliseconds later may not be known either."""
        if self.doubtful_until:
            self.doubtful_until += by

    @property
    def listened_since(self) -> int:
        """Since when the account is listened to, by this process or before; 0: not known."""
        return self.began or (0 if self.known is Known.ALL else self.since)

    @property
    def matters(self) -> bool:
        """Whether there may have been orders before."""
        return bool(self.since or self.doubtful_until)

    def is_new(self, created: int) -> bool:
        """Whether an order that was not known was made after the listening began; `created` is 0
        where the venue does not say when."""
        if 0 < created < self.began:
            return False
        if not self.since:
            return True
        if self.known is Known.NONE:
            return created >= self.since
        return not created or created >= self.since - CLOCKS_APART

    def is_since(self, created: int, since: int) -> bool:
        """Whether an order that was not known was made since then, by a time that was noted here.

        What was made a moment before that, an earlier process would have heard of.
        """
        inexact = _INEXACT if self.known is Known.ALL else 0
        return created >= max(since - inexact, self.began)

    def may_be_old(self, created: int) -> bool:
        """Whether an order that counts as new may have been there before, by the clocks."""
        return 0 < created < max(self._certain_since, self._may_have_begun)

    def may_be_told(self, created: int, now: int = 0) -> bool:
        """Whether an order that was not known may have been told all the same.

        One that was made later than `now`, the venue's time where it is known, was made before the
        venue's clock was set back.
        """
        if not self.doubtful_until:
            return False
        is_ahead = 0 < now < created - _OFFSET_INEXACT
        return is_ahead or created <= self.doubtful_until + _OFFSET_INEXACT

    def is_from_before(self, moment: int, *, is_new: bool) -> bool:
        """Whether something was so before the listening began; 0: it is not known when.

        What an earlier process did not hear of a new order was lost on its way.
        """
        if is_older(moment, self.began):
            return True
        return is_older(moment, self.since) and not (is_new and self.known is Known.ALL)
