"""When two texts are the same id, and when a text is none."""

from __future__ import annotations

import pytest

from qehost.events.ids import is_no_id, normal


@pytest.mark.parametrize("text", ["", "0", "-1", "null", "None", "{}", "[]", "false", "undefined"])
def test_what_stands_in_the_place_of_an_id_is_none(text: str) -> None:
    assert is_no_id(text)
    assert normal(text) == ""


@pytest.mark.parametrize("text", ["1", "00", "x", "nullable", "0x0"])
def test_all_else_is_an_id(text: str) -> None:
    assert not is_no_id(text)


def test_an_id_is_the_same_in_either_case() -> None:
    assert normal("4AFe") == normal("4afE")
