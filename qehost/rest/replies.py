"""What the venue's REST answers mean: results, typed replies and errors.  No I/O."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from qehost.errors import APIError, ClientError, RestError, ServerError
from qehost.rest.http import Reply
from qehost.rest.pieces import elements, fields

__all__ = [
    "LONGEST_WAIT",
    "Answer",
    "BatchCancelReply",
    "FailedCancel",
    "ListenKey",
    "Page",
    "read",
    "retry_after",
]

SHOWN = 300
"""How much of an unreadable answer an error shows, in characters."""
LONGEST_WAIT = 3600.0
"""Where obeying `Retry-After` ends, seconds: it may be an epoch, or the clock may be off."""


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

    def field(self, name: str) -> Any:
        """A field of the result.

        Raises:
            ServerError: there is none.
        """
        value = self.value()
        if not isinstance(value, dict) or value.get(name) in (None, ""):
            raise ServerError(self.status, f"the answer has no {name}")
        return value[name]

    def whole(self, name: str) -> int:
        """A field of the result that is a whole number, as text or as a number.

        Raises:
            ServerError: it is something else.
        """
        value = self.field(name)
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError):
            raise ServerError(self.status, f"{name} is no whole number: {value!r}") from None


class ListenKey(msgspec.Struct, frozen=True):
    """A key to the stream.  `expire_at` is in epoch seconds, 0 if the venue did not say."""

    key: str
    expire_at: int = 0

    def __repr__(self) -> str:
        return f"ListenKey(expire_at={self.expire_at})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("expire_at", self.expire_at)]


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


class FailedCancel(msgspec.Struct, frozen=True):
    """A master order that a batch cancel did not cancel, and why."""

    master_order_id: str
    reason: str


class BatchCancelReply(msgspec.Struct, frozen=True):
    """What became of a batch cancel."""

    success_count: int
    failed_orders: list[FailedCancel]

    @classmethod
    def of(cls, answer: Answer) -> BatchCancelReply:
        # Whatever it looks like, something was cancelled: this is no place to be strict.
        value = answer.value()
        reply = value if isinstance(value, dict) else {}
        failed = reply.get("failedOrders")
        return cls(
            _count(reply.get("successCount")),
            [
                FailedCancel(str(order.get("masterOrderId") or ""), str(order.get("reason") or ""))
                for order in (failed if isinstance(failed, list) else [])
                if isinstance(order, dict)
            ],
        )


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


def read(reply: Reply, clean: Callable[[str], str] = str) -> Answer:
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
    error.retry_after = retry_after(reply.headers.get("retry-after", ""))
    raise error


def _foreign(reply: Reply, body: _Body, text: str, clean: Callable[[str], str]) -> RestError:
    """The error of something in front of the venue."""
    if 300 <= reply.status < 400:
        return ServerError(reply.status, "the venue points to another address; is base_url right?")
    words = body.msg or _decoded(body.message)
    message = _cleaned(words, clean) if words else text
    if reply.status >= 500:
        return ServerError(reply.status, message)
    code = None if body.code is msgspec.UNSET else _free(body.code, clean)
    return ClientError(reply.status, code, message, reply.headers, _free(body.data, clean))


def _checked(reply: Reply, text: str, clean: Callable[[str], str]) -> str:
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


def retry_after(header: str, now: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait by a `Retry-After` header, which holds seconds or a date; None if neither.

    An hour at most.
    """
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - now()
        except (ValueError, OverflowError):
            return None
    return min(max(0.0, seconds), LONGEST_WAIT) if math.isfinite(seconds) else None


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
