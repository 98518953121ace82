"""Reads a list to its end, page by page, although it changes meanwhile.  No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from qehost.errors import IncompleteList
from qehost.events.wire.raw_json import fields, plain
from qehost.rest.replies import Page

__all__ = ["pages"]

PASSES = 3
"""How often a list that shifts while it is read is read from its start, at most."""


def pages(
    get: Callable[[int], Page],
    id_of: Callable[[Mapping[str, str]], str | None],
    max_pages: int | None = None,
) -> Iterator[Page]:
    """Every item of a list, page by page, each item once.

    Items move while a list is read: a new one shifts its neighbours to the next page, a removed one
    shifts them back to a page that has been read.  So an item that was seen before is left out, and
    a list that shifted is read again from its start for the items that were missed, up to three
    times.

    The venue may send pages of another size than it was asked for.  So a list ends when as many
    items came as the venue counts, or with a page without a new item.

    `get` reads a page, from 1.  `id_of` gives an item's id from its fields (as JSON texts); items
    without one are compared by their whole text.

    Raises:
        IncompleteList: there are more pages than `max_pages`; or, after the last page, fewer items
            came in all passes together than the venue ever counted.
    """
    known: set[str] = set()
    counts: set[int] = set()  # every total that the venue sent
    for _ in range(PASSES):
        seen: set[str] = set()
        totals: set[int] = set()
        repeated = 0  # within one page, which is no sign of shifting
        number = 1
        while True:
            page = get(number)
            ids = [_identity(text, id_of) for text in page.raw]
            exhausted = seen.issuperset(ids)  # also a page that is sent again and again
            if not exhausted and max_pages is not None and number > max_pages:
                raise IncompleteList(f"there are more than {max_pages} pages", too_long=True)
            seen.update(ids)
            repeated += len(ids) - len(set(ids))
            totals.add(page.total)
            if fresh := _fresh(page, ids, known):
                yield fresh
            if exhausted or page.total == len(seen) + repeated:
                break
            number += 1
        totals.discard(0)  # not sent
        counts |= totals
        if totals <= {len(seen) + repeated}:
            return
    # `known` also has the items that were added or removed meanwhile.
    if len(known) + repeated < min(counts):
        raise IncompleteList(
            f"the venue counts {min(counts)} and gave {len(known) + repeated} of them"
        )


def _identity(text: str, id_of: Callable[[Mapping[str, str]], str | None]) -> str:
    try:
        return plain(id_of(fields(text)) or "") or text
    except ValueError:
        return text


def _fresh(page: Page, ids: list[str], known: set[str]) -> Page | None:
    """The page with its new items alone, which become known; None if there are none."""
    fresh = []
    for i, item_id in enumerate(ids):
        if item_id not in known:
            known.add(item_id)
            fresh.append(i)
    if not fresh:
        return None
    return msgspec.structs.replace(
        page, items=[page.items[i] for i in fresh], raw=[page.raw[i] for i in fresh]
    )
