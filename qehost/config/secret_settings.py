"""Settings that are secrets: where their values stand, and what may be shown of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from qehost.config.sources import expanded, is_reference
from qehost.config.toml_text import parsed
from qehost.secret import DOTS, Secret, redact

__all__ = [
    "LITERAL",
    "as_in_toml",
    "has_literal",
    "masked",
    "referenced_variables",
    "resolve",
    "resolving",
    "secret_variables",
]

LITERAL = 'stands in the file as it is; { env = "NAME" } or { file = "PATH" } keeps it out'
"""The warning about a secret that was written down where others may read it."""

SHORTEST_KEY = 12
"""Characters."""
TELLING = re.compile(r"(?i)password|passwd|passphrase|secret|token|credential|(api|private)_?key")


VARIABLE = re.compile(r"[A-Z][A-Z0-9]{0,15}|(?=.{1,64}$)[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
"""What variables of the environment are called.  A key that was written in a name's place looks
otherwise."""
PATH = re.compile(r"[./~\\]")

secret_variables: set[str] = set()
"""The variables of the environment that are known to hold secrets, or settings that may be secrets:
no child process gets them."""


def referenced_variables(own: Any, environ: Mapping[str, str]) -> dict[str, Secret]:
    """The variables that a plugin's settings refer to, as far as they are set."""
    found = dict.fromkeys(_references(own))
    secret_variables.update(found)
    return {name: Secret(environ[name]) for name in found if environ.get(name)}


def _references(value: Any) -> Iterator[str]:
    """The names of the variables, at any depth; also in a text that is read as a table or a list
    where the plugin expects one."""
    match value:
        case {"env": str(name)} if len(value) == 1:
            yield name
        case dict():
            for inner in value.values():
                yield from _references(inner)
        case list():
            for inner in value:
                yield from _references(inner)
        case str() if value.lstrip().startswith(("{", "[")):
            if not isinstance(found := parsed(value.strip()), str):
                yield from _references(found)


def as_in_toml(text: str) -> Any:
    """What a text of the environment says: a table, written as in TOML, or the secret itself."""
    found = parsed(text.strip()) if text.lstrip().startswith("{") else text
    return text if isinstance(found, str) else found


def resolve(value: Any, environ: Mapping[str, str], folder: Path) -> Secret:
    """The secret that a setting's value stands for.  A relative file counts from `folder`.

    Raises `ValueError`; its text holds nothing of a secret.
    """
    match value:
        case Secret():
            return value
        case {"env": str(variable)} if len(value) == 1:
            if not environ.get(variable):
                raise ValueError(_not_set(variable))
            secret_variables.add(variable)
            return Secret(environ[variable].strip())
        case {"file": str(name)} if len(value) == 1:
            file = expanded(folder, name)
            if not PATH.search(name) and not file.exists() and _looks_like_a_key(name):
                Secret(name)
                raise ValueError(
                    "the file that is named does not exist, and its name looks like the secret "
                    'itself: { file = "PATH" } takes the path of the file that holds it'
                )
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


def _not_set(variable: str) -> str:
    """A key may have been written in the name's place, and must not be printed then."""
    if VARIABLE.fullmatch(variable) or not _looks_like_a_key(variable):
        return f"the environment variable {variable} is not set"
    Secret(variable)  # from now on it is taken out wherever else it stands
    return (
        "the environment variable that is named is not set, and its name looks like the secret "
        'itself: { env = "NAME" } takes the name of the variable that holds it'
    )


def _looks_like_a_key(text: str) -> bool:
    return len(text) >= SHORTEST_KEY and any(map(str.isdigit, text))


def resolving(environ: Mapping[str, str], folder: Path) -> Callable[[type, Any], Any]:
    """`dec_hook` for msgspec: fields of the type `Secret` are resolved."""

    def hook(kind: type, value: Any) -> Any:
        if kind is Secret:
            return resolve(value, environ, folder)
        raise NotImplementedError(f"settings can't be of type {kind.__name__}")

    return hook


def has_literal(own: Mapping[str, Any]) -> bool:
    """Whether a plugin's settings have a text whose name says that it is a secret."""
    return any(
        (isinstance(value, str) and bool(value) and bool(TELLING.search(name)))
        or (isinstance(value, dict) and not is_reference(value) and has_literal(value))
        for name, value in own.items()
    )


def masked(name: str, value: Any) -> Any:
    """What may be shown of a setting: secrets, and what is named or looks like one, as dots."""
    if is_reference(value):
        return {key: redact(str(inner)) for key, inner in value.items()}
    if isinstance(value, dict):
        return {key: masked(f"{name}.{key}", inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(name, inner) for inner in value]
    if isinstance(value, Secret):
        return DOTS if value else ""
    if isinstance(value, str) and value:
        return DOTS if TELLING.search(name.rpartition(".")[2]) else redact(value)
    return value
