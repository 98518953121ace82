"""Where the settings come from: flags > environment > file > defaults.

A source is a flat mapping from a setting's path (`connection.ping_interval`) to a value and the
place it stands in (`qehost.toml:12`, `$QEHOST_…`, `--ws-url`), so that every mistake names its
place.  All mistakes are found in one go.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec
import platformdirs

from qehost.errors import ConfigError
from qehost.secret import Secret
from qehost.settings import (
    AccountSettings,
    ConnectionSettings,
    HostSettings,
    JournalSettings,
    PluginSettings,
    Settings,
)

__all__ = ["DEFAULT_ACCOUNT", "Loaded", "Value", "load", "seconds"]

DEFAULT_ACCOUNT = "main"

SECTIONS: dict[str, type[msgspec.Struct]] = {
    "connection": ConnectionSettings,
    "journal": JournalSettings,
    "host": HostSettings,
}
# The short names are for what most people set; they belong to the only account.
SHORT_VARIABLES = {
    "QEHOST_API_KEY": "api_key",
    "QEHOST_API_SECRET": "api_secret",
    "QEHOST_LISTEN_KEY": "listen_key",
}
NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Value(NamedTuple):
    """A value as its source has it, and the place it stands in."""

    value: Any
    place: str


class Loaded(NamedTuple):
    """The settings, where each of them came from, and what the reader should be warned about."""

    settings: Settings
    places: dict[str, str]
    warnings: list[str]


def seconds(text: str) -> float:
    """`"90s"`, `"15m"`, `"12h"` or `"7d"` in seconds."""
    return float(text[:-1]) * UNITS[text[-1]]


def load(
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Read the settings from all sources.

    `flags` maps account settings (`ws_url`) to values; they belong to the only account.
    `environ` defaults to the process's own.

    Raises `ConfigError` with every mistake.
    """
    return _Loader(os.environ if environ is None else environ).load(file, flags or {})


class _Loader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.values: dict[tuple[str, ...], Value] = {}
        self.mistakes: list[str] = []
        self.warnings: list[str] = []
        self.places: dict[str, str] = {}

    def load(self, file: Path | None, flags: Mapping[str, Any]) -> Loaded:
        if file is not None:
            self._read_file(file)
        accounts = self._account_names()
        self._read_environment(accounts)
        self._read_flags(flags, accounts)
        settings = Settings(
            state_dir=self._state_dir(),
            accounts={name: self._account(name) for name in self._account_names()},
            connection=self._section(ConnectionSettings, "connection"),
            journal=self._section(JournalSettings, "journal"),
            host=self._section(HostSettings, "host"),
            plugins={name: self._plugin(name) for name in self._names_under("plugins")},
        )
        self._refuse_unknown()
        if self.mistakes:
            raise ConfigError(self.mistakes)
        return Loaded(settings, self.places, self.warnings)

    # --- the sources ---------------------------------------------------------------------

    def _read_file(self, file: Path) -> None:
        try:
            text = file.read_text(encoding="utf-8")
            table = tomllib.loads(text)
        except OSError as error:
            raise ConfigError([f"{file}: can't be read: {error.strerror}"]) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError([f"{file}: not valid TOML: {error}"]) from None
        lines = _line_numbers(text)
        for path, value in _leaves(table):
            line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 0)
            self.values[path] = Value(value, f"{file.name}:{line}" if line else file.name)

    def _read_environment(self, accounts: Sequence[str]) -> None:
        for variable, value in sorted(self.environ.items()):
            if not variable.startswith("QEHOST_"):
                continue
            if field := SHORT_VARIABLES.get(variable):
                if len(accounts) == 1:
                    path = ("accounts", accounts[0], field)
                    if path not in self.values:
                        self.values[path] = Value({"env": variable}, f"${variable}")
                continue
            self.values[tuple(variable.removeprefix("QEHOST_").lower().split("__"))] = Value(
                value, f"${variable}"
            )

    def _read_flags(self, flags: Mapping[str, Any], accounts: Sequence[str]) -> None:
        for field, value in flags.items():
            if value is None:
                continue
            place = f"--{field.replace('_', '-')}"
            if field == "state_dir":
                self.values["state_dir",] = Value(value, place)
            elif len(accounts) == 1:
                self.values["accounts", accounts[0], field] = Value(value, place)
            else:
                self.mistakes.append(
                    f"{place}: there are {len(accounts)} accounts ({', '.join(accounts)}); "
                    f"set {field} in the section of the one it is meant for"
                )

    # --- the settings --------------------------------------------------------------------

    def _account_names(self) -> list[str]:
        return self._names_under("accounts") or [DEFAULT_ACCOUNT]

    def _names_under(self, section: str) -> list[str]:
        names = dict.fromkeys(p[1] for p in self.values if p[0] == section and len(p) > 1)
        for name in names:
            if not NAME.fullmatch(name):
                self.mistakes.append(
                    f"{section}.{name}: a name has 1 to 32 letters, digits, - and _"
                )
        return list(names)

    def _state_dir(self) -> str:
        found = self.values.pop(("state_dir",), None)
        if found is None:
            return platformdirs.user_state_dir("qehost", appauthor=False)
        self.places["state_dir"] = found.place
        if not isinstance(found.value, str) or not found.value:
            self.mistakes.append(f"{found.place}: state_dir: a folder's path is needed")
            return ""
        return str(Path(found.value).expanduser())

    def _account(self, name: str) -> AccountSettings:
        account: AccountSettings = self._section(AccountSettings, "accounts", name)
        told = any(f"accounts.{name}." in mistake for mistake in self.mistakes)
        if not told and bool(account.api_key) != bool(account.api_secret or account.private_key):
            missing = "api_key" if not account.api_key else "api_secret (or private_key)"
            self.mistakes.append(f"accounts.{name}: {missing} is missing: the two belong together")
        for field in ("ws_url", "rest_url"):
            self._check_url(name, field, getattr(account, field))
        return account

    def _check_url(self, account: str, field: str, url: str) -> None:
        schemes = ("ws://", "wss://") if field == "ws_url" else ("http://", "https://")
        place = self.places.get(f"accounts.{account}.{field}", "default")
        if not url.startswith(schemes) or not url.partition("://")[2].strip("/"):
            self.mistakes.append(
                f"{place}: accounts.{account}.{field}: {url!r} is no URL of the form "
                f"{schemes[1]}host[:port]"
            )
        elif "?" in url or "@" in url:
            self.mistakes.append(
                f"{place}: accounts.{account}.{field}: no query and no password belong in here; "
                "the listen key has a setting of its own"
            )

    def _plugin(self, name: str) -> PluginSettings:
        fields = {"enabled", "process", "order"}
        own: dict[str, Any] = {}
        for path in [p for p in self.values if p[:2] == ("plugins", name) and len(p) > 2]:
            if path[2] not in fields:
                _put(own, path[2:], self.values.pop(path).value)
        plugin: PluginSettings = self._section(PluginSettings, "plugins", name, own=own)
        return plugin

    def _section(self, struct: Any, *path: str, **given: Any) -> Any:
        """The struct with what the sources say for it; what can't be used is noted and left out."""
        found: dict[str, Any] = dict(given)
        for field in msgspec.structs.fields(struct):
            where = (*path, field.name)
            if field.name in given or where not in self.values:
                # A secret is a table of one key ({ env = … }), which the reader flattened.
                parts = {p[-1]: v for p, v in self.values.items() if p[:-1] == where}
                if field.name in given or not parts:
                    continue
                for part in parts:
                    del self.values[(*where, part)]
                value = Value(
                    {k: v.value for k, v in parts.items()}, next(iter(parts.values())).place
                )
            else:
                value = self.values.pop(where)
            dotted = ".".join(where)
            self.places[dotted] = value.place
            try:
                if _is_secret(field.type):
                    found[field.name] = self._secret(value, dotted)
                else:
                    strict = not value.place.startswith(("$", "--"))
                    found[field.name] = msgspec.convert(value.value, field.type, strict=strict)
            except (msgspec.ValidationError, ValueError) as error:
                self.mistakes.append(f"{value.place}: {dotted}: {error}")
        return struct(**found)

    def _secret(self, value: Value, dotted: str) -> Secret:
        match value.value:
            case Secret() as secret:
                return secret
            case {"env": str(variable)}:
                if not self.environ.get(variable):
                    raise ValueError(f"the environment variable {variable} is not set")
                return Secret(self.environ[variable].strip())
            case {"file": str(file)}:
                try:
                    return Secret(Path(file).expanduser().read_text(encoding="utf-8").strip())
                except (OSError, UnicodeDecodeError) as error:
                    raise ValueError(f"{file} can't be read: {error}") from None
            case str(text) if text:
                if value.place.startswith("--"):
                    self.warnings.append(
                        f"{value.place} shows in the list of processes; "
                        f"set QEHOST_{dotted.rpartition('.')[2].upper()} in the environment instead"
                    )
                elif not value.place.startswith("$"):
                    self.warnings.append(
                        f"{value.place}: {dotted} stands in the file as it is; "
                        '{ env = "NAME" } or { file = "PATH" } keeps it out'
                    )
                return Secret(text)
            case _:
                raise ValueError('expected { env = "NAME" } or { file = "PATH" }')

    # --- what is left over ---------------------------------------------------------------

    def _refuse_unknown(self) -> None:
        for path, value in self.values.items():
            wrong, known = _unknown_part(path)
            near = difflib.get_close_matches(wrong, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}"
            self.mistakes.append(f"{value.place}: {'.'.join(path)}: unknown setting{hint}")


def _unknown_part(path: tuple[str, ...]) -> tuple[str, list[str]]:
    """The part of the path that is not known, and what is known in its place."""
    match path:
        case ("accounts", _, field, *_):
            return field, list(AccountSettings.__struct_fields__)
        case (section, field, *_) if section in SECTIONS:
            return field, list(SECTIONS[section].__struct_fields__)
        case _:
            return path[0], ["state_dir", "accounts", *SECTIONS, "plugins"]


def _is_secret(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        return _is_secret(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return Secret in get_args(annotation)
    return annotation is Secret


def _leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _put(table: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value


def _line_numbers(text: str) -> dict[tuple[str, ...], int]:
    """The line of each section and key.  tomllib does not tell; this is for messages only."""
    lines: dict[tuple[str, ...], int] = {}
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            section = tuple(part.strip(" \"'") for part in header[1].split("."))
            lines.setdefault(section, number)
        elif key := re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line):
            path = tuple(part.strip(" \"'") for part in key[1].split("."))
            lines.setdefault((*section, *path), number)
    return lines
