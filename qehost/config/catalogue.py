"""Descriptions of the settings, for the annotated file, the documentation and error messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple

import msgspec
from msgspec import NODEFAULT, inspect

from qehost.config.settings import (
    AccountSettings,
    ConnectionSettings,
    HostSettings,
    JournalSettings,
    LogSection,
)
from qehost.config.sources import SHORT_VARIABLES
from qehost.config.suggest import suggestion
from qehost.secret import DOTS, Secret

__all__ = [
    "REQUIRED",
    "SECTIONS",
    "TOP",
    "Setting",
    "describe_type",
    "describe_unknown",
    "is_list",
    "is_module",
    "is_path",
    "is_secret",
    "plain",
    "quoted",
    "settings_of",
]


class Required(Enum):
    """An enumeration, since its member is the same object after unpickling."""

    REQUIRED = "required"


REQUIRED = Required.REQUIRED
"""Stands for the default of a setting that has none."""

SECTIONS: dict[str, type[msgspec.Struct]] = {
    "connection": ConnectionSettings,
    "journal": JournalSettings,
    "host": HostSettings,
    "log": LogSection,
}
TABLES = "accounts", "plugins"
"""Sections with names below them: [accounts.NAME]."""
TOP = "state_dir", *TABLES, *SECTIONS


class Setting(NamedTuple):
    """One field of a section."""

    name: str
    kind: str
    """The values it takes: `a number > 0`."""
    default: Any
    """As TOML has it: numbers, texts, lists, dictionaries; None if it is unset; or `REQUIRED`."""
    example: Any
    """What to print where there is no default."""
    description: str
    inner: tuple[Setting, ...]
    """The fields of the table that it takes."""


def settings_of(struct: type[msgspec.Struct]) -> Iterator[Setting]:
    """The settings of a section, in order."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        meta = field.type if isinstance(field.type, inspect.Metadata) else None
        schema = (meta and meta.extra_json_schema) or {}
        bare = meta.type if meta else field.type
        yield Setting(
            field.encode_name,
            describe_type(field.type),
            _default(field),
            next(iter(schema.get("examples", ())), _placeholder(field.type)),
            " ".join(schema.get("description", "").split()),
            tuple(settings_of(bare.cls)) if isinstance(bare, inspect.StructType) else (),
        )


def plain(value: Any) -> Any:
    """A value as TOML could have it; secrets as dots."""
    return msgspec.to_builtins(value, enc_hook=lambda secret: DOTS if secret else "")


def _placeholder(kind: inspect.Type) -> Any:
    """A simple value of this type."""
    match kind:
        case inspect.Metadata(type=inner):
            return _placeholder(inner)
        case inspect.UnionType(types=types):
            if inspect.NoneType() in types and any(map(is_secret, types)):
                return ""  # the same as none
            return _placeholder(next(t for t in types if not isinstance(t, inspect.NoneType)))
        case inspect.BoolType():
            return False
        case inspect.IntType() | inspect.FloatType():
            return kind.ge if kind.ge is not None else (kind.gt + 1 if kind.gt is not None else 0)
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.EnumType(cls=cls):
            return next(iter(cls)).value
        case inspect.ListType() | inspect.SetType() | inspect.VarTupleType():
            return []
        case inspect.StructType() | inspect.DictType():
            return {}
        case _:
            return {"env": "NAME"} if is_secret(kind) else ""


def is_secret(kind: inspect.Type) -> bool:
    """Whether a setting of this type holds a secret."""
    match kind:
        case inspect.Metadata(type=inner):
            return is_secret(inner)
        case inspect.UnionType(types=types):
            return any(map(is_secret, types))
        case _:
            return isinstance(kind, inspect.CustomType) and kind.cls is Secret


def is_path(kind: inspect.Type) -> bool:
    """Whether it is the path of a file."""
    return isinstance(kind, inspect.Metadata) and bool((kind.extra or {}).get("path"))


def is_list(kind: inspect.Type) -> bool:
    """Whether a setting of this type takes a list."""
    match kind:
        case inspect.Metadata(type=inner):
            return is_list(inner)
        case inspect.UnionType(types=types):
            return any(map(is_list, types))
        case _:
            return isinstance(kind, inspect.ListType)


def is_module(kind: inspect.Type) -> bool:
    """Whether it is a module, which may be named by its file."""
    return isinstance(kind, inspect.Metadata) and bool((kind.extra or {}).get("module"))


def quoted(value: Any) -> str:
    """A value as error messages quote it."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    return _literal(value)


def describe_unknown(path: Sequence[str]) -> str:
    """What is wrong with a setting that does not exist, and what was probably meant."""
    section, *rest = path
    if section in TABLES and len(rest) < 2:
        name = rest[0] if rest else "NAME"
        return f"is a section, written as [{section}.{name}]"
    if section in SECTIONS and not rest:
        return f"is a section, written as [{section}]"
    if section == "accounts":
        name, known = rest[1], AccountSettings.__struct_fields__
    elif section in SECTIONS:
        name, known = rest[0], SECTIONS[section].__struct_fields__
    else:
        name, known = section, TOP
    if name in known:
        return f"is no table, it takes one value: {name} = …"
    elsewhere: dict[str, type[msgspec.Struct]] = {"accounts.NAME": AccountSettings, **SECTIONS}
    places = [where for where, struct in elsewhere.items() if path[-1] in struct.__struct_fields__]
    # All settings of an unknown section are unknown; the mistake is the name of the section.
    hint = suggestion(name, known)
    if not hint and len(path) == 1:
        hint = suggestion(name, SHORT_VARIABLES.values())
    if places and not (hint and name == section and rest):
        return f"unknown setting (there is one of this name in [{places[0]}])"
    if hint:
        return f"unknown setting{hint}"
    return f"unknown setting (known here: {', '.join(known)})"


def _default(field: inspect.Field) -> Any:
    if field.default is not NODEFAULT:
        return plain(field.default)
    if field.default_factory is not NODEFAULT:
        return plain(field.default_factory())
    return REQUIRED


def describe_type(kind: inspect.Type) -> str:
    """The values that a setting of this type takes."""
    match kind:
        case inspect.Metadata(type=inner, extra_json_schema=schema):
            return (schema or {}).get("title") or describe_type(inner)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number{_bounds(kind)}"
        case inspect.FloatType():
            return f"a number{_bounds(kind)}"
        case inspect.DecimalType():
            return "a number"
        case inspect.StrType():
            return f"a text that matches {kind.pattern}" if kind.pattern else "a text"
        case inspect.LiteralType(values=values):
            return " or ".join(map(_literal, values))
        case inspect.EnumType(cls=cls):
            return " or ".join(_literal(each.value) for each in cls)
        case inspect.CustomType(cls=cls) if cls is Secret:
            return 'a secret: { env = "NAME" } or { file = "PATH" }'
        case inspect.UnionType(types=types):
            return " or ".join(
                describe_type(t) for t in types if not isinstance(t, inspect.NoneType)
            )
        case inspect.ListType() | inspect.SetType() | inspect.VarTupleType():
            return f"a list, each {describe_type(kind.item_type)}"
        case inspect.StructType() | inspect.DictType():
            return "a table"
        case _:
            return "a value"


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    bounds = {">": kind.gt, "≥": kind.ge, "<": kind.lt, "≤": kind.le}
    texts = [
        f"{sign} {int(bound) if bound == int(bound) else bound:,}"
        for sign, bound in bounds.items()
        if bound is not None
    ]
    return f" {' and '.join(texts)}" if texts else ""


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
