"""Reading the settings from the file and the environment.

Each source becomes a flat mapping from a setting's path (`("connection", "ping_interval")`) to a
value and its place (`qehost.toml:12`, `$QEHOST_…`, `--ws-url`), which error messages name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from qehost.config.suggest import canonical
from qehost.errors import ConfigError

__all__ = [
    "SHORT_VARIABLES",
    "FileContent",
    "Keys",
    "SourcedValue",
    "expanded",
    "from_environment",
    "from_file",
    "is_reference",
    "located",
]

# Short names for what most people set; they belong to the only account.
SHORT_VARIABLES = {
    "QEHOST_API_KEY": "api_key",
    "QEHOST_API_SECRET": "api_secret",
    "QEHOST_LISTEN_KEY": "listen_key",
}
# The first names the file itself, the next are for qehost's own tests; the others a cluster sets
# for a service that is called `qehost`.
NO_SETTINGS = re.compile(
    r"QEHOST_(CONFIG$|TEST_|SERVICE_HOST$|SERVICE_PORT(_[A-Z0-9_]+)?$"
    r"|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?$)"
)

Keys = tuple[str, ...]


class SourcedValue(NamedTuple):
    """A value from a source, its place there, and the folder that a relative path in it is relative
    to."""

    value: Any
    place: str
    folder: Path

    @property
    def variable(self) -> str:
        """The variable of the environment that it comes from; `""`: from none."""
        return self.place[1:] if self.place.startswith("$") else ""


class FileContent(NamedTuple):
    """The settings in a file, and the place of each section, also of the empty ones."""

    values: dict[Keys, SourcedValue]
    sections: dict[Keys, str]


def from_file(file: Path) -> FileContent:
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
    return FileContent(
        {path: SourcedValue(value, place_of(path), folder) for path, value in _leaves(content)},
        # A table that only exists by the dotted names of its parts has no place of its own.
        {path: place_of(path) for path in _tables(content) if path in lines},
    )


def is_reference(value: object) -> bool:
    """Whether it is no table but says where a secret is: `{ env = … }` or `{ file = … }`."""
    return isinstance(value, dict) and set(value) in ({"env"}, {"file"})


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


def from_environment(
    environ: Mapping[str, str], names: Mapping[str, list[str]]
) -> Iterator[tuple[Keys, SourcedValue]]:
    """The settings in the environment, except for the short variables.

    `names` are the accounts and plugins in the file; a part of a variable's name is compared with
    them without regard for case, `-` and `_`.
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
        yield (section, *rest), SourcedValue(value, f"${variable}", Path())


def located(mistake: str, places: Mapping[str, str], path: str = "") -> str:
    """The text of a mistake after its place.

    `path` is that of the setting, if the text does not begin with it.
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
    """Whether an empty table there is an empty section, and not the value of a setting."""
    return len(path) == 1 or (len(path) == 2 and path[0] in ("accounts", "plugins"))


def _line_numbers(text: str) -> dict[Keys, int]:
    """The line of each section and key, for messages.  tomllib does not give them."""
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
