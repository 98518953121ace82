"""All pages of a list that changes while it is read.  No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from qehost.errors import IncompleteList
from qehost.rest.pieces import fields, plain
from qehost.rest.replies import Page

__all__ = ["pages"]

PASSES = 3
"""How often a list that shifts while it is read is read from its start."""


def pages(
    get: Callable[[int], Page],
    id_of: Callable[[Mapping[str, str]], str | None],
    max_pages: int | None = None,
) -> Iterator[Page]:
    """Every item of a list, page by page, each item once.

    Items move while a list is read: a new one pushes its neighbours to the next page, one that
    leaves pulls them back to a page that was read already.  So an item that comes twice is left out
    the second time, and a list that was seen to shift is read again from its start, for what it
    hid, up to three times.

    How long a page is, is the venue's to say, whatever it was asked for.  So a list ends where as
    many items came as the venue counts, or with a page that holds nothing new.

    `get` asks for a page, from 1; `id_of` gives what is the same in two states of one item, by its
    fields as JSON texts.  Where there is no such thing, items are told apart by their whole text.

    Raises:
        IncompleteList: there are more pages than `max_pages`; or, told after the last one, less
            came in all passes together than the venue ever counted.
    """
    known: set[str] = set()
    counts: set[int] = set()  # every total that the venue told
    for _ in range(PASSES):
        seen: set[str] = set()
        totals: set[int] = set()
        repeated = 0  # within a page, where it can't come from shifting
        number = 1
        while True:
            page = get(number)
            ids = [_told_apart_by(text, id_of) for text in page.raw]
            exhausted = seen.issuperset(ids)  # empty, or one page for ever
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
        totals.discard(0)  # the venue did not say
        counts |= totals
        if totals <= {len(seen) + repeated}:
            return
    # Items that came and went meanwhile are known, too: whatever moved, there are enough of them.
    if len(known) + repeated < min(counts):
        raise IncompleteList(
            f"the venue counts {min(counts)} and gave {len(known) + repeated} of them"
        )


def _told_apart_by(text: str, id_of: Callable[[Mapping[str, str]], str | None]) -> str:
    try:
        return plain(id_of(fields(text)) or "") or text
    except ValueError:
        return text


def _fresh(page: Page, ids: list[str], known: set[str]) -> Page | None:
    """The page with what is not known, which it is from now on; None if there is nothing."""
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
