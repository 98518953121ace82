"""JSON taken apart without being read."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.events.wire.raw_json import elements, fields, plain

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
NESTED = "[" * 3000 + "]" * 3000
ODD = st.sampled_from(["NaN", "-Infinity", NESTED, '"\\ud800"', '{"a": [NaN, "]"]}'])
SPACE = st.sampled_from(["", " ", "\n\t"])


@st.composite
def texts(draw):
    """JSON of a value, or what no decoder takes."""
    escaped = st.booleans()
    plain_json = VALUES.map(lambda value: json.dumps(value, ensure_ascii=draw(escaped)))
    return draw(plain_json | ODD)


@given(st.lists(texts(), max_size=5), SPACE)
def test_a_list_is_its_elements_whatever_they_are(parts, space):
    text = f"{space}[{space}{f'{space},{space}'.join(parts)}{space}]{space}"
    assert elements(text) == parts


@given(st.dictionaries(st.text(max_size=6), texts(), max_size=5), SPACE)
def test_an_object_is_its_fields_whatever_they_are(parts, space):
    inside = ",".join(f"{space}{json.dumps(name)}{space}:{space}{parts[name]}" for name in parts)
    assert fields(f"{space}{{{inside}{space}}}{space}") == parts


@given(st.text(alphabet='[]{},:"\\ aN1', max_size=30))
def test_all_else_is_a_value_error(text):
    for take_apart in (elements, fields):
        with contextlib.suppress(ValueError):
            take_apart(text)


@pytest.mark.parametrize(
    "text",
    ["", "1", '"[]"', "[", "[1", "[1,]", "[,]", "[1] 2", "[1]]", '["a]', "[}", "[1},[2]", "<html>"],
)
def test_what_is_no_list_is_refused(text):
    with pytest.raises(ValueError, match="not a JSON list"):
        elements(text)


@pytest.mark.parametrize("text", ["", "[]", "{1}", "{1:2}", '{"a"}', '{"a":}', '{"a":1', "{}{}"])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(ValueError, match="not a JSON object"):
        fields(text)


def test_a_string_without_an_end_does_not_take_for_ever():
    # A time that grows as the square of the length would outlast the test.
    with pytest.raises(ValueError, match="not a JSON"):
        elements('["' + '\\"' * 500_000 + "]")


@pytest.mark.parametrize(
    ("text", "said"),
    [('"a"', "a"), ('"\\u0061"', "a"), ("null", ""), ("", ""), ("1.50", "1.50"), ("[1]", "[1]")],
)
def test_a_plain_text_is_what_the_value_says(text, said):
    assert plain(text) == said
