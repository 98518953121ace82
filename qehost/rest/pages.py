"""All pages of a list that changes while it is read.  No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from qehost.rest.replies import Page

__all__ = ["pages"]

PASSES = 3
"""How often a list that shifts while it is read is read from its start."""


def pages(get: Callable[[int], Page], id_of: Callable[[dict[str, Any]], Any]) -> Iterator[Page]:
    """Every item of a list, page by page, each item once.

    Items move while a list is read: a new one pushes its neighbours to the next page, one that
    leaves pulls them back to a page that was read already.  So an item that comes twice is left out
    the second time, and a list that was seen to shift is read again from its start, for what it
    hid, up to three times.

    `get` asks for a page, from 1; `id_of` gives what is the same in two states of one item.
    """
    known: set[Any] = set()
    for _ in range(PASSES):
        seen: set[Any] = set()
        totals: set[int] = set()
        number = 1
        while True:
            page = get(number)
            totals.add(page.total)
            ids = [id_of(item) or raw for item, raw in zip(page.items, page.raw, strict=True)]
            stuck = seen.issuperset(ids)  # a venue that sends one page for ever is no list
            seen.update(ids)
            fresh = []
            for i, item_id in enumerate(ids):
                if item_id not in known:
                    known.add(item_id)
                    fresh.append(i)
            if fresh:
                yield msgspec.structs.replace(
                    page,
                    items=[page.items[i] for i in fresh],
                    raw=[page.raw[i] for i in fresh],
                )
            if stuck or _is_last(page, number):
                break
            number += 1
        if totals in ({0}, {len(seen)}):
            return


def _is_last(page: Page, number: int) -> bool:
    if page.total:
        return not page.items or number * page.page_size >= page.total
    return len(page.items) < page.page_size
