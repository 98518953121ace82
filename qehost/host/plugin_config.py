"""A plugin's own settings: from its section `[plugins.NAME]` to an instance of its `Config`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from qehost.config.catalogue import describe_type, is_secret, quoted
from qehost.config.exposure import file_exposure
from qehost.config.secret_settings import LITERAL, resolving
from qehost.config.settings import OF_PLUGINS
from qehost.config.sources import is_reference, located
from qehost.config.suggest import suggestion
from qehost.config.toml_text import parsed
from qehost.errors import ConfigError
from qehost.secret import Secret

__all__ = ["configure"]

logger = logging.getLogger("qehost.host")


def configure(
    config: type[msgspec.Struct],
    own: Mapping[str, Any],
    section: str,
    *,
    places: Mapping[str, str] | None = None,
    folder: str = "",
    variables: Mapping[str, Secret] | None = None,
) -> Any:
    """An instance of `config`.  `section` is the path of the settings: `plugins.NAME`.

    Texts are converted to numbers, booleans, lists and tables where the type demands it, since the
    environment has nothing but texts.  Fields of the type `Secret` are resolved, a relative file
    from `folder`, and `{ env = … }` by `variables`.  `places` are put before the mistakes.

    Raises `ConfigError` with every mistake.  Unknown settings are mistakes at any depth, whatever
    the struct itself allows: a mistyped name must not silently mean the default.
    """
    info = inspect.type_info(config)
    assert isinstance(info, inspect.StructType)
    types = {field.encode_name: field.type for field in info.fields}
    own = {name: _read(value, types.get(name)) for name, value in own.items()}
    environ = {name: secret.reveal() for name, secret in (variables or {}).items()}
    hook = resolving(environ, Path(folder))
    mistakes = list(_unknown(info, own, section, also=OF_PLUGINS))
    _warn_of_literals(own, types, section, places or {})
    for name, value in own.items():
        if name in types and is_secret(types[name]) and is_reference(value) and "file" in value:
            for text in file_exposure(Path(folder) / str(value["file"]), holds_secrets=True):
                logger.warning("%s", text)
    for field in msgspec.structs.fields(config):
        name = field.encode_name
        if name in own:
            try:
                msgspec.convert(own[name], field.type, strict=False, dec_hook=hook)
            except msgspec.ValidationError as error:
                mistakes.append(_wrong(error, f"{section}.{name}", types[name], own[name]))
        elif field.required:
            mistakes.append(f"{section}.{name}: a value is needed ({describe_type(types[name])})")
    if not mistakes:
        try:
            return msgspec.convert(own, config, strict=False, dec_hook=hook)
        except msgspec.ValidationError as error:  # what `__post_init__` says of the whole
            mistakes.append(_message(error, section))
    raise ConfigError([located(mistake, places or {}) for mistake in mistakes]) from None


def _warn_of_literals(
    own: Mapping[str, Any],
    types: Mapping[str, inspect.Type],
    section: str,
    places: Mapping[str, str],
) -> None:
    for name, value in own.items():
        place = places.get(f"{section}.{name}", "")
        literal = isinstance(value, str) and value and not place.startswith("$")
        if literal and name in types and is_secret(types[name]):
            logger.warning("%s", located(f"{section}.{name}: {LITERAL}", places))


def _read(value: Any, type_: inspect.Type | None) -> Any:
    """The list or table that a text stands for, as those in the environment do."""
    if isinstance(type_, inspect.Metadata):
        return _read(value, type_.type)
    tables = inspect.StructType | inspect.DictType | inspect.ListType | inspect.VarTupleType
    if isinstance(value, str) and isinstance(type_, tables | inspect.SetType):
        return parsed(value)
    return value


def _unknown(
    expected: inspect.Type, value: Any, path: str, also: Iterable[str] = ()
) -> Iterator[str]:
    """The settings in `value` that no struct in `expected` has a field for.

    `also` are names that are suggested, too: qehost's own, which are taken out of `value` already.
    """
    match expected, value:
        case inspect.StructType(fields=fields), Mapping():
            known = {field.encode_name: field.type for field in fields}
            for name, inner in value.items():
                if name in known:
                    yield from _unknown(known[name], inner, f"{path}.{name}")
                else:
                    names = [*known, *also]
                    hint = suggestion(name, names) or f" (known here: {', '.join(names) or 'none'})"
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
            # Several structs are distinguished by a tag, which is no field; msgspec checks those.
            structs = [each for each in types if isinstance(each, inspect.StructType)]
            others = [each for each in types if not isinstance(each, inspect.StructType)]
            for each in others + (structs if len(structs) == 1 else []):
                yield from _unknown(each, value, path)


def _wrong(error: msgspec.ValidationError, path: str, type_: inspect.Type, value: Any) -> str:
    """What a setting takes, in the words of qehost's own settings where msgspec's are Python's."""
    told = str(error)
    if " - at `$" in told or not told.startswith(("Expected `", "Invalid ")) or is_secret(type_):
        return _message(error, path)
    expected = describe_type(type_)
    if expected == "a value":
        return _message(error, path)
    return f"{path}: expected {expected}, got {quoted(value)}"


def _message(error: msgspec.ValidationError, path: str) -> str:
    """msgspec's text with our path in front: `Expected `int`, got `str` - at `$.port``."""
    text, _, place = str(error).partition(" - at `$")
    text = text.replace("`array`", "a list").replace("`object`", "a table")
    return f"{path}{place.removesuffix('`')}: {text[:1].lower()}{text[1:]}"
