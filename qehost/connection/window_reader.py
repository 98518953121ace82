"""Reads over REST what changed in a window of time.  Runs in a thread; to end it, close the API.

The venue does not document what `startTime` is compared with: the creation of an order, or its last
change.  So the lists are asked for everything that was created some time before the window, too,
and what did not change in it is left out here.  Orders that were created even earlier, and were
open when they were last heard of, are asked for one by one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from qehost.connection.catch_up import MAX_PAGES, ReadResult, Window
from qehost.errors import Error, IncompleteList, RestError
from qehost.events.times import epoch_ms
from qehost.events.unfinished import ChildIds, Unfinished
from qehost.events.wire.raw_json import fields, plain
from qehost.rest import API, Page

__all__ = ["OVERLAP", "read_window"]

OVERLAP = 60.0
"""Seconds by which a window begins earlier: clocks differ, and the stream's last message may be
older than the changes that came with it."""

INACCURACY = 5.0
"""Seconds by which two measurements of the venue's time may differ without a clock having been set.
What happened so long before a window is in the overlap."""

WIDE = 86_400
"""Seconds by which a clock may be set.  A window that can't be right, because it begins ahead of
now, is made so wide, and changes whose times lie so far ahead are asked for, too."""

MASTER_ORDER_LIFE = 3 * 86_400.0
ORDER_LIFE = 900.0
"""Seconds before the window from which on created orders are on the lists."""

ASKED_AT_MOST = 60
"""Pages that are read for single orders, in one window."""

LEAVE_ALONE = (418, 429)
"""The HTTP statuses that are about all calls, not about the one."""


def read_window(
    api: API, window: Window, corrected: float = 0.0, unfinished: Unfinished | None = None
) -> ReadResult:
    """Read what changed in a window: first what runs, then what has ended, then child orders.

    In this order, an order that ends meanwhile is in the second list.  Never raises: a list that
    can't be read does not keep the others from it, and the first failure is in the result.

    `corrected` is how much of `VenueClock.jumped` the window's times take into account.
    `unfinished` are the orders that are asked for one by one, unless the lists have them.
    """
    clock = api.venue_clock
    # Where that fails, so will the lists.
    with contextlib.suppress(Error):
        clock.measure()
    now = round(clock.now() * 1e9)
    begin = window.earlier(round((clock.jumped - corrected) * 1e9)).since
    was_impossible = begin > now + INACCURACY * 1e9
    window = Window(now - WIDE * 10**9 if was_impossible else min(begin, now), now)
    reader = _Reader(api, window)
    reader.read_lists()
    if unfinished is not None and reader.failure is None:
        reader.read_single(unfinished)
    return ReadResult(
        window,
        reader.master_orders,
        reader.orders,
        reader.failure,
        reader.where,
        beyond=" and of ".join(reader.beyond),
        short=" and ".join(reader.short),
        was_impossible=was_impossible,
        not_covered=tuple(reader.not_covered),
    )


class _Reader:
    """What was read of one window so far."""

    def __init__(self, api: API, window: Window) -> None:
        self.master_orders: list[str] = []
        self.orders: list[str] = []
        self.failure: Exception | None = None
        self.where = ""
        self.beyond: list[str] = []
        self.short: list[str] = []
        self.not_covered: list[str] = []
        self._api = api
        since, until = window.moments()
        self._since = since - timedelta(seconds=OVERLAP)
        # What changed before the venue's clock was set back bears a time that lies ahead.
        self._until = until + timedelta(seconds=WIDE)
        self._is_left_alone = False
        # Ids of what was found, whether it changed or not; a child order has two.
        self._masters: set[str] = set()
        self._children: set[tuple[str, ...]] = set()

    def read_lists(self) -> None:
        since, until = self._since, self._until
        self._read_masters("running master orders", max_pages=MAX_PAGES, status="NEW")
        self._read_masters(
            "ended master orders",
            max_pages=MAX_PAGES,
            status="COMPLETED",
            startTime=since - timedelta(seconds=MASTER_ORDER_LIFE),
            endTime=until,
        )
        self._read_children(
            "order fills",
            max_pages=MAX_PAGES,
            startTime=since - timedelta(seconds=ORDER_LIFE),
            endTime=until,
        )

    def read_single(self, unfinished: Unfinished) -> None:
        """The orders that were open and are not on the lists: they may have changed all the same,
        and have been created before what the lists reach back to."""
        masters = [each for each in unfinished.masters if each.lower() not in self._masters]
        children = [each for each in unfinished.children if not self._has_child(each)]
        of_master: dict[str, list[ChildIds]] = {}
        for child in children:
            of_master.setdefault(child.master_id, []).append(child)
        of_master.pop("", None)
        left = ASKED_AT_MOST
        for master_id in masters[:left]:
            self._read_masters("single master orders", masterOrderId=master_id)
            left -= 1
        for master_id, wanted in of_master.items():
            if left <= 0:
                break
            left -= self._read_until_found(master_id, wanted, left)
        self.not_covered = [
            *(f"master order {each}" for each in masters if each.lower() not in self._masters),
            *(
                f"order {each.order_id or each.venue_id} of master order {each.master_id}"
                for each in children
                if not self._has_child(each)
            ),
        ]

    def _read_until_found(self, master_id: str, wanted: list[ChildIds], most: int) -> int:
        """The child orders of a master order until these are among them; how many pages it took."""
        filters = {"masterOrderId": master_id, "max_pages": most}
        where = "order fills of single master orders"
        pages = self._pages(where, self._api.order_fill_pages, filters, may_be_cut=True)
        count = 0
        for page in pages:
            count += 1
            self._take_children(page)
            if all(map(self._has_child, wanted)):
                break
        return max(1, count)

    def _read_masters(self, where: str, **filters: Any) -> None:
        for page in self._pages(where, self._api.master_order_pages, filters):
            self._masters.update(_text(item, "masterOrderId") for item in page.items)
            self.master_orders += _changed(page, self._since)

    def _read_children(self, where: str, **filters: Any) -> None:
        for page in self._pages(where, self._api.order_fill_pages, filters):
            self._take_children(page)

    def _take_children(self, page: Page) -> None:
        for item in page.items:
            self._children.add((_text(item, "id"),))
            self._children.add((_text(item, "masterOrderId"), _text(item, "orderId")))
        self.orders += _changed(page, self._since)

    def _has_child(self, child: ChildIds) -> bool:
        # Several may have one id at their exchange, such as the one before it gave them any.
        key = (child.venue_id,) if child.venue_id else (child.master_id, child.order_id)
        return tuple(map(str.lower, key)) in self._children

    def _pages(
        self,
        where: str,
        ask: Callable[..., Iterator[Page]],
        filters: dict[str, Any],
        *,
        may_be_cut: bool = False,
    ) -> Iterator[Page]:
        """What there is of a list; why that is not all, is noted."""
        if self._is_left_alone:
            return
        try:
            yield from ask(**filters)
        except IncompleteList as cut:
            if not may_be_cut:
                (self.beyond if cut.too_long else self.short).append(where)
        # Whatever it was, the rest of the program goes on, and what was read is not lost.
        except Exception as error:  # noqa: BLE001
            if self.failure is None:
                # Its frames refer to this, and the ring would stay until the collector runs.
                self.failure, self.where = error.with_traceback(None), where
            if isinstance(error, RestError):
                self._is_left_alone = error.status_code in LEAVE_ALONE


def _text(item: dict[str, Any], name: str) -> str:
    """An id, in the form in which ids are compared."""
    return str(item.get(name) or "").lower()


def _changed(page: Page, since: datetime) -> list[str]:
    """The texts of what changed since then, or may have."""
    earliest = since.timestamp() * 1000
    return [text for text in page.raw if (_updated_ms(text) or earliest) >= earliest]


def _updated_ms(text: str) -> int:
    """Epoch ms; 0 where the venue did not say, or in a way that can't be read."""
    try:
        return epoch_ms(plain(fields(text).get("updatedAt", "")))
    except ValueError:
        return 0
