"""JSON on a terminal controls nothing there, and says what it says."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.cli.json_output import EscapingFile, escaped, pretty_json, pretty_json_array
from qehost.cli.output_file import STDOUT, output_file

TEXTS = [
    "\x9b31m",
    "\u202egnp.exe",
    "a\u200bb",
    "\x7f",
    "\ufeff",
    "\u2028",
    "\U000e0001",
    "\x1b[2J",
]
WORDS = ["plain", "Größe 10 µs", "订单", "🙂"]


@pytest.mark.parametrize("text", TEXTS)
def test_control_characters_are_escaped_and_read_back(text: str) -> None:
    data = pretty_json({"text": text})
    assert data.decode().replace("\n", "").isprintable()
    assert json.loads(data) == {"text": text}


@pytest.mark.parametrize("text", WORDS)
def test_words_of_any_language_stay_as_they_are(text: str) -> None:
    assert text in pretty_json([text]).decode()


@given(st.lists(st.dictionaries(st.text(), st.text() | st.lists(st.text()))))
def test_an_array_in_parts_is_the_whole_and_says_what_it_was_made_of(values: list[Any]) -> None:
    whole = b"".join(pretty_json_array(values))
    assert whole == pretty_json(values) + b"\n"
    assert json.loads(whole) == values


def test_a_file_in_front_of_a_terminal_escapes_what_is_written() -> None:
    written = io.BytesIO()
    with io.TextIOWrapper(EscapingFile(written), "utf-8", newline="", write_through=True) as text:  # type: ignore[type-var]
        text.write("a\x9bb,ü\r\n")
    assert written.getvalue() == "a\\u009bb,ü\r\n".encode()
    assert escaped(b"plain\n") == b"plain\n"


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_an_export_to_a_terminal_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, expected in ((Terminal, b"\\u202e"), (io.TextIOWrapper, "\u202e".encode())):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", kind(written, "utf-8"))
        with output_file(STDOUT) as file:
            file.write("\u202e".encode())
        assert written.getvalue() == expected
