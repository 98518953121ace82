"""Values as TOML writes them, each on one line."""

from __future__ import annotations

import datetime
import json
import math
import re
import tomllib
from typing import Any

__all__ = ["parsed", "toml_key", "toml_value"]


def toml_key(name: str) -> str:
    """A key, quoted if it has to be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def toml_value(value: Any) -> str:
    """A value of a type that TOML has.  Raises TypeError for any other, such as None."""
    match value:
        case bool():
            return "true" if value else "false"
        case float() if math.isnan(value) or math.isinf(value):
            return str(value)
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case list() | tuple() | set() | frozenset():
            return f"[{', '.join(map(toml_value, value))}]"
        case dict():
            # TOML has no null, so what is None is left out.
            pairs = [f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items() if v is not None]
            return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
        case _:
            raise TypeError(f"TOML has no {type(value).__name__}")


def _text(text: str) -> str:
    # TOML has the same escapes as JSON, which leaves DEL as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def parsed(text: str) -> Any:
    """The list or table that a text of the environment stands for, or the text."""
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text
