"""The services: how each is asked, and what its answer means.  No I/O.

Each answers in its own way that it did not take a message, and four of five do so with HTTP 200.
So the answer's body decides wherever the service has one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import quote_plus

import msgspec
from qehost.secret import Secret

__all__ = [
    "Answer",
    "DingTalk",
    "Feishu",
    "Outgoing",
    "Request",
    "Service",
    "Slack",
    "Telegram",
    "Verdict",
    "WeCom",
    "WebHook",
]

LONGEST_WAIT = 3600.0
"""Seconds; what a service asks for beyond that is cut."""
PENALTY = 60.0
"""Seconds after `too fast` without a time: the robots count by the minute."""
_TEXT = 200
"""Characters of what a service says that are shown."""

Verdict: TypeAlias = Literal["sent", "later", "refused", "unknown"]


class Answer(NamedTuple):
    """What became of a message.

    `sent`: the service took it.  `later`: it takes none now, for `after` seconds if it says so.
    `refused`: it does not take this one, or does not know us.
    `unknown`: there was no answer to what may have arrived.
    """

    verdict: Verdict
    reason: str = ""
    after: float | None = None


class Request(NamedTuple):
    url: str
    """Holds secrets."""
    body: bytes
    headers: dict[str, str]


class Outgoing(msgspec.Struct, frozen=True):
    """A message as it is sent; the same each time that it has to be sent again."""

    key: str
    title: str
    text: str
    kinds: dict[str, int]
    """How many things it tells, by kind."""
    first: float
    """When the first of them happened, epoch seconds."""
    last: float


class Service:
    """A web hook that takes any JSON."""

    kind = "https"
    pace = 0.0
    """Seconds between two messages, so that the service's own limit is not met."""
    longest = 100_000
    """Bytes of text that it takes."""

    def __init__(self, url: str) -> None:
        self._url = Secret(url)
        # Known to `redact`, since what it answers may quote them.
        self._parts = [Secret(part) for part in re.split("[/?&=#]+", url)[2:] if len(part) > 11]

    @property
    def address(self) -> str:
        """Where it is asked.  Holds secrets."""
        return self._url.reveal()

    def request(self, message: Outgoing) -> Request:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "qehost-notify",
            "Idempotency-Key": message.key,
        }
        return Request(self.address, msgspec.json.encode(self.content(message)), headers)

    def content(self, message: Outgoing) -> Any:
        """The body before it is JSON."""
        return {
            "title": message.title,
            "text": message.text,
            "count": sum(message.kinds.values()),
            "kinds": message.kinds,
            "first": message.first,
            "last": message.last,
            "key": message.key,
        }

    def read(self, status: int, retry_after: str, body: bytes) -> Answer:
        """What the answer means; `retry_after` is the header."""
        wait = _retry_after(retry_after)
        said = self.said(_json(body))
        if 200 <= status < 300:
            return said or Answer("sent")
        if said is not None and said.after is not None:
            wait = said.after
        reason = f"HTTP {status}" + (f": {said.reason}" if said else "")
        if 300 <= status < 400:
            return Answer("refused", f"{reason}: redirected elsewhere, which is not followed")
        if status in (408, 425, 429) or status >= 500:
            return Answer("later", reason, wait)
        return Answer("refused", reason, wait)

    def said(self, body: Any) -> Answer | None:
        """What the body says against the message; None: nothing."""
        match body:
            case {"errcode": int(code)} if code:
                return Answer("refused", _told(code, body.get("errmsg")))
            case {"ok": False} | {"success": False}:
                words = (body.get(name) for name in ("error", "message", "description"))
                return Answer("refused", _told("", next(filter(None, words), None)))
        return None


WebHook = Service


class DingTalk(Service):
    """钉钉: a custom robot, signed if it has a secret (`SEC…`)."""

    kind = "dingtalk"
    pace = 3.0  # 20 a minute, then ten minutes of nothing
    longest = 18_000
    server = "https://oapi.dingtalk.com"

    def __init__(self, token: str, secret: str = "", server: str = "") -> None:
        self._token, self._secret = Secret(token), Secret(secret)
        self._server = server or self.server

    @property
    def address(self) -> str:
        url = f"{self._server}/robot/send?access_token={quote_plus(self._token.reveal())}"
        if not self._secret:
            return url
        stamp = str(round(time.time() * 1000))
        text, key = f"{stamp}\n{self._secret.reveal()}", self._secret.reveal()
        sign = base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha256))
        return f"{url}&timestamp={stamp}&sign={quote_plus(sign)}"

    def content(self, message: Outgoing) -> Any:
        return {"msgtype": "text", "text": {"content": _cut(message, self.longest)}}

    def said(self, body: Any) -> Answer | None:
        match body:
            case {"errcode": 0}:
                return None
            case {"errcode": -1 | 130101 | 410100 | 88 as code}:
                return Answer("later", _told(code, body.get("errmsg")), PENALTY)
            case {"errcode": code}:
                return Answer("refused", _told(code, body.get("errmsg")))
        return Answer("unknown", "an answer without errcode")


class WeCom(DingTalk):
    """企业微信: a group robot."""

    kind = "wecom"
    pace = 3.0  # 20 a minute
    longest = 2_000
    server = "https://qyapi.weixin.qq.com"

    @property
    def address(self) -> str:
        return f"{self._server}/cgi-bin/webhook/send?key={quote_plus(self._token.reveal())}"

    def said(self, body: Any) -> Answer | None:
        match body:
            case {"errcode": -1 | 45009 | 45033 | 6000 as code}:
                return Answer("later", _told(code, body.get("errmsg")), PENALTY)
        return super().said(body)


_FEISHU = {"feishu": "https://open.feishu.cn", "lark": "https://open.larksuite.com"}


class Feishu(Service):
    """飞书, and Lark at another server: a custom robot, signed if it has a secret."""

    kind = "feishu"
    pace = 0.6  # 100 a minute, 5 a second
    longest = 18_000

    def __init__(self, token: str, secret: str = "", server: str = "", kind: str = "") -> None:
        self.kind = kind or self.kind
        self._token, self._secret = Secret(token), Secret(secret)
        self._server = server or _FEISHU[self.kind]

    @property
    def address(self) -> str:
        return f"{self._server}/open-apis/bot/v2/hook/{quote_plus(self._token.reveal())}"

    def content(self, message: Outgoing) -> Any:
        # What looks like a tag is one there: the venue's words must not call everybody.
        text = _cut(message, self.longest).replace("<", "＜")
        made: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
        if self._secret:
            stamp = str(int(time.time()))
            key = f"{stamp}\n{self._secret.reveal()}".encode()
            sign = base64.b64encode(hmac.digest(key, b"", hashlib.sha256)).decode()
            made |= {"timestamp": stamp, "sign": sign}
        return made

    def said(self, body: Any) -> Answer | None:
        match body:
            case {"code": 0} | {"StatusCode": 0}:
                return None
            case {"code": 9499 | 11232 | 11233 as code}:
                return Answer("later", _told(code, body.get("msg")), PENALTY)
            case {"code": code}:
                return Answer("refused", _told(code, body.get("msg")))
        return Answer("unknown", "an answer without code")


class Telegram(Service):
    """A bot that writes into a chat."""

    kind = "telegram"
    pace = 3.0  # 20 a minute in a group
    longest = 4_000

    def __init__(self, token: str, chat: str, server: str = "") -> None:
        self._token, self._chat = Secret(token), chat
        self._server = server or "https://api.telegram.org"

    @property
    def address(self) -> str:
        return f"{self._server}/bot{self._token.reveal()}/sendMessage"

    def content(self, message: Outgoing) -> Any:
        text = _cut(message, self.longest)
        return {"chat_id": self._chat, "text": text, "link_preview_options": {"is_disabled": True}}

    def said(self, body: Any) -> Answer | None:
        match body:
            case {"ok": True}:
                return None
            case {"ok": False, "parameters": {"retry_after": int(wait) | float(wait)}}:
                after = min(float(wait), LONGEST_WAIT)
                reason = _told(body.get("error_code"), body.get("description"))
                return Answer("later", reason, after)
            case {"ok": False}:
                reason = _told(body.get("error_code"), body.get("description"))
                return Answer("refused", reason)
        return Answer("unknown", "an answer without ok")


class Slack(Service):
    """An incoming web hook."""

    kind = "slack"
    pace = 1.0  # 1 a second
    longest = 12_000

    def content(self, message: Outgoing) -> Any:
        text = _cut(message, self.longest)
        for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(sign, escaped)
        return {"text": text, "unfurl_links": False}

    def said(self, body: Any) -> Answer | None:
        # It answers `ok`, or a word such as `no_text`, neither of which is JSON.
        match body:
            case str(word) if not word.strip():
                return Answer("unknown", "an empty answer")
            case str(word) if word.strip() != "ok":
                return Answer("refused", word.strip()[:_TEXT])
        return None


def _cut(message: Outgoing, longest: int) -> str:
    """Title and text in so many bytes; a character is left out whole."""
    whole = f"{message.title}\n{message.text}".encode()
    if len(whole) <= longest:
        return whole.decode()
    return whole[: longest - 3].decode(errors="ignore") + "…"


def _told(code: object, text: object) -> str:
    return " ".join(str(each)[:_TEXT] for each in (code, text) if each not in (None, ""))


def _json(body: bytes) -> Any:
    """What the body says; a text where it is not JSON."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode(errors="replace")


def _retry_after(text: str) -> float | None:
    """Seconds of the header, which has them or a date."""
    text = text.strip()
    if not text:
        return None
    try:
        wait = float(text)
    except ValueError:
        try:
            wait = parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(wait, 0.0), LONGEST_WAIT) if wait == wait else None
