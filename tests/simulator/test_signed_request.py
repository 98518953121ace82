"""One page of a list, as V1 and V2 have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.simulator.refusal import RestRefusal
from qehost.simulator.signed_request import PAGE_SIZE_MAX, page


def form(number: int) -> dict[str, int]:
    return {"n": number}


@given(st.integers(0, 300), st.integers(1, PAGE_SIZE_MAX))
def test_the_pages_hold_everything_once_and_in_order(count: int, size: int) -> None:
    found, number = [], 1
    while items := page({"page": str(number), "pageSize": str(size)}, range(count), form)["items"]:
        assert len(items) <= size
        found += [item["n"] for item in items]
        number += 1
    assert found == list(range(count))


def test_a_page_says_which_it_is_and_how_many_there_are() -> None:
    told = page({}, range(50), form)
    assert (told["total"], told["page"], told["pageSize"], len(told["items"])) == (50, 1, 20, 20)


def test_a_page_that_is_too_long_is_refused_by_v2_and_clipped_by_v1() -> None:
    asked = {"pageSize": str(PAGE_SIZE_MAX + 1)}
    with pytest.raises(RestRefusal, match=f"at most {PAGE_SIZE_MAX}"):
        page(asked, range(500), form)
    assert page(asked, range(500), form, clip=True)["pageSize"] == PAGE_SIZE_MAX
