"""JSON taken apart into the texts of its parts, not all of which need be readable.  No I/O.

One odd value deep inside (a bare `NaN`, a nesting without end) must not make all the rest of an
answer unreadable.  So where a decoder refuses the whole, its parts are told apart by brackets,
commas and quotes alone.
"""

from __future__ import annotations

import json
import re

import msgspec

__all__ = ["elements", "fields", "plain"]

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_REFUSED = (msgspec.MsgspecError, RecursionError, UnicodeError)

# A string, a sign, a run of anything else, or a quote that opens a string without an end.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,\s"]+|"', re.DOTALL)


def fields(text: str) -> dict[str, str]:
    """The JSON text of each field of an object.  Raises ValueError for all else."""
    try:
        return {name: bytes(raw).decode() for name, raw in _OBJECT.decode(text).items()}
    except _REFUSED:
        pieces = _split(text, "{}")
    names, values = pieces[::2], pieces[1::2]
    if len(names) != len(values) or not all(name.startswith('"') for name in names):
        raise ValueError("not a JSON object")
    return {json.loads(name): value for name, value in zip(names, values, strict=True)}


def elements(text: str) -> list[str]:
    """The JSON text of each element of a list.  Raises ValueError for all else."""
    try:
        return [bytes(raw).decode() for raw in _LIST.decode(text)]
    except _REFUSED:
        return _split(text, "[]")


def plain(text: str) -> str:
    """What a JSON text says: a string's content, `""` for null, all else as it stands."""
    if not text.startswith('"'):
        return "" if text == "null" else text
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _split(text: str, brackets: str) -> list[str]:
    """What stands within the outermost brackets, between their commas and colons."""
    text = text.strip()
    pieces: list[str] = []
    begin = depth = 0
    for token in _TOKEN.finditer(text) if text[:1] + text[-1:] == brackets else ():
        sign = token[0]
        if depth == 1 and sign in ("]", "}", ",", ":"):
            pieces.append(text[begin : token.start()].strip())
            begin = token.end()
        depth += (sign in ("[", "{")) - (sign in ("]", "}"))
        begin = begin or token.end()
        if sign == '"' or not depth:
            break
    if pieces == [""]:
        pieces = []
    if not begin or begin != len(text) or depth or "" in pieces:
        raise ValueError(f"not a JSON {'object' if brackets == '{}' else 'list'}")
    return pieces
