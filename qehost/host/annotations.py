"""Whether a hook's arguments are annotated with what the hook gives; nothing is evaluated.

`typing.get_type_hints` would run whatever stands in an annotation, and fails on every name that is
imported for type checkers alone.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from inspect import Parameter, signature
from typing import Any, get_args

from qehost import hookspecs, messages

__all__ = ["given_type", "wrong_annotation"]

KNOWN: Mapping[str, type] = {
    name: kind
    for name, kind in {
        **{name: getattr(messages, name) for name in messages.__all__},
        "Context": hookspecs.Context,
    }.items()
    if isinstance(kind, type) and kind is not messages.BaseThirdPartyMessage
}
"""The classes that a hook's arguments can be annotated with, by name.  The documented base of the
messages is none: an author may mean all of them by it, though here it has no subclass."""


def wrong_annotation(hook: str, parameter: Parameter) -> str:
    """What the annotation of a hook's argument names in place of what the hook gives, such as
    `OrderMessage`; `""` if it may be right.

    It may be, unless it is the name of a class of ours that the argument never is: unions, aliases
    and names that are not ours are the type checker's to judge.
    """
    kind = _class(parameter.annotation)
    if kind is None:
        return ""
    given = _given(hook, parameter.name)
    right = any(issubclass(each, kind) for each in given)
    return "" if right else kind.__name__


def _class(annotation: object) -> type | None:
    """The class of ours that an annotation is or names."""
    if isinstance(annotation, type):
        return annotation if annotation in KNOWN.values() else None
    return KNOWN.get(_last_name(annotation)) if isinstance(annotation, str) else None


def _last_name(text: str) -> str:
    """Of `messages.FillMessage` the last part; `""` for all that is no dotted name."""
    try:
        node: ast.expr = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _last_name(node.value)  # a quoted annotation under `from __future__ …`
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def given_type(hook: str, name: str) -> str:
    """What a hook gives as this argument, as it is written in `qehost.hookspecs`."""
    return str(signature(getattr(hookspecs, hook)).parameters[name].annotation)


@cache
def _given(hook: str, name: str) -> tuple[type, ...]:
    """The classes of ours that an argument of a hook may be an instance of."""
    names = [each.strip() for each in given_type(hook, name).split("|")]
    return tuple(
        kind for each in names for kind in _members(getattr(messages, each, KNOWN.get(each)))
    )


def _members(kind: Any) -> tuple[type, ...]:
    """The classes of a union, or the one class; none for what is no class of ours."""
    if isinstance(kind, type):
        return (kind,)
    return tuple(each for each in get_args(kind) if isinstance(each, type))
