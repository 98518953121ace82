"""Types in words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, inspect

from qehost.config.catalogue import describe_type
from qehost.secret import Secret


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Annotated[float, Meta(gt=0, le=86_400)], "a number > 0 and ≤ 86,400"),
        (Annotated[int, Meta(ge=1)], "a whole number ≥ 1"),
        (bool, "true or false"),
        (Literal["b", "a"], '"a" or "b"'),
        (list[str], "a list, each a text"),
        (dict[str, int], "a table"),
        (Secret | None, 'a secret: { env = "NAME" } or { file = "PATH" }'),
        (Annotated[str, Meta(pattern="^x$")], "a text that matches ^x$"),
        (Annotated[str, Meta(pattern="^x$", title="an x")], "an x"),
    ],
)
def test_types_in_words(kind: Any, words: str) -> None:
    assert describe_type(inspect.type_info(kind)) == words
