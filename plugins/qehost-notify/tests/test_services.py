"""What each service is sent, and what its answers mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from qehost_notify.services import (
    Answer,
    DingTalk,
    Feishu,
    Outgoing,
    Service,
    Slack,
    Telegram,
    WebHook,
    WeCom,
)

HOOK = WebHook("https://example.org/x")
DING, WECOM, FEISHU = DingTalk("t0ken"), WeCom("t0ken"), Feishu("t0ken")
TELEGRAM, SLACK = Telegram("1:abc", "-5"), Slack("https://hooks.slack.com/services/T/B/x")


def message(text: str = "a line") -> Outgoing:
    return Outgoing("k1", "qehost: 1 gap", text, {"gap": 1}, 1.0, 2.0)


def content(service: Service, text: str = "a line") -> Any:
    return msgspec.json.decode(service.request(message(text)).body)


def read(service: Service, status: int, body: object, retry_after: str = "") -> Answer:
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return service.read(status, retry_after, data)


@pytest.mark.parametrize(
    ("service", "body"),
    [
        (HOOK, {}),
        (HOOK, b"thanks"),
        (HOOK, b""),
        (DING, {"errcode": 0, "errmsg": "ok"}),
        (WECOM, {"errcode": 0, "errmsg": "ok"}),
        (FEISHU, {"code": 0, "msg": "success"}),
        (FEISHU, {"StatusCode": 0, "StatusMessage": "success"}),
        (TELEGRAM, {"ok": True, "result": {}}),
        (SLACK, b"ok"),
    ],
)
def test_taken(service: Service, body: object) -> None:
    assert read(service, 200, body).verdict == "sent"


@pytest.mark.parametrize(
    ("service", "body"),
    [
        (HOOK, {"errcode": 310000}),
        (HOOK, {"ok": False}),
        (HOOK, {"success": False, "message": "no"}),
        (DING, {"errcode": 310000, "errmsg": "keywords not in content"}),
        (WECOM, {"errcode": 93000, "errmsg": "invalid webhook url"}),
        (FEISHU, {"code": 19021, "msg": "sign match fail"}),
        (TELEGRAM, {"ok": False, "error_code": 400, "description": "chat not found"}),
        (SLACK, b"no_text"),
    ],
)
def test_a_refusal_in_the_body_of_a_200_is_one(service: Service, body: object) -> None:
    assert read(service, 200, body).verdict == "refused"


@pytest.mark.parametrize("name", ["error", "message", "description"])
def test_a_web_hook_s_own_words_are_told(name: str) -> None:
    assert "chat not found" in read(HOOK, 200, {"ok": False, name: "chat not found"}).reason


@pytest.mark.parametrize(
    ("service", "body"),
    [
        (DING, {"errcode": 130101, "errmsg": "send too fast"}),
        (WECOM, {"errcode": 45009, "errmsg": "api freq out of limit"}),
        (FEISHU, {"code": 11232, "msg": "frequency limited"}),
    ],
)
def test_too_fast_waits_a_minute(service: Service, body: object) -> None:
    answer = read(service, 200, body)
    assert (answer.verdict, answer.after) == ("later", 60.0)


@pytest.mark.parametrize("service", [DING, WECOM, FEISHU, TELEGRAM])
def test_after_a_page_in_place_of_the_services_answer_nothing_is_known(service: Service) -> None:
    assert read(service, 200, b"<html>log in</html>").verdict == "unknown"


def test_retry_after_is_read_as_seconds_as_a_date_and_of_a_body() -> None:
    assert read(HOOK, 429, {}, retry_after="7").after == 7.0
    assert read(HOOK, 503, {}, retry_after="999999").after == 3600.0
    assert read(HOOK, 429, {}, retry_after="Thu, 01 Jan 1970 00:00:00 GMT").after == 0.0
    assert read(HOOK, 429, {}, retry_after="soon").after is None
    body = {"ok": False, "error_code": 429, "parameters": {"retry_after": 9}}
    assert read(TELEGRAM, 429, body) == Answer("later", "HTTP 429: 429", 9.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 301, 307])
def test_other_answers_refuse(status: int) -> None:
    assert read(HOOK, status, {}).verdict == "refused"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_what_may_go_later(status: int) -> None:
    assert read(HOOK, status, {}).verdict == "later"


def test_dingtalk_is_signed() -> None:
    url = DingTalk("t0ken", "SECabc").request(message()).url
    query = parse_qs(urlsplit(url).query)
    text = f"{query['timestamp'][0]}\nSECabc"
    expected = base64.b64encode(hmac.digest(b"SECabc", text.encode(), hashlib.sha256)).decode()
    assert query["sign"] == [expected]
    assert query["access_token"] == ["t0ken"]


def test_feishu_is_signed_in_its_body() -> None:
    made = content(Feishu("t0ken", "abc"))
    key = f"{made['timestamp']}\nabc".encode()
    assert made["sign"] == base64.b64encode(hmac.digest(key, b"", hashlib.sha256)).decode()


def test_a_text_that_is_too_long_is_cut_between_characters() -> None:
    text = content(WECOM, "被拒" * 1000)["text"]["content"]
    assert len(text.encode()) <= 2000
    assert text.endswith(("拒…", "被…"))


def test_the_venues_words_call_nobody() -> None:
    text = '<!channel> <at user_id="all"></at> & so on'
    assert "<" not in content(SLACK, text)["text"]
    assert "&amp; so on" in content(SLACK, text)["text"]
    assert "<" not in content(FEISHU, text)["content"]["text"]


def test_a_web_hook_gets_figures_and_a_key() -> None:
    request = HOOK.request(message())
    assert request.headers["Idempotency-Key"] == "k1"
    assert content(HOOK) == {
        "title": "qehost: 1 gap",
        "text": "a line",
        "count": 1,
        "kinds": {"gap": 1},
        "first": 1.0,
        "last": 2.0,
        "key": "k1",
    }
