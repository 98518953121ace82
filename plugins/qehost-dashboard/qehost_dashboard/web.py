"""What is answered at which path."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus
from importlib import resources
from typing import Any

import msgspec
from qehost import Context
from qehost.errors import Error
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qehost_dashboard import past
from qehost_dashboard.access import Access, Sessions
from qehost_dashboard.answers import json, refused
from qehost_dashboard.publishing import Publisher
from qehost_dashboard.settings import PROGRAM, Config

__all__ = ["application"]

READERS = 2
"""So many pages of the journal are read at a time."""
SEND_WITHIN = 10.0
"""Seconds in which a client must take a piece of a frame, or its connection is cut."""
PIECE = 16 * 1024
LOGIN_BYTES = 4096
LOGIN_SECONDS = 5.0
_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "json": "application/json",
    "svg": "image/svg+xml",
}


def application(
    context: Context,
    config: Config,
    publisher: Publisher,
    sessions: Sessions,
    cut: Callable[[Scope], None],
) -> ASGIApp:
    """`cut` ends the connection of a request at once."""
    files = _files()
    api = _Api(context, config, publisher, sessions)
    stream = _Stream(publisher, cut)
    routes = [
        Route("/", _file(files["index.html"])),
        Route("/login", _file(files["login.html"]), methods=["GET"]),
        Route("/login", api.login, methods=["POST"]),
        Route("/logout", api.logout, methods=["POST"]),
        Route("/about", api.about),
        Route("/api/state", api.state),
        Route("/api/stream", stream, methods=["GET"]),
        Route("/api/health", api.health),
        Route("/api/master-orders", api.masters),
        Route("/api/master-orders/{account}/{ident:path}", api.master),
        Route("/api/events", api.events),
        *(Route(f"/static/{name}", _file(file)) for name, file in files.items()),
        Route("/favicon.ico", _file(files["icon.svg"])),
    ]
    public = frozenset({f"/static/{name}" for name in files} | {"/favicon.ico"})
    app = Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_allowed})
    return Access(_Guarded(app, context), config, sessions, public)


class _File(msgspec.Struct, frozen=True):
    content: bytes
    type: str
    tag: str


def _files() -> dict[str, _File]:
    """All that the page consists of.  It is kept in memory, so an upgrade while it runs can't mix
    two versions."""
    found = {}
    root = resources.files("qehost_dashboard").joinpath("page")
    for folder, prefix in ((root, ""), (root.joinpath("vendor"), "vendor/")):
        for item in folder.iterdir():
            kind = _TYPES.get(item.name.rpartition(".")[2])
            if kind is not None and item.is_file():
                content = item.read_bytes()
                tag = f'"{sha256(content).hexdigest()[:20]}"'
                found[prefix + item.name] = _File(content, kind, tag)
    return found


def _file(file: _File) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        headers = {"etag": file.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers, media_type=file.type)

    return answer


async def _not_found(request: Request, error: Exception) -> Response:
    return refused(HTTPStatus.NOT_FOUND, "there is nothing at this path")


async def _not_allowed(request: Request, error: Exception) -> Response:
    return refused(HTTPStatus.METHOD_NOT_ALLOWED, "this method is not for this path")


class _Api:
    """What is answered in JSON."""

    def __init__(
        self, context: Context, config: Config, publisher: Publisher, sessions: Sessions
    ) -> None:
        self._context = context
        self._config = config
        self._publisher = publisher
        self._sessions = sessions
        self._readers = asyncio.Semaphore(READERS)

    async def about(self, request: Request) -> Response:
        return Response(PROGRAM, media_type="application/json")

    async def login(self, request: Request) -> Response:
        token = await _token(request)
        if token is None:
            return refused(HTTPStatus.BAD_REQUEST, 'expected {"token": "…"}')
        made = await self._sessions.login(token)
        if made is HTTPStatus.UNAUTHORIZED:
            return refused(HTTPStatus.UNAUTHORIZED, "this is not the token")
        if isinstance(made, HTTPStatus):
            return refused(made, "too many wrong tokens", {"retry-after": "2"})
        return Response(status_code=204, headers={"set-cookie": made})

    async def logout(self, request: Request) -> Response:
        return Response(status_code=204, headers={"set-cookie": self._sessions.logout()})

    async def state(self, request: Request) -> Response:
        headers = {"x-lang": self._config.lang, "x-login": str(int(self._sessions.is_needed))}
        return Response(self._publisher.state(), headers=headers, media_type="application/json")

    async def health(self, request: Request) -> Response:
        return json(self._publisher.health)

    async def masters(self, request: Request) -> Response:
        query = request.query_params
        rows = [
            row
            for row in self._publisher.desk.masters()
            if query.get("account", row.account) == row.account
            and query.get("symbol", row.symbol).upper() == row.symbol.upper()
            and query.get("open", str(row.is_open)).lower() == str(row.is_open).lower()
        ]
        return json({"master_orders": rows})

    async def master(self, request: Request) -> Response:
        path = request.path_params
        found = self._publisher.desk.order(path["account"], path["ident"])
        if found is None:
            return refused(HTTPStatus.NOT_FOUND, "no master order of this id is kept")
        return json(found)

    async def events(self, request: Request) -> Response:
        try:
            question = _question(request, self._context.accounts)
        except ValueError as error:
            return refused(HTTPStatus.BAD_REQUEST, str(error))
        async with self._readers:
            try:
                found = await asyncio.to_thread(past.page, self._context, question)
            except Error as error:
                return refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        return json(found)


def _question(request: Request, accounts: tuple[str, ...]) -> past.Question:
    """Raises ValueError."""
    query = request.query_params
    account = query.get("account", accounts[0] if accounts else "")
    if account not in accounts:
        raise ValueError(f"account: there is none of this name; expected {', '.join(accounts)}")
    asked = set(filter(None, query.get("kinds", "").split(",")))
    kinds = frozenset(kind for kind in past.KINDS if kind in asked)
    if len(kinds) < len(asked):
        raise ValueError(f"kinds: expected some of {', '.join(sorted(past.KINDS))}")
    return past.Question(
        account,
        _number(query.get("before_seq"), "before_seq", 2**62),
        kinds or None,
        query.get("symbol", ""),
        query.get("master", ""),
        _number(query.get("limit"), "limit", past.MOST) or 100,
    )


def _number(text: str | None, name: str, most: int) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= most):
        raise ValueError(f"{name}: expected a number from 1 to {most}")
    return int(text)


async def _token(request: Request) -> str | None:
    body = b""
    try:
        async with asyncio.timeout(LOGIN_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > LOGIN_BYTES:
                    return None
        found = msgspec.json.decode(body, type=dict[str, str])
    except (msgspec.MsgspecError, UnicodeDecodeError, ClientDisconnect, TimeoutError):
        return None
    return found.get("token")


class _Stream:
    """Server-sent events, as plain ASGI: a response class costs more for each client."""

    def __init__(self, publisher: Publisher, cut: Callable[[Scope], None]) -> None:
        self._broadcast = publisher.broadcast
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":  # HEAD, which would be a stream without frames
            await Response(status_code=405)(scope, receive, send)
            return
        listener = self._broadcast.join()
        if listener is None:
            full = refused(
                HTTPStatus.SERVICE_UNAVAILABLE, "too many streams are open", {"retry-after": "5"}
            )
            await full(scope, receive, send)
            return

        async def until_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            listener.end()

        gone = asyncio.create_task(until_gone())
        try:
            await self.send_all(listener, send)
        except TimeoutError:
            self._cut(scope)
        finally:
            self._broadcast.leave(listener)
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone

    async def send_all(self, listener: Any, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await _within(send, {"type": "http.response.start", "status": 200, "headers": headers})
        await _within(send, _body(b"retry: 1000\n\n"))
        while (frame := await listener.next()) is not None:
            for begin in range(0, len(frame), PIECE):
                await _within(send, _body(frame[begin : begin + PIECE]))
        await _within(send, {"type": "http.response.body", "body": b""})


async def _within(send: Send, message: Message) -> None:
    async with asyncio.timeout(SEND_WITHIN):
        await send(message)


def _body(piece: bytes) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": True}


class _Guarded:
    """Tells in qehost's log what an application raised; uvicorn would write to standard error."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._logger = context.logger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception:  # a defect here must neither end the server nor go by unseen
            self._logger.exception("the page failed at %s", scope["path"])
            if not has_begun:
                failed = refused(HTTPStatus.INTERNAL_SERVER_ERROR, "it failed: see qehost's log")
                await failed(scope, receive, send)
