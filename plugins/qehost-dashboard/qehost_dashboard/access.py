"""Who may see what: the checks in front of every request, and the headers behind every answer.

A page on this machine is within reach of every site that its user opens in the same browser.  So a
request is answered only if it names us (`Host`: else another site's name could point here) and
does not come from another site's page (`Origin`, `Sec-Fetch-Site`).  With a token, what shows
orders needs it besides: from a cookie that `POST /login` sets, or as `Authorization: Bearer`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
import time
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qehost_dashboard.answers import refused
from qehost_dashboard.settings import Config, is_loopback, is_wildcard

__all__ = ["Access", "Sessions"]

SESSION = 30 * 86_400
"""Seconds that a login holds."""
WRONG_TAKES = 1.0
"""Seconds that a wrong token waits for its answer."""
WAITING = 20
"""So many of those may wait at a time: more guesses than that a second are not possible."""

_OPEN = frozenset({"/login", "/about"})
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Sessions:
    """The token, and the cookie in which a browser has it.

    The cookie is the time of its end, signed with the token.  So a login outlives a restart, and
    another token ends all of them.
    """

    def __init__(self, token: str, port: int) -> None:
        self._token = token.encode()
        self.cookie = f"qehost_dashboard_{port}"  # cookies don't know ports
        self._waiting = 0

    @property
    def is_needed(self) -> bool:
        return bool(self._token)

    def holds(self, headers: Headers) -> bool:
        """Whether the request brings the token or a cookie that is good."""
        if not self._token:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(given)
        ends, _, mark = cookie_parser(headers.get("cookie", "")).get(self.cookie, "").partition(".")
        if not (ends.isascii() and ends.isdigit() and len(ends) < 15):
            return False
        return int(ends) > time.time() and hmac.compare_digest(
            mark.encode(), self._mark(ends).encode()
        )

    async def login(self, given: str) -> str | HTTPStatus:
        """The value of `Set-Cookie`, or what to answer in its place."""
        if self._waiting >= WAITING:
            return HTTPStatus.TOO_MANY_REQUESTS
        if not self._is_token(given):
            self._waiting += 1
            try:
                await asyncio.sleep(WRONG_TAKES)
            finally:
                self._waiting -= 1
            return HTTPStatus.UNAUTHORIZED
        ends = str(int(time.time()) + SESSION)
        return self._set_cookie(f"{ends}.{self._mark(ends)}", SESSION)

    def logout(self) -> str:
        return self._set_cookie("", 0)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token)

    def _mark(self, ends: str) -> str:
        return hmac.new(self._token, f"{self.cookie} {ends}".encode(), hashlib.sha256).hexdigest()

    def _set_cookie(self, value: str, seconds: int) -> str:
        return f"{self.cookie}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict"


class Access:
    """An ASGI application around another one, which gets only what is allowed."""

    def __init__(self, app: ASGIApp, config: Config, sessions: Sessions, public: frozenset[str]):
        self._app = app
        self._sessions = sessions
        self._public = public | _OPEN
        self._names = {"127.0.0.1", "localhost", *(name.lower() for name in config.hosts)}
        self._by_address = not is_loopback(config.host)
        if self._by_address:
            self._names.add(socket.gethostname().lower())
            if not is_wildcard(config.host):
                self._names.add(config.host.lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = MutableHeaders(scope=message)
                ours.update(_HEADERS)
                ours.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope, headers)
        app = self._app if refusal is None else refusal
        await app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_us(hosts[0], scope):
            return refused(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this name is not one of the page's: see hosts in [plugins.dashboard]",
            )
        path: str = scope["path"]
        site = headers.get("sec-fetch-site", "none")
        is_link = path in ("/", "/login") and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not is_link:
            return refused(HTTPStatus.FORBIDDEN, "this comes from another site's page")
        origins = headers.getlist("origin")
        if any(origin not in (f"http://{hosts[0]}", f"https://{hosts[0]}") for origin in origins):
            return refused(HTTPStatus.FORBIDDEN, "this comes from another site's page")
        if path in self._public or self._sessions.holds(headers):
            return None
        if path == "/":
            return _to_login
        return refused(HTTPStatus.UNAUTHORIZED, "the token is needed: POST /login")

    def _is_us(self, host: str, scope: Scope) -> bool:
        name, colon, port = host.lower().partition(":")
        if colon and not port.isdigit():  # with a second colon it is IPv6, which is not served
            return False
        if name in self._names:
            return True
        # The address that the browser has connected to: no other site's name.
        return self._by_address and scope.get("server") is not None and name == scope["server"][0]


async def _to_login(scope: Scope, receive: Receive, send: Send) -> None:
    head = {"type": "http.response.start", "status": 303, "headers": [(b"location", b"login")]}
    await send(head)
    await send({"type": "http.response.body", "body": b""})
