"""A text that must not be shown, and the one place that takes such texts out of others.

A `Secret` prints as dots.  From the moment that it exists its text is known to `redact` in this
process, and everything that qehost lets out passes through `redact`: log lines, errors of REST,
what one process reports to another.  That is the second net; the first is that no secret gets into
such a text at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, ParamSpec
from urllib.parse import quote, quote_plus, unquote, urlsplit, urlunsplit

__all__ = [
    "DOTS",
    "Secret",
    "hiding_arguments",
    "holds_secret",
    "redact",
    "redact_keys",
    "without_credentials",
]

DOTS = "••••"

SHORTEST = 6
"""Characters.  A shorter secret would take ordinary words with it; the venue's have 32 and more."""

NO_WORD = 12
"""Characters; what is as long as that and a secret is no ordinary word."""

Arguments = ParamSpec("Arguments")

# What a text may hold that no Secret was made of.  User and password of a URL:
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")
# What signs a call or opens a stream, in a query:
_IN_QUERY = re.compile(
    r"(?i)(\b(?:listen_?key|signature)"
    r"|(?<=[?&])(?:access_?token|token|password|passwd|secret|api_?key|api_?secret))=[^\s&\"'}]+"
)
# A listen key, in JSON, in JSON within a string, or in a query:
_KEY_FIELD = re.compile(r"""(?i)(listen[_-]?key[\\"'\s]*[:=][\\"'\s]*)[^\s"',}&<]+""")
# A signature in JSON, or among the variables that a traceback shows:
_SIGNATURE_FIELD = re.compile(r"""(?i)(\bsignature[\\"']+\s*[:,=]\s*[\\"']*)[\w+/=%-]{32,}""")
_LONG_WORD = re.compile(r"[\w\\-]{12,}", re.ASCII)

_known: dict[str, None] = {}
"""Every text that `redact` takes out; the values mean nothing."""


class Secret:
    """A text that prints as dots.  `reveal()` is the only way to it: easy to search for.

    A plugin's `Config` may use it as the type of a field; it is then given as `{ env = "NAME" }`,
    `{ file = "PATH" }` or a literal, like qehost's own.
    """

    __slots__ = ("_reveal",)
    _reveal: Callable[[], str]

    def __init__(self, value: str, *, remembered: bool = True) -> None:
        """`remembered`: known to `redact` for as long as this process runs.  Not for what is made
        anew all the time, such as a signature."""
        # A function: printers that follow attributes and slots find no text here.
        self._reveal = lambda: value
        if remembered:
            _known.update(dict.fromkeys(_spellings(value)))

    def reveal(self) -> str:
        return self._reveal()

    def __repr__(self) -> str:
        return f"Secret('{DOTS}')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self.reveal()

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __reduce__(self) -> tuple[Any, ...]:
        # Also in the process that it is sent to, it is known from the start.
        return Secret, (self.reveal(),)


def _spellings(value: str) -> Iterator[str]:
    """The secret as other texts may hold it: quoted for a URL, escaped by `repr` or JSON."""
    for text in _secret_texts(value):
        if len(text) >= SHORTEST:
            yield from (text, repr(text)[1:-1], json.dumps(text)[1:-1])
            yield from (quote(text, safe=""), quote_plus(text))


def _secret_texts(value: str) -> Iterator[str]:
    """The secret itself, and a URL's password.  Of a mere address, such as a proxy's, only that."""
    try:
        parts = urlsplit(value)
        password = parts.password or ""
    except ValueError:
        yield value
        return
    address = (
        parts.scheme
        and parts.netloc
        and parts.path in ("", "/")
        and not (parts.query or parts.fragment)
    )
    yield from (password, unquote(password))
    if not address:
        yield value


def redact(text: str, *more: str) -> str:
    """The text without the secrets of this process, without `more`, and without what is secret by
    its place: user and password of a URL; a listen key, signature, token or the like in a query.

    It can be written as UTF-8, whatever the text was: an error may name a file that no text names,
    or quote half a character of an answer, and what is told of it goes through pipes and files.
    """
    # The longest first: one may be a part of another.
    for secret in sorted((*_known, *more), key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, DOTS)
    text = _IN_QUERY.sub(rf"\1={DOTS}", _USER_INFO.sub(DOTS, text))
    text = _SIGNATURE_FIELD.sub(rf"\1{DOTS}", text)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def holds_secret(text: str) -> bool:
    """Whether the text is a secret of this process, or has a long one in it.

    A short one, such as a password, may be an ordinary part of it: `python` of a path.
    """
    words = text.strip()
    return any(
        secret == words or (len(secret) >= NO_WORD and secret in text) for secret in tuple(_known)
    )


def redact_keys(text: str) -> str:
    """For an answer that may hold a listen key which no `Secret` was made of yet: the text also
    without the value of a field of that name, and without each long word of no language."""

    def redacted(found: re.Match[str]) -> str:
        word = found[0]
        code = "_" in word and word.isupper()  # SUCH_AS_THIS
        like_a_key = any(map(str.isdigit, word)) or (len(word) >= 16 and not code)
        return DOTS if like_a_key else word

    return _LONG_WORD.sub(redacted, _KEY_FIELD.sub(rf"\1{DOTS}", text))


def without_credentials(url: str) -> str:
    """The URL without user, password, query and fragment: the address that it leads to."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def hiding_arguments(make: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """For a constructor that takes secrets: what it raises leads to no frame that holds them, as a
    traceback with local variables would show them."""

    @wraps(make)
    def making(*args: Arguments.args, **options: Arguments.kwargs) -> None:
        try:
            make(*args, **options)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again
            del args, options
            raise error.with_traceback(None) from None

    return making
