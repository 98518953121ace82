"""Lists that change while they are read."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from qehost.rest import Page
from qehost.rest.pages import pages

SIZE = 3


def page_of(ids, number, total):
    items = [{"id": i} for i in ids[(number - 1) * SIZE : number * SIZE]]
    return Page(items, [json.dumps(item) for item in items], total, number, SIZE)


def read(get):
    return [item["id"] for page in pages(get, lambda item: item["id"]) for item in page.items]


@given(st.lists(st.integers(), unique=True, max_size=20), st.booleans())
def test_a_list_that_rests_is_read_once_and_whole(ids, tells_total):
    calls = []

    def get(number):
        calls.append(number)
        return page_of(ids, number, len(ids) if tells_total else 0)

    assert read(get) == ids
    assert len(calls) == len(set(calls))


@given(st.data())
def test_whatever_stays_in_a_shifting_list_is_found_and_nothing_comes_twice(data):
    """Newest first, as the venue has it: items come at the front and leave anywhere."""
    stay = list(range(100, 100 + data.draw(st.integers(0, 12))))
    leave = list(range(data.draw(st.integers(0, 4))))
    ids = data.draw(st.permutations(stay + leave))
    fresh = iter(range(1000, 1004))
    changes = [0]

    def get(number):
        found = page_of(ids, number, len(ids))
        # A few changes, between any two pages; then the list comes to rest.
        if changes[0] < 2 and data.draw(st.booleans()):
            changes[0] += 1
            if leave and data.draw(st.booleans()):
                ids.remove(leave.pop())
            else:
                ids.insert(0, next(fresh))
        return found

    found = read(get)
    assert len(found) == len(set(found))
    assert set(stay) <= set(found)


def test_a_venue_that_sends_one_page_for_ever_is_left():
    assert read(lambda _: page_of([1, 2, 3], 1, 0)) == [1, 2, 3]
    assert read(lambda _: page_of([1, 2, 3], 1, 10**9)) == [1, 2, 3]


def test_items_without_an_id_are_told_apart_by_their_text():
    raw = ['{"a":1}', '{"a":2}', '{"a":1}']
    page = Page([json.loads(text) for text in raw], raw, 0, 1, 100)
    found = [text for p in pages(lambda _: page, lambda item: None) for text in p.raw]
    assert found == raw[:2]
