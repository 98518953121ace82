"""What is repeated, by which clock, and that no secret is shown."""

from __future__ import annotations

import logging
import re
import time
import traceback
from traceback import TracebackException

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qehost.errors import APIError, RestError, ServerError
from qehost.rest import API, make_listen_key
from qehost.rest.http import HttpReply

KEY = "the-api-key-0123456789abcdef"
SECRET = "the-api-secret-0123456789abcdef"
BUSY = {"code": 429, "reason": "BUSY", "message": "slow down"}


def caught(call, *arguments, **options):
    with pytest.raises(RestError) as info:
        call(*arguments, **options)
    return info.value


@pytest.mark.parametrize("failure", ["drop", 500, 502, 503, 429, 418])
def test_a_get_is_repeated(venue, api, failure):
    bad = failure if failure == "drop" else venue.reply("busy", failure)
    venue.answers = [bad, bad, venue.result({"masterOrderId": "m1"})]
    assert api.get_master_order_v2("m1") == {"masterOrderId": "m1"}
    assert len(venue.requests) == 3


def test_a_get_is_given_up_after_three_tries(venue, api):
    venue.answers = [venue.reply("busy", 500)] * 3
    assert isinstance(caught(api.get_master_order_v2, "m1"), ServerError)
    assert venue.answers == []


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_get_that_was_refused_for_itself_is_not_repeated(venue, api, status):
    venue.answers = [venue.reply("no", status)]
    assert caught(api.get_master_order_v2, "m1").status_code == status


@pytest.mark.parametrize("failure", ["drop", 500, 503, 429])
@pytest.mark.parametrize(
    "call",
    [
        lambda api: api.create_listen_key_v2(),
        lambda api: api.cancel_master_order_v2("m1"),
        lambda api: api.batch_cancel_master_orders_v2(["m1"]),
        lambda api: api.sign_request("POST", "/x"),
    ],
)
def test_nothing_else_is_repeated(venue, api, call, failure):
    bad = failure if failure == "drop" else venue.reply("busy", failure, Retry_After="0")
    venue.answers = [bad]
    error = caught(call, api)
    assert len(venue.requests) == 1
    if failure == "drop":
        assert "may have been carried out" in str(error)


def test_retry_after_is_obeyed(venue, api):
    venue.answers = [venue.reply(BUSY, 429, Retry_After="1"), venue.result({"a": 1})]
    started = time.monotonic()
    assert api.get_master_order_v2("m1") == {"a": 1}
    assert time.monotonic() - started >= 1.0


def test_a_long_retry_after_is_left_to_the_caller(venue, api):
    venue.answers = [venue.reply(BUSY, 429, Retry_After="3600")]
    error = caught(api.get_master_order_v2, "m1")
    assert isinstance(error, APIError)
    assert error.retry_after == 3600


def test_an_epoch_in_the_place_of_the_seconds_asks_for_an_hour_and_no_more(venue, api):
    venue.answers = [venue.reply(BUSY, 429, Retry_After="1735372002")]
    assert caught(api.create_listen_key_v2).retry_after == 3600


def test_a_clock_that_is_off_does_not_matter(venue):
    api = API(KEY, SECRET, venue.url, clock=lambda: 1_735_372_000.0 - 500)
    venue.answers = [venue.result({})]
    api.get_master_order_v2("m1")
    assert int(venue.requests[0].fields["timestamp"]) == pytest.approx(1_735_372_000_000, abs=5000)
    assert api.clock_offset() == pytest.approx(500, abs=5)


@pytest.mark.parametrize("call", ["get_master_order_v2", "pause_master_order_v2"])
def test_a_refused_timestamp_is_measured_again_and_the_call_repeated(venue, api, call):
    assert api.clock_offset() == pytest.approx(0, abs=5)
    venue.now_ms = lambda: 1_735_372_900_000
    venue.answers = [
        venue.refusal(401, "TIMESTAMP_EXPIRED", "timestamp is outside of the recvWindow"),
        venue.result({"success": True}),
    ]
    getattr(api, call)("m1")
    assert int(venue.requests[1].fields["timestamp"]) == pytest.approx(1_735_372_900_000, abs=5000)


def test_a_timestamp_refused_twice_says_how_far_the_clock_is_off(venue, api):
    assert api.clock_offset() == pytest.approx(0, abs=5)
    venue.now_ms = lambda: 1_735_372_000_000 - 90_000
    venue.answers = [venue.reply({"code": -1021, "msg": "Timestamp"}, 400)] * 2
    told = str(caught(api.pause_master_order_v2, "m1"))
    # As exactly as half of a round trip, which may take long.
    assert re.search(r"[89]\d\.\d s ahead of the venue's", told)
    assert venue.answers == []


def test_signed_calls_go_on_where_the_time_can_not_be_read(venue, api):
    venue.now_ms = None
    venue.answers = [venue.reply("no", 404), venue.result({"a": 1}), venue.result({"b": 1})]
    assert api.get_master_order_v2("m1") == {"a": 1}
    assert venue.requests[1].fields["timestamp"] == "1735372000000"
    # It is not asked for the time again with each call.
    assert api.get_master_order_v2("m1") == {"b": 1}


@pytest.mark.parametrize("failure", ["drop", "echo", "html"])
def test_no_secret_in_any_log_error_or_traceback(venue, api, caplog, failure):
    caplog.set_level(logging.DEBUG)
    seen = []

    def answer(request):
        seen.append(request)
        said = f"bad request from {request.headers['x-mbx-apikey']}: {request.query}"
        if failure == "echo":
            return venue.refusal(400, said, said)
        return venue.reply(said, 400) if failure == "html" else venue.DROP

    venue.answer = answer
    calls = [
        lambda: api.list_master_orders_v2(symbol="BTC USDT"),
        lambda: api.create_listen_key_v2(),
        lambda: api.cancel_master_order_v2("m1"),
    ]
    errors = [caught(call) for call in calls]
    # A cause or a context would be printed, too.
    shown = "".join(line for error in errors for line in traceback.format_exception(error))
    shown += caplog.text
    assert "cancel" in shown
    for secret in [KEY, SECRET, *(request.fields["signature"] for request in seen)]:
        assert secret not in shown


def test_a_made_key_is_not_logged(venue, api, caplog):
    caplog.set_level(logging.DEBUG)
    venue.answers = [venue.result({"listenKey": "0123456789abcdef", "expireAt": "5"})]
    made = make_listen_key(api, "v2")
    assert made.key.reveal() not in caplog.text + repr(made)


@given(
    st.from_regex(r"[0-9a-f]{16,64}|[A-Za-z0-9_-]{24,64}", fullmatch=True),
    st.sampled_from(
        [
            '{"code":200,"message":{"listenKey":"%s","expireAt":"1790000000","success":true,}}',
            '{"code":200,"message":{"listenKey":"%s","expi',
            '{"code":200,"message":{"listenKey":"%s',
            '{"code":0,"message":{"listenKey":"%s","success":true},"reason":"","traceId":"t"}',
            '{"code":0,"message":"{\\"listenKey\\":\\"%s\\"}"}',
            '{"code":200,"message":{"listenKey":"%s","success":false,"message":"%s is there"}}',
            '{"code":500,"msg":"listen_key=%s","data":{"listenKey":"%s"}}',
            '{"listenKey":"%s"} upstream reset',
            '{"message":"no upstream for ?listen_key=%s&v=2","data":["%s"]}',
            '{"code":"%s","msg":"no"}',
            "<html>" + " " * 280 + "%s</html>",
            '"%s"',
            "%s",
        ]
    ),
    st.sampled_from([200, 400, 502]),
)
def test_an_answer_with_a_key_that_can_not_be_used_is_told_without_the_key(key, body, status):
    # A word of one letter, or of capitals and underscores, is none.
    assume(len(set(key)) > 6 and not key.isupper())
    made = HttpReply(status, {}, body.replace("%s", key).encode())
    api = API(KEY, SECRET, "http://127.0.0.1:1")
    api._calls.clock.now_ms = lambda: 0
    api._calls.http.send = lambda *_: made
    try:
        make_listen_key(api, "v2")
    except RestError as error:
        shown = "".join(traceback.format_exception(error))
        shown += f"{error}{error!r}{error.args}{vars(error)}"
        assert key not in shown
        assert key[:12] not in shown


def test_a_refused_listen_key_is_told_in_the_venues_words(venue, api):
    said = "签名错误请检查您的密钥是否正确: the authentication failed"
    venue.answers = [
        venue.refusal(401, "API_KEY_INVALID", said),
        venue.reply("<html>Welcome to our shop</html>"),
    ]
    assert f"401 API_KEY_INVALID: {said} (trace id trace-7)" in str(
        caught(api.create_listen_key_v2)
    )
    assert "It begins: <html>Welcome to our shop</html>" in str(caught(api.create_listen_key_v2))


def test_what_stands_in_a_malformed_head_is_not_logged(venue, api, caplog):
    head = b"HTTP/1.1 200 OK\r\nno header but 0123456789abcdef\r\n\r\n{}"
    venue.answers = [("last", head)]
    caught(make_listen_key, api, "v2")
    assert "0123456789abcdef" not in caplog.text


def test_a_secret_is_hidden_before_a_long_text_is_cut(venue, api):
    venue.answers = [venue.reply("x" * 290 + KEY, 400), venue.reply("x" * 290 + KEY)]
    for _ in range(2):
        assert KEY[:8] not in str(caught(api.query, "/x"))


def test_a_key_that_was_not_made_is_told_without_a_secret(venue, api):
    venue.answers = [venue.result({"success": False, "message": f"{KEY} may not"})]
    assert "•••• may not" in str(caught(make_listen_key, api, "v2"))


@pytest.mark.parametrize("failure", ["drop", "refusal"])
def test_a_traceback_with_the_locals_of_every_frame_shows_no_secret(venue, api, failure):
    bad = venue.DROP if failure == "drop" else venue.refusal(400, "NO", "no")
    venue.answers = [bad]
    with pytest.raises(RestError) as info:
        api.update_master_order_v2("m1", worstPrice=5)
    whole = TracebackException.from_exception(info.value, capture_locals=True)
    shown = "".join(whole.format())
    assert "worstPrice" in shown  # so the locals are there
    for secret in (KEY, SECRET, venue.requests[0].fields["signature"]):
        assert secret not in shown
