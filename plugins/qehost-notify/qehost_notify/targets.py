"""Where messages go: what a target's text means.

A target is a secret as a whole.  What is shown of it is its service and its number.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from qehost.secret import Secret

from qehost_notify.services import (
    DingTalk,
    Feishu,
    Service,
    Slack,
    Telegram,
    WebHook,
    WeCom,
)

if TYPE_CHECKING:
    from qehost_notify.apprise_service import AppriseService
    from qehost_notify.log_service import LogService

__all__ = ["Target", "parse_target"]

_SERVER = re.compile(r"\?server=(https?://[^?&#]+)$")
_TELEGRAM = re.compile(r"(\d+:[\w-]{20,})/(-?\d+|@\w+)/?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """One of the settings' targets, by its number from 1."""

    number: int
    name: str
    """It stays when another target is put before it, and says nothing about it."""
    service: Service | AppriseService | LogService

    @property
    def label(self) -> str:
        return f"{self.service.kind} #{self.number}"


def parse_target(number: int, secret: Secret) -> Target:
    """Raises ValueError, whose text has nothing of the target."""
    text = secret.reveal().strip()
    scheme, separator, rest = text.partition("://")
    if not (separator and rest and _SCHEME.fullmatch(scheme)):
        raise ValueError(
            "expected a URL: https://…, dingtalk://…, wecom://…, feishu://…, lark://…, "
            "telegram://…, slack://…"
        )
    server = ""
    if (found := _SERVER.search(rest)) is not None:
        server, rest = found[1].rstrip("/"), rest[: found.start()]
    name = blake2b(secret.reveal().encode(), digest_size=8).hexdigest()
    return Target(number, name, _service(scheme.lower(), rest, server, text))


def _service(scheme: str, rest: str, server: str, text: str) -> Service | AppriseService:
    match scheme:
        case "http" | "https":
            return _of_url(text)
        case "dingtalk":
            return DingTalk(*_token(rest, "dingtalk://TOKEN or dingtalk://SECRET@TOKEN"), server)
        case "wecom":
            return WeCom(*_token(rest, "wecom://KEY"), server)
        case "feishu" | "lark":
            form = f"{scheme}://TOKEN or {scheme}://SECRET@TOKEN"
            return Feishu(*_token(rest, form), server, scheme)
        case "telegram":
            if (found := _TELEGRAM.fullmatch(rest)) is None:
                raise ValueError("expected telegram://BOT_TOKEN/CHAT_ID")
            return Telegram(found[1], found[2], server)
        case "slack":
            if len([part for part in rest.split("/") if part]) != 3:
                raise ValueError("expected slack://T…/B…/…, the three parts of the web hook")
            base = server or "https://hooks.slack.com"
            return Slack(f"{base}/services/{rest.strip('/')}")
    if importlib.util.find_spec("apprise") is None:
        raise ValueError("this service needs Apprise: pip install 'qehost-notify[apprise]'")
    from qehost_notify.apprise_service import AppriseService

    return AppriseService(text)


def _token(rest: str, form: str) -> tuple[str, str]:
    """The token and the secret that it is signed with."""
    secret, _, token = rest.strip("/").rpartition("@")
    if not token or re.search(r"[\s/?#]", rest.strip("/")):
        raise ValueError(f"expected {form}")
    return unquote(token), unquote(secret)


def _of_url(text: str) -> Service:
    """A web hook, or the service at whose address it is."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("it is no valid URL") from None
    if not host or parts.username is not None or re.search(r"[^!-~]", text):
        raise ValueError("expected https://HOST/PATH in ASCII, without user and password")
    query = parse_qs(parts.query)
    last = parts.path.rpartition("/")[2]
    match host:
        case "oapi.dingtalk.com" if "access_token" in query:
            return DingTalk(query["access_token"][0])
        case "qyapi.weixin.qq.com" if "key" in query:
            return WeCom(query["key"][0])
        case "open.feishu.cn" if last:
            return Feishu(last)
        case "open.larksuite.com" if last:
            return Feishu(last, kind="lark")
        case "hooks.slack.com":
            return Slack(text)
    return WebHook(text)
