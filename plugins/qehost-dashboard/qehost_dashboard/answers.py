"""Answers in JSON."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.responses import Response

__all__ = ["encode", "json", "refused"]

encode = msgspec.json.Encoder().encode
"""Decimals as text, with all their digits."""


def json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(content), status, headers, media_type="application/json")


def refused(status: HTTPStatus, why: str, headers: dict[str, str] | None = None) -> Response:
    return json({"error": why}, status, headers)
