"""A plugin's own settings: from the section `[plugins.NAME]` to an instance of its `Config`."""

from __future__ import annotations

import logging
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from qehost.config.catalogue import is_secret, kind_of
from qehost.config.sources import located
from qehost.errors import ConfigError
from qehost.names import suggestion
from qehost.secret import LITERAL, resolving

__all__ = ["configure"]

logger = logging.getLogger("qehost.host")


def configure(
    config: type[msgspec.Struct],
    own: Mapping[str, Any],
    section: str,
    *,
    places: Mapping[str, str] | None = None,
    folder: str = "",
) -> Any:
    """An instance of `config`.  `section` is where the settings stand: `plugins.NAME`.

    Texts that read as numbers or booleans are taken as such, and as lists and tables where those
    are needed: the environment has nothing else.  Fields of the type `Secret` are resolved, a
    relative file from `folder`.  `places` are put in front of the mistakes.

    Raises `ConfigError` with every mistake.  Unknown settings are mistakes at any depth, whatever
    the struct itself says: a mistyped name must not silently mean the default.
    """
    info = inspect.type_info(config)
    assert isinstance(info, inspect.StructType)
    kinds = {field.encode_name: field.type for field in info.fields}
    own = {name: _read(value, kinds.get(name)) for name, value in own.items()}
    hook = resolving(os.environ, Path(folder))
    mistakes = list(_unknown(info, own, section))
    _warn_of_literals(own, kinds, section, places or {})
    for field in msgspec.structs.fields(config):
        name = field.encode_name
        if name in own:
            try:
                msgspec.convert(own[name], field.type, strict=False, dec_hook=hook)
            except msgspec.ValidationError as error:
                mistakes.append(_told(error, f"{section}.{name}"))
        elif field.required:
            mistakes.append(f"{section}.{name}: a value is needed ({kind_of(kinds[name])})")
    if not mistakes:
        try:
            return msgspec.convert(own, config, strict=False, dec_hook=hook)
        except msgspec.ValidationError as error:  # what `__post_init__` says of the whole
            mistakes.append(_told(error, section))
    raise ConfigError([located(mistake, places or {}) for mistake in mistakes]) from None


def _warn_of_literals(
    own: Mapping[str, Any],
    kinds: Mapping[str, inspect.Type],
    section: str,
    places: Mapping[str, str],
) -> None:
    for name, value in own.items():
        place = places.get(f"{section}.{name}", "")
        literal = isinstance(value, str) and value and not place.startswith("$")
        if literal and name in kinds and is_secret(kinds[name]):
            told = f"{section}.{name}: {LITERAL}"
            logger.warning("%s", located(told, places))


def _read(value: Any, kind: inspect.Type | None) -> Any:
    """A text that stands for a list or a table, as the environment has them."""
    if isinstance(kind, inspect.Metadata):
        return _read(value, kind.type)
    tables = inspect.StructType | inspect.DictType | inspect.ListType | inspect.VarTupleType
    if isinstance(value, str) and isinstance(kind, tables | inspect.SetType):
        try:
            return tomllib.loads(f"x = {value}")["x"]
        except tomllib.TOMLDecodeError:
            return value
    return value


def _unknown(expected: inspect.Type, value: Any, path: str) -> Iterator[str]:
    """The settings in `value` that no struct in `expected` has a field for."""
    match expected, value:
        case inspect.StructType(fields=fields), Mapping():
            known = {field.encode_name: field.type for field in fields}
            for name, inner in value.items():
                if name in known:
                    yield from _unknown(known[name], inner, f"{path}.{name}")
                else:
                    hint = suggestion(name, known) or f" (known here: {', '.join(known) or 'none'})"
                    yield f"{path}.{name}: unknown setting{hint}"
        case inspect.DictType(value_type=inner_type), Mapping():
            for name, inner in value.items():
                yield from _unknown(inner_type, inner, f"{path}.{name}")
        case inspect.ListType(item_type=inner_type), list():
            for number, inner in enumerate(value):
                yield from _unknown(inner_type, inner, f"{path}[{number}]")
        case inspect.Metadata(type=inner_type), _:
            yield from _unknown(inner_type, value, path)
        case inspect.UnionType(types=types), _:
            # Several structs are told apart by a tag, which is no field; that is left to them.
            structs = [each for each in types if isinstance(each, inspect.StructType)]
            others = [each for each in types if not isinstance(each, inspect.StructType)]
            for each in others + (structs if len(structs) == 1 else []):
                yield from _unknown(each, value, path)


def _told(error: msgspec.ValidationError, path: str) -> str:
    """msgspec's text with our path in front: `Expected `int`, got `str` - at `$.port``."""
    text, _, place = str(error).partition(" - at `$")
    text = text.replace("`array`", "a list").replace("`object`", "a table")
    return f"{path}{place.removesuffix('`')}: {text[:1].lower()}{text[1:]}"
