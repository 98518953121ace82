"""What the venue's REST answers mean: results, pages and errors.  No I/O."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from qehost.errors import APIError, ClientError, RestError, ServerError
from qehost.events.wire.raw_json import elements, fields
from qehost.network.retry_after import retry_after
from qehost.rest.http import HttpReply

__all__ = [
    "Answer",
    "Page",
    "read",
]

SHOWN = 300
"""How much of an unreadable answer an error shows, in characters."""


class Answer(msgspec.Struct, frozen=True):
    """The result of a call: its JSON text, `""` if there was none."""

    text: str
    status: int
    headers: Mapping[str, str]
    enveloped: bool
    """Whether it came inside the venue's `{"code": 200, "message": …}`."""

    def value(self) -> Any:
        """The result as Python values; None if there was none.

        Raises:
            ServerError: it is no JSON that can be read.
        """
        try:
            return json.loads(self.text) if self.text else None
        except (ValueError, RecursionError) as error:
            raise ServerError(self.status, f"the answer can't be read: {error}") from None

    def whole(self, name: str) -> int:
        """A field of the result that is a whole number, as text or as a number.

        Raises:
            ServerError: there is none, or it is something else.
        """
        result = self.value()
        value = result.get(name) if isinstance(result, dict) else None
        if value in (None, ""):
            raise ServerError(self.status, f"the answer has no {name}")
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError):
            raise ServerError(self.status, f"{name} is no whole number: {value!r}") from None


class Page(msgspec.Struct, frozen=True):
    """One page of a list, with the venue's V2 objects as it sent them."""

    items: list[dict[str, Any]]
    """An item that is no object, or that Python can't hold, is `{}` here; `raw` has its text."""
    raw: list[str]
    """The JSON text of each item, digit for digit."""
    total: int  # of all pages; 0 if the venue did not say
    page: int  # from 1
    page_size: int  # as the venue says, or else as it was asked for

    @classmethod
    def of(cls, answer: Answer, page: int, page_size: int) -> Page:
        """The page in this answer to a question for page `page`."""
        try:
            parts = fields(answer.text)
            listed = parts.get("items", "null")
            raw = [] if listed == "null" else elements(listed)
        except ValueError as error:
            raise ServerError(answer.status, f"the answer is no list: {error}") from None
        total, size = (_count(_decoded(parts.get(name, ""))) for name in ("total", "pageSize"))
        return cls([_object(text) for text in raw], raw, total, page, size or page_size)


class _Body(msgspec.Struct):
    """Whatever an answer may hold besides a result: the venue's envelope, a gateway's error."""

    code: Any = msgspec.UNSET
    reason: Any = ""
    message: str = ""  # its JSON text
    traceId: Any = None  # noqa: N815 - the venue's name
    serverTime: Any = None  # noqa: N815 - the venue's name
    msg: Any = None
    data: Any = None

    @classmethod
    def of(cls, parts: Mapping[str, str]) -> _Body:
        short = set(cls.__struct_fields__) & set(parts) - {"message"}
        known = {name: _decoded(parts[name]) for name in short}
        return cls(**known, message=parts.get("message", ""))


def read(reply: HttpReply, clean: Callable[[str], str] = str) -> Answer:
    """The result in a reply.  `clean` takes the secrets out of a text that goes into an error.

    Raises:
        APIError, ClientError, ServerError: the venue refused, or its answer can't be read.
    """
    try:
        text = reply.body.decode()
    except UnicodeDecodeError:
        raise ServerError(reply.status, "the answer is not UTF-8") from None
    try:
        parts = fields(text)
    except ValueError:
        parts = {}  # a list, a number, no JSON at all
    body = _Body.of(parts)
    succeeded = reply.status < 300
    if succeeded and body.code is msgspec.UNSET:
        whole = text.strip() if parts else _checked(reply, text, clean)
        return Answer(whole, reply.status, reply.headers, False)
    message = body.message
    if succeeded and str(body.code) == "200":
        return Answer("" if message == "null" else message, reply.status, reply.headers, True)
    raise _refusal(reply, body, text, clean)


def _refusal(reply: HttpReply, body: _Body, text: str, clean: Callable[[str], str]) -> RestError:
    succeeded, message = reply.status < 300, body.message
    if body.code is not msgspec.UNSET and (succeeded or body.reason or message):
        error: RestError = APIError(
            _free(body.code, clean),
            _cleaned(body.reason, clean),
            _cleaned(_decoded(message) or body.msg or "", clean),
            body.traceId,
            body.serverTime,
        )
    else:
        error = _foreign(reply, body, clean(text.strip())[:SHOWN], clean)
    # Where HTTP says 200 and the envelope 429, it is the envelope that means it.
    told = isinstance(body.code, int) and 400 <= body.code < 600
    error.status_code = body.code if succeeded and told else reply.status
    error.retry_after = retry_after(reply.headers, text, time.time())
    return error


def _foreign(reply: HttpReply, body: _Body, text: str, clean: Callable[[str], str]) -> RestError:
    """The error of something in front of the venue."""
    if 300 <= reply.status < 400:
        return ServerError(reply.status, "the venue points to another address; is base_url right?")
    words = body.msg or _decoded(body.message)
    message = _cleaned(words, clean) if words else text
    if reply.status >= 500:
        return ServerError(reply.status, message)
    code = None if body.code is msgspec.UNSET else _free(body.code, clean)
    return ClientError(reply.status, code, message, reply.headers, _free(body.data, clean))


def _checked(reply: HttpReply, text: str, clean: Callable[[str], str]) -> str:
    """The text, if it is empty or JSON."""
    if text.strip():
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            shown = clean(text.strip())[:SHOWN]  # in this order: half a secret is not found
            raise ServerError(
                reply.status, f"the answer is not JSON; is base_url right? It begins: {shown}"
            ) from None
    return text.strip()


def _count(value: Any) -> int:
    try:
        return max(0, int(value or 0))
    except (TypeError, ValueError, OverflowError):
        return 0  # which means that the venue did not say


def _decoded(text: str) -> Any:
    try:
        return json.loads(text) if text else ""
    except (ValueError, RecursionError):
        return text


def _object(text: str) -> dict[str, Any]:
    value = _decoded(text)
    return value if isinstance(value, dict) else {}


def _free(value: Any, clean: Callable[[str], str]) -> Any:
    """The value; where a secret stands in it, its text without that."""
    text = json.dumps(value)
    cleaned = clean(text)
    return value if cleaned == text else cleaned


def _cleaned(value: Any, clean: Callable[[str], str]) -> str:
    return clean(value if isinstance(value, str) else json.dumps(value))
