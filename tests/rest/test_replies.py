"""What an answer means."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.errors import APIError, ClientError, RestError, ServerError
from qehost.rest import API, Retries
from qehost.rest.http import HttpReply
from qehost.rest.replies import Answer, Page, read

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def answer_to(body, status=200, **headers):
    text = body if isinstance(body, str) else json.dumps(body)
    return read(HttpReply(status, headers, text.encode()))


@given(VALUES)
def test_the_envelope_gives_its_message(value):
    assert answer_to({"code": 200, "message": value, "reason": ""}).value() == value


@given(VALUES.filter(lambda v: not (isinstance(v, dict) and "code" in v)))
def test_an_answer_without_a_code_is_the_result_itself(value):
    assert answer_to(json.dumps(value)).value() == value


@pytest.mark.parametrize("code", [200, "200"])
def test_the_code_may_be_text(code):
    assert answer_to({"code": code, "message": 5}).value() == 5


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"code": 500}, 200),
        ({"code": 500, "msg": "broken"}, 200),
        ({"code": 0, "message": "broken"}, 200),
        ({"code": 401, "reason": "NO", "message": {"broken": 1}}, 401),
        ({"code": 200, "message": "all is well"}, 500),
    ],
)
def test_any_other_code_or_status_is_an_api_error(body, status):
    with pytest.raises(APIError) as caught:
        answer_to(body, status)
    assert isinstance(caught.value.message, str)
    assert caught.value.status_code == (status if status > 200 else body["code"] or 200)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"code": -1, "msg": "no"}, 400, ClientError),
        ({"message": "no such route"}, 404, ClientError),
        ([1], 400, ClientError),
        ("", 404, ClientError),
        ("", 503, ServerError),
        ({"message": "no upstream"}, 502, ServerError),
    ],
)
def test_other_errors_are_told_apart_by_the_status(body, status, kind):
    with pytest.raises(kind) as caught:
        answer_to(body, status, **{"retry-after": "7"})
    assert (caught.value.status_code, caught.value.retry_after) == (status, 7.0)


@given(st.binary(max_size=60), st.sampled_from([200, 204, 302, 400, 429, 500]))
def test_no_answer_raises_anything_else(body, status):
    with contextlib.suppress(APIError, ClientError, ServerError):
        read(HttpReply(status, {}, body)).value()


@given(st.text(max_size=30), st.sampled_from(["items", "total"]))
def test_a_page_of_anything_is_a_page_or_a_server_error(text, field):
    for body in (text, json.dumps({field: text}), json.dumps({"items": [text], "total": 1})):
        try:
            page = Page.of(Answer(body, 200, {}, True), 1, 10)
        except ServerError:
            continue
        assert len(page.items) == len(page.raw)


@pytest.mark.parametrize("message", ["9" * 5000, "[" * 100_000 + "]" * 100_000])
def test_a_result_that_python_can_not_hold_is_a_server_error(message):
    with pytest.raises(ServerError):
        answer_to('{"code": 200, "message": ' + message + "}").value()


def test_a_total_that_can_not_be_read_counts_as_not_said():
    page = Page.of(Answer('{"items": [{"id": 1}], "total": ""}', 200, {}, True), 1, 10)
    assert page.total == 0
    assert page.items == [{"id": 1}]


def test_an_item_that_is_no_object_or_that_python_can_not_hold_is_there_as_text():
    odd = ["null", "[1]", "9" * 5000, '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}"]
    body = '{"items": [' + ", ".join([*odd, '{"id": 1}']) + "]}"
    page = Page.of(Answer(body, 200, {}, True), 1, 10)
    assert page.raw == [*odd, '{"id": 1}']
    assert page.items == [{}, {}, {}, {}, {"id": 1}]


def test_a_bare_nan_does_not_hide_the_envelope():
    assert answer_to('{"code": 200, "message": {"a": NaN, "b": 5}}').value()["b"] == 5
    with pytest.raises(APIError, match="40301 NO: not your order"):
        answer_to('{"code": 40301, "reason": "NO", "message": "not your order", "data": NaN}')


@pytest.mark.parametrize("number", ["1e999", "NaN", "-1", "[]"])
def test_a_number_that_can_not_be_one_is_a_server_error_or_not_said(number):
    answer = Answer(f'{{"items": [], "total": {number}}}', 200, {}, True)
    assert Page.of(answer, 1, 10).total == 0
    if number != "-1":
        with pytest.raises(ServerError, match="no whole number"):
            answer.whole("total")


# --- over a real socket ------------------------------------------------------------------------


def caught(call, *arguments):
    with pytest.raises(RestError) as info:
        call(*arguments)
    return info.value


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_an_envelope_with_another_code_is_an_api_error_at_any_status(venue, api, status):
    venue.answers = [venue.refusal(40301, "NOT_ALLOWED", "not your order", status)] * 3
    error = caught(api.get_master_order_v2, "m1")
    assert isinstance(error, APIError)
    assert (error.code, error.reason, error.message) == (40301, "NOT_ALLOWED", "not your order")
    assert (error.trace_id, error.server_time, error.status_code) == ("trace-7", 5, status)
    assert "trace-7" in str(error)


def test_a_4xx_without_the_envelope_is_a_client_error(venue, api):
    venue.answers = [
        venue.reply({"code": -1121, "msg": "Invalid symbol.", "data": [1]}, 400, X_A="b"),
        venue.reply("<html>forbidden</html>", 403),
    ]
    error = caught(api.query, "/x")
    assert isinstance(error, ClientError)
    assert (error.status_code, error.error_code) == (400, -1121)
    assert (error.error_message, error.error_data) == ("Invalid symbol.", [1])
    assert error.header["x-a"] == "b"
    error = caught(api.query, "/x")
    assert isinstance(error, ClientError)
    assert str(error) == "HTTP 403: <html>forbidden</html>"


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("<html>a website</html>", 200, "is base_url right"),
        ("", 302, "another address"),
        ("[" * 100_000, 200, "not JSON"),
        ("boom", 500, "boom"),
    ],
)
def test_an_answer_that_is_none_is_a_server_error(venue, text, status, words):
    api = API(base_url=venue.url, retries=Retries(attempts=1))
    venue.answers = [venue.reply(text, status)]
    error = caught(api.query, "/x")
    assert isinstance(error, ServerError)
    assert words in str(error)
    assert len(str(error)) < 500


def test_an_answer_that_is_not_utf_8_is_a_server_error(venue, api):
    venue.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\xff"]
    assert "UTF-8" in str(caught(api.query, "/x"))
