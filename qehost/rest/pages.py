"""All pages of a list that changes while it is read.  No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from qehost.rest.pieces import fields, plain
from qehost.rest.replies import Page

__all__ = ["pages"]

PASSES = 3
"""How often a list that shifts while it is read is read from its start."""


def pages(
    get: Callable[[int], Page], id_of: Callable[[Mapping[str, str]], str | None]
) -> Iterator[Page]:
    """Every item of a list, page by page, each item once.

    Items move while a list is read: a new one pushes its neighbours to the next page, one that
    leaves pulls them back to a page that was read already.  So an item that comes twice is left out
    the second time, and a list that was seen to shift is read again from its start, for what it
    hid, up to three times.

    `get` asks for a page, from 1; `id_of` gives what is the same in two states of one item, by its
    fields as JSON texts.  Where there is no such thing, items are told apart by their whole text.
    """
    known: set[str] = set()
    for _ in range(PASSES):
        seen: set[str] = set()
        totals: set[int] = set()
        number = 1
        while True:
            page = get(number)
            totals.add(page.total)
            ids = [_told_apart_by(text, id_of) for text in page.raw]
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


def _told_apart_by(text: str, id_of: Callable[[Mapping[str, str]], str | None]) -> str:
    try:
        return plain(id_of(fields(text)) or "") or text
    except ValueError:
        return text


def _is_last(page: Page, number: int) -> bool:
    if page.total:
        return not page.items or number * page.page_size >= page.total
    return len(page.items) < page.page_size
