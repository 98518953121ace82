"""A value that must not be shown: keys, passwords, a URL's credentials; and where it comes from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec
from urllib.parse import urlsplit, urlunsplit

__all__ = [
    "DOTS",
    "Secret",
    "as_in_toml",
    "expanded",
    "hiding_arguments",
    "is_reference",
    "masked",
    "resolve",
    "resolving",
    "without_credentials",
    "without_keys",
]

DOTS = "••••"
LITERAL = 'stands in the file as it is; { env = "NAME" } or { file = "PATH" } keeps it out'
"""The warning about a secret that was written down where others may read it."""

TELLING = re.compile(r"(?i)password|passwd|passphrase|secret|token|credential|(api|private)_?key")


# A field by that name, in JSON, in JSON within a string, or in a query.
KEY_FIELD = re.compile(r"""(?i)(listen[_-]?key[\\"'\s]*[:=][\\"'\s]*)[^\s"',}&<]+""")
RUN = re.compile(r"[\w\\-]{12,}", re.ASCII)

Arguments = ParamSpec("Arguments")


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


class Secret:
    """A text that prints as dots.  `reveal()` is the only way to it: easy to search for.

    A plugin's `Config` may use it as the type of a field; it is then given as `{ env = "NAME" }`,
    `{ file = "PATH" }` or a literal, like qehost's own.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return f"Secret('{DOTS}')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def is_reference(value: object) -> bool:
    """Whether it says where a secret is: `{ env = … }` or `{ file = … }`."""
    return isinstance(value, dict) and set(value) in ({"env"}, {"file"})


def as_in_toml(text: str) -> Any:
    """What a text of the environment says: a table, written as in TOML, or the secret itself."""
    if text.lstrip().startswith("{"):
        with suppress(tomllib.TOMLDecodeError):
            return tomllib.loads(f"secret = {text.strip()}")["secret"]
    return text


def expanded(folder: Path, path: str) -> Path:
    """The path that a setting means: `~` is a home folder, and a relative one counts from `folder`.

    Raises `ValueError`.
    """
    if "\0" in path:
        raise ValueError("a path has no NUL character")
    try:
        return folder / Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"nobody's home folder is {Path(path).parts[0]}") from None


def resolve(value: Any, environ: Mapping[str, str], folder: Path) -> Secret:
    """The secret that a setting's value stands for.  A relative file counts from `folder`.

    Raises `ValueError`; its text holds nothing of a secret.
    """
    match value:
        case Secret():
            return value
        case {"env": str(variable)} if len(value) == 1:
            if not environ.get(variable):
                raise ValueError(f"the environment variable {variable} is not set")
            return Secret(environ[variable].strip())
        case {"file": str(name)} if len(value) == 1:
            file = expanded(folder, name)
            try:
                # -sig: some editors begin a file with a mark, which is no part of the secret.
                text = file.read_text(encoding="utf-8-sig").strip()
            except OSError as error:
                raise ValueError(f"{file} can't be read: {error.strerror}") from None
            except UnicodeDecodeError:
                raise ValueError(f"{file} can't be read: it is no text in UTF-8") from None
            if not text:
                raise ValueError(f"{file} is empty")
            return Secret(text)
        case str(text):
            return Secret(text.strip())
        case _:
            raise ValueError('expected { env = "NAME" } or { file = "PATH" }')


def resolving(environ: Mapping[str, str], folder: Path) -> Callable[[type, Any], Any]:
    """`dec_hook` for msgspec: fields of the type `Secret` are resolved."""

    def hook(kind: type, value: Any) -> Any:
        if kind is Secret:
            return resolve(value, environ, folder)
        raise NotImplementedError(f"settings can't be of type {kind.__name__}")

    return hook


def without_credentials(url: str) -> str:
    """The URL without user, password, query and fragment: what may be printed of it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def without_keys(text: str) -> str:
    """A text of the venue without all that could be a listen key, which nobody has seen yet.

    That is the value of a field of that name, and each long word that is no word of a language.
    """

    def blotted(run: re.Match[str]) -> str:
        word = run[0]
        code = "_" in word and word.isupper()  # SUCH_AS_THIS
        like_a_key = any(map(str.isdigit, word)) or (len(word) >= 16 and not code)
        return DOTS if like_a_key else word

    return RUN.sub(blotted, KEY_FIELD.sub(rf"\1{DOTS}", text))


def masked(name: str, value: Any) -> Any:
    """What may be shown of a setting: secrets, and what is named or looks like one, as dots."""
    if is_reference(value):
        return value
    if isinstance(value, dict):
        return {key: masked(f"{name}.{key}", inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(name, inner) for inner in value]
    if isinstance(value, Secret):
        return DOTS if value else ""
    if isinstance(value, str) and value:
        if TELLING.search(name.rpartition(".")[2]):
            return DOTS
        return re.sub(r"(?<=://)[^/@\s]*(?=@)", DOTS, value)
    return value
