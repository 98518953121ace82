"""Where settings stand: the file, the environment, the command line.

Each source becomes a flat mapping from a setting's path (`("connection", "ping_interval")`) to a
value and its place (`qehost.toml:12`, `$QEHOST_…`, `--ws-url`), so that every mistake can name it.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs

from qehost.errors import ConfigError
from qehost.names import canonical
from qehost.secret import is_reference

__all__ = [
    "FILE_NAME",
    "SHORT_VARIABLES",
    "Keys",
    "Table",
    "Value",
    "default_file",
    "from_environment",
    "from_file",
    "located",
]

FILE_NAME = "qehost.toml"
# The short names are for what most people set; they belong to the only account.
SHORT_VARIABLES = {
    "QEHOST_API_KEY": "api_key",
    "QEHOST_API_SECRET": "api_secret",
    "QEHOST_LISTEN_KEY": "listen_key",
}
# These name the file itself, and what only qehost's own tests read.
NO_SETTINGS = re.compile(r"QEHOST_(CONFIG$|TEST_)")

Keys = tuple[str, ...]


class Value(NamedTuple):
    """A value as its source has it, the place it stands in, and where a relative path in it counts
    from."""

    value: Any
    place: str
    folder: Path


class Table(NamedTuple):
    """What a file holds: the settings, and the place of each section, also of the empty ones."""

    values: dict[Keys, Value]
    sections: dict[Keys, str]


def default_file() -> Path | None:
    """The settings' file where none is named: `qehost.toml` in the current folder, else in the
    user's folder for configurations, else none."""
    folders = Path(), platformdirs.user_config_path("qehost", appauthor=False)
    # Not Path.is_file: it raises for a folder that this user may not look into, such as the home
    # folder of a service.
    files = (folder / FILE_NAME for folder in folders)
    return next((file for file in files if os.path.isfile(file)), None)


def from_file(file: Path) -> Table:
    """Read a file.  Raises ConfigError."""
    try:
        # -sig: some editors begin a file with a mark that TOML does not know.
        text = file.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text)
    except OSError as error:
        raise ConfigError([f"{file}: can't be read: {error.strerror}"]) from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        place, what = (f"{file}:{line[1]}", str(error)[: line.start()]) if line else (file, error)
        raise ConfigError([f"{place}: not valid TOML: {what}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{file}: not valid TOML: it is not in UTF-8"]) from None
    lines = _line_numbers(text)

    def place_of(path: Keys) -> str:
        line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 0)
        return f"{file}:{line}" if line else str(file)

    folder = file.absolute().parent
    return Table(
        {path: Value(value, place_of(path), folder) for path, value in _leaves(content)},
        # A table that is only there by its parts' dotted names has no place of its own.
        {path: place_of(path) for path in _tables(content) if path in lines},
    )


def from_environment(
    environ: Mapping[str, str], names: Mapping[str, list[str]]
) -> Iterator[tuple[Keys, Value]]:
    """What stands in the environment, but for the short variables.

    `names` are the accounts and plugins that the file has: a variable's part means the one that it
    equals but for case, `-` and `_`.
    """
    for variable, value in sorted(environ.items()):
        if not variable.startswith("QEHOST_") or NO_SETTINGS.match(variable):
            continue
        if variable in SHORT_VARIABLES:
            continue
        section, *rest = variable.removeprefix("QEHOST_").lower().split("__")
        if rest:
            known = {canonical(name): name for name in names.get(section, ())}
            rest[0] = known.get(canonical(rest[0]), rest[0])
        yield (section, *rest), Value(value, f"${variable}", Path())


def located(mistake: str, places: Mapping[str, str], path: str = "") -> str:
    """The text of a mistake with its place in front.

    `path` is the setting's, if the text does not begin with it.
    """
    path = path or re.split(r"[:\s\[]", mistake, maxsplit=1)[0]
    while path:
        # A table has no place of its own, but what is in it has.
        inside = (place for p, place in places.items() if p.startswith(f"{path}."))
        if place := places.get(path) or next(inside, ""):
            return f"{place}: {mistake}"
        path = path.rpartition(".")[0]
    return mistake


def _leaves(table: Mapping[str, Any], path: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    for key, value in table.items():
        inner = (*path, key)
        if isinstance(value, dict) and not is_reference(value) and (value or _is_section(inner)):
            yield from _leaves(value, inner)
        else:
            yield inner, value


def _tables(table: Mapping[str, Any], path: Keys = ()) -> Iterator[Keys]:
    for key, value in table.items():
        if isinstance(value, dict) and not is_reference(value):
            yield (*path, key)
            yield from _tables(value, (*path, key))


def _is_section(path: Keys) -> bool:
    """Whether an empty table there is an empty section, and not a setting's value."""
    return len(path) == 1 or (len(path) == 2 and path[0] in ("accounts", "plugins"))


def _line_numbers(text: str) -> dict[Keys, int]:
    """The line of each section and key.  tomllib does not tell; this is for messages only."""
    lines: dict[Keys, int] = {}
    section: Keys = ()
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        quotes = len(re.findall(r'"""|\'\'\'', line))
        if not inside:
            if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+\s*(#|$)", line):
                section = _keys(header[1])
                lines.setdefault(section, number)
            elif key := re.match(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*'|\s*\.\s*)+?)\s*=", line):
                lines.setdefault((*section, *_keys(key[1])), number)
        inside ^= quotes % 2 == 1
    return lines


def _keys(dotted: str) -> Keys:
    return tuple(part.strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[\w-]+", dotted))
