"""Values as TOML writes them, each on one line."""

from __future__ import annotations

import datetime
import json
import math
import re
from typing import Any

__all__ = ["toml_key", "toml_value"]


def toml_key(name: str) -> str:
    """A key, quoted where it has to be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def toml_value(value: Any) -> str:
    """A value that TOML knows.  Raises TypeError for any other, None among them."""
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
            # What is None is not there: TOML has no word for it.
            pairs = [f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items() if v is not None]
            return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
        case _:
            raise TypeError(f"TOML has no {type(value).__name__}")


def _text(text: str) -> str:
    # JSON's escapes are TOML's, but for DEL, which JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
