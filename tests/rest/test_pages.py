"""Lists that change while they are read."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qehost.errors import IncompleteList
from qehost.rest import Page
from qehost.rest.pages import pages
from qehost.rest.replies import Answer

SIZE = 3


def page_of(ids, number, total):
    items = [{"id": i} for i in ids[(number - 1) * SIZE : number * SIZE]]
    return Page(items, [json.dumps(item) for item in items], total, number, SIZE)


def read(get, max_pages=None):
    found = pages(get, lambda item: item["id"], max_pages)
    return [item["id"] for page in found for item in page.items]


def read_in_part(get, max_pages=None, too_long=False):
    """What comes before it is told that this is not all."""
    found = []
    come = pages(get, lambda item: item["id"], max_pages)
    with pytest.raises(IncompleteList) as caught:
        found.extend(item["id"] for page in come for item in page.items)
    assert caught.value.too_long is too_long
    return found


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


def test_a_venue_that_sends_one_page_for_ever_is_left_and_told_if_it_counts_more():
    assert read(lambda _: page_of([1, 2, 3], 1, 0)) == [1, 2, 3]
    assert read_in_part(lambda _: page_of([1, 2, 3], 1, 10**9)) == [1, 2, 3]


@given(
    st.integers(0, 30),
    st.integers(1, 12),
    st.sampled_from(["items", "pages", "none", "negative"]),
    st.booleans(),
)
def test_a_list_is_read_whole_however_long_its_pages_are_and_whatever_the_total_counts(
    length, size, counts, says_size
):
    ids = list(range(length))
    count_of_pages = -(-length // size)
    total = {"items": length, "pages": count_of_pages, "none": None, "negative": -1}[counts]
    # Where the number of pages could be that of the items so far, nobody can know better.
    assume(counts != "pages" or count_of_pages % size or count_of_pages >= length)

    def get(number):
        items = [{"id": i} for i in ids[(number - 1) * size : number * size]]
        answer = {"items": items, "total": total, "pageSize": size if says_size else None}
        return Page.of(Answer(json.dumps(answer), 200, {}, True), number, 10)

    assert read(get) == ids
    assert get(1).page_size == (size if says_size else 10)


def test_what_a_list_holds_twice_counts_twice():
    page = Page([{}] * 3, ["null", "null", '{"id": 1}'], 3, 1, 10)
    assert [p.raw for p in pages(lambda _: page, lambda item: item.get("id"))] == [
        ["null", '{"id": 1}']
    ]


@given(st.data())
def test_no_coming_and_going_is_taken_for_a_list_that_was_cut(data):
    ids = list(range(data.draw(st.integers(0, 14))))
    fresh = iter(range(1000, 2000))

    def get(number):
        found = page_of(ids, number, len(ids))
        for change in data.draw(st.lists(st.integers(-1, 14), max_size=4)):
            if change < 0:
                ids.insert(0, next(fresh))
            elif change < len(ids):
                del ids[change]
        return found

    found = read(get)
    assert len(found) == len(set(found))


def test_a_list_may_have_as_many_pages_as_it_may_have_and_no_more():
    ids = list(range(4 * SIZE))
    for total in (len(ids), 0):
        calls = []

        def get(number, total=total, calls=calls):
            calls.append(number)
            return page_of(ids, number, total)

        assert read(get, 4) == read(get, 5) == ids
        calls.clear()
        assert read_in_part(get, 3, too_long=True) == ids[: 3 * SIZE]
        assert calls == [1, 2, 3, 4]


def test_a_list_that_is_read_again_is_not_longer_for_that():
    ids = list(range(4 * SIZE))

    def get(number):
        found = page_of(ids, number, len(ids))
        if number == 1 and 0 in ids:
            ids.remove(0)  # which pulls number 3 to the page that was read already
        return found

    assert sorted(read(get, 4)) == list(range(4 * SIZE))


def test_items_without_an_id_are_told_apart_by_their_text():
    raw = ['{"a":1}', '{"a":2}', '{"a":1}']
    page = Page([json.loads(text) for text in raw], raw, 0, 1, 100)
    found = [text for p in pages(lambda _: page, lambda item: None) for text in p.raw]
    assert found == raw[:2]
