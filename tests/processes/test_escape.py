"""What others wrote, printed: no terminal is steered, no line is forged, and nothing is lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.processes.escape import json_printable, visible

ANY = st.text(
    st.characters(categories=["L", "M", "N", "P", "S", "Z", "Cc", "Cf", "Cs", "Co", "Cn"])
)


@given(ANY)
def test_what_is_visible_has_no_control_character_and_can_be_written(text: str) -> None:
    shown = visible(text)
    assert (
        "".join(each for each in shown if each not in "\u00a0\u3000" and each.isspace()).strip()
        == ""
    )
    assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode()


@given(st.dictionaries(ANY, ANY))
def test_json_made_printable_says_the_same(value: dict[str, str]) -> None:
    text = json_printable(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert len(text.splitlines()) == 1
    text.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x9b0m", r"\x1b[31mred\x9b0m"),
        ("two\r\nlines\u2028", r"two\r\nlines\u2028"),
        ("\u202egnp.exe\u2066\u200f", r"\u202egnp.exe\u2066\u200f"),
        ("\ud800", r"\ud800"),
        ("合约　USDT 🚀 é", "合约　USDT 🚀 é"),
    ],
)
def test_what_steers_is_shown_and_what_is_text_stays(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_what_is_to_be_kept_stays() -> None:
    assert visible("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"
