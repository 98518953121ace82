"""The settings, put together: flags > environment > file > defaults.

All mistakes are found in one go, each with its place, what is expected there, and for a name that
does not exist the nearest one that does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import platformdirs
from msgspec import inspect
from msgspec.structs import replace

from qehost.config.catalogue import SECTIONS, TOP, is_path, is_secret, kind_of, shown, unknown
from qehost.config.sources import (
    SHORT_VARIABLES,
    Keys,
    Value,
    from_environment,
    from_file,
    located,
)
from qehost.errors import ConfigError
from qehost.names import canonical
from qehost.network.proxy import check_host, parse_proxy
from qehost.secret import LITERAL, Secret, as_in_toml, expanded, is_reference, resolve
from qehost.settings import AccountSettings, PluginSettings, Settings

__all__ = [
    "DEFAULT_ACCOUNT",
    "Examined",
    "Loaded",
    "all_but_accounts",
    "examine",
    "load",
    "missing_credentials",
    "seconds",
]

DEFAULT_ACCOUNT = "main"

# Options that are no account's settings.
FLAGS: dict[str, Keys] = {
    "state_dir": ("state_dir",),
    "log_level": ("log", "level"),
    "log_format": ("log", "format"),
    "give_up_after": ("connection", "give_up_after"),
}
OF_PLUGINS = ("enabled", "process", "order")
NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
LONGEST = 3e9  # 95 years, which any clock can count
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Loaded(NamedTuple):
    """The settings, where each of them came from, and what the reader should be warned about."""

    settings: Settings
    places: dict[str, str]
    warnings: list[str]


class Examined(NamedTuple):
    """What could be used of the settings, and what could not."""

    loaded: Loaded
    mistakes: list[str]


def seconds(text: str) -> float:
    """`"90s"`, `"15m"`, `"12h"` or `"7d"` in seconds; of more than a life, a life's."""
    return min(float(text[:-1]) * UNITS[text[-1]], LONGEST)


def everything(_: str) -> bool:
    return True


def all_but_accounts(path: str) -> bool:
    """For what connects to nothing: credentials that are not there today do not matter."""
    return path.partition(".")[0] != "accounts"


def load(
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    matters: Callable[[str], bool] = everything,
) -> Loaded:
    """Read the settings from all sources.

    `flags` maps options (`ws_url`) to values; account settings among them belong to the only
    account.  `environ` defaults to the process's own.  `matters` says of a setting's path (`""`:
    the file as a whole) whether a mistake there is one; what is wrong elsewhere has its default.

    Raises `ConfigError` with every mistake that matters.
    """
    loader = _Loader(os.environ if environ is None else environ)
    loaded, mistakes = loader.load(file, flags or {})
    if told := [text for text, path in zip(mistakes, loader.paths, strict=True) if matters(path)]:
        raise ConfigError(told)
    return loaded


def examine(
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Examined:
    """As `load`, with every mistake in place of the first; what is wrong has its default."""
    return _Loader(os.environ if environ is None else environ).load(file, flags or {})


def missing_credentials(loaded: Loaded) -> list[str]:
    """A mistake for each account that has neither a listen key nor what it takes to make one."""
    return [
        located(
            f"accounts.{name}: no credentials: set QEHOST_API_KEY and QEHOST_API_SECRET in the "
            "environment, or QEHOST_LISTEN_KEY for a listen key made elsewhere; of several "
            "accounts, api_key and api_secret in the section of each",
            loaded.places,
        )
        for name, account in loaded.settings.accounts.items()
        if not account.listen_key and not account.api_key
    ]


class _Loader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.values: dict[Keys, Value] = {}
        self.sections: dict[Keys, str] = {}
        self.folder = Path()
        self.mistakes: list[str] = []
        self.paths: list[str] = []
        """For each mistake the setting that it is about; `""`: the file as a whole."""
        self.warnings: list[str] = []
        self.places: dict[str, str] = {}

    def load(self, file: Path | None, flags: Mapping[str, Any]) -> Examined:
        if file is not None:
            self.folder = file.absolute().parent
            try:
                self.values, self.sections = from_file(file)
            except ConfigError as error:
                for text in error.mistakes:
                    self._note("", text)
        self._read_environment()
        self._read_flags(flags)
        self.places |= {".".join(path): place for path, place in self.sections.items()}
        settings = Settings(
            state_dir=self._state_dir(),
            accounts={name: self._account(name) for name in self._account_names()},
            **{name: self._section(struct, name) for name, struct in SECTIONS.items()},
            plugins={name: self._plugin(name) for name in self._names_under("plugins")},
        )
        self._compare(settings)
        self._refuse_names(settings)
        self._refuse_unknown()
        return Examined(Loaded(settings, self.places, self.warnings), self.mistakes)

    # --- the sources ---------------------------------------------------------------------

    def _read_environment(self) -> None:
        names = {section: self._names_under(section) for section in ("accounts", "plugins")}
        names["accounts"] = names["accounts"] or [DEFAULT_ACCOUNT]
        self.values.update(from_environment(self.environ, names))
        accounts = self._account_names()
        for variable, field in SHORT_VARIABLES.items():
            if not self.environ.get(variable):
                continue
            if len(accounts) == 1:
                path = ("accounts", accounts[0], field)
                # The long name says more exactly what is meant.
                if not self.values.get(path, Value("", "", Path())).place.startswith("$"):
                    self.values[path] = Value(self.environ[variable], f"${variable}", Path())
            elif {"env": variable} not in [value.value for value in self.values.values()]:
                self.warnings.append(
                    f"${variable} is not used: there are {len(accounts)} accounts "
                    f'({", ".join(accounts)}); write {field} = {{ env = "{variable}" }} in the '
                    "section of the one it belongs to"
                )

    def _read_flags(self, flags: Mapping[str, Any]) -> None:
        accounts = self._account_names()
        for field, value in flags.items():
            if value is None:
                continue
            place = f"--{field.replace('_', '-')}"
            if field in FLAGS:
                self.values[FLAGS[field]] = Value(value, place, Path())
            elif len(accounts) == 1:
                self.values["accounts", accounts[0], field] = Value(value, place, Path())
            else:
                self._note(
                    "accounts",
                    f"{place}: there are {len(accounts)} accounts ({', '.join(accounts)}); "
                    f"set {field} in the section of the one it is meant for",
                )

    # --- the settings --------------------------------------------------------------------

    def _account_names(self) -> list[str]:
        return self._names_under("accounts") or [DEFAULT_ACCOUNT]

    def _names_under(self, section: str) -> list[str]:
        paths = [*self.sections, *(path for path in self.values if len(path) > 2)]
        return list(dict.fromkeys(p[1] for p in paths if p[0] == section and len(p) > 1))

    def _state_dir(self) -> str:
        default = platformdirs.user_state_dir("qehost", appauthor=False)
        found = self.values.pop(("state_dir",), None)
        if found is None:
            return default
        self.places["state_dir"] = found.place
        if not isinstance(found.value, str) or not found.value:
            self._wrong("state_dir", "a folder's path is needed")
            return default
        try:
            return str(expanded(found.folder, found.value))
        except ValueError as error:
            self._wrong("state_dir", str(error))
            return default

    def _account(self, name: str) -> AccountSettings:
        before = len(self.mistakes)
        account: AccountSettings = self._section(AccountSettings, "accounts", name)
        whole = len(self.mistakes) == before
        if whole and bool(account.api_key) != bool(account.api_secret or account.private_key):
            missing = "api_key" if not account.api_key else "api_secret (or private_key)"
            self._wrong(f"accounts.{name}", f"{missing} is missing: the two belong together")
        for field in ("ws_url", "rest_url"):
            self._check_url(f"accounts.{name}.{field}", getattr(account, field))
        if (proxy := account.proxy.reveal()) not in ("", "none"):
            try:
                parse_proxy(proxy)
            except ValueError as error:
                self._wrong(f"accounts.{name}.proxy", str(error))
        return account

    def _check_url(self, path: str, url: str) -> None:
        schemes = ("ws://", "wss://") if path.endswith("ws_url") else ("http://", "https://")
        if "?" in url or "@" in url:
            self._wrong(
                path,
                "no query and no password belong in here; the listen key has a setting of its own",
            )
        elif not url.startswith(schemes) or not _leads_somewhere(url):
            self._wrong(path, f"{url!r} is no URL of the form {schemes[1]}host[:port]")

    def _plugin(self, name: str) -> PluginSettings:
        section = "plugins", name
        own: dict[str, Any] = {}
        for path in [p for p in self.values if p[:2] == section and len(p) > 2]:
            if path[2] in OF_PLUGINS:
                continue
            value = self.values.pop(path)
            self.places[".".join(path)] = value.place
            said = as_in_toml(value.value) if value.place.startswith("$") else None
            try:
                _put(own, path[2:], said if is_reference(said) else value.value)
            except TypeError:
                self._wrong(".".join(path), "a part of its name is a value and no table")
        plugin: PluginSettings = self._section(PluginSettings, *section)
        prefix = ".".join(section)
        return replace(
            plugin,
            own=own,
            section=name,
            places={p: v for p, v in self.places.items() if f"{p}.".startswith(f"{prefix}.")},
            folder=str(self.folder),
        )

    def _section(self, struct: type[msgspec.Struct], *section: str) -> Any:
        """The struct with what the sources say for it; what can't be used is noted and left out."""
        found: dict[str, Any] = {}
        for field in msgspec.structs.fields(struct):
            if struct is PluginSettings and field.name not in OF_PLUGINS:
                continue
            value = self.values.pop((*section, field.name), None)
            if value is None:
                continue
            path = ".".join((*section, field.name))
            self.places[path] = value.place
            try:
                found[field.name] = self._converted(field, value, path)
            except ValueError as error:
                self._wrong(path, str(error))
        return struct(**found)

    def _converted(self, field: msgspec.structs.FieldInfo, value: Value, path: str) -> Any:
        """Raises ValueError."""
        kind = inspect.type_info(field.type)
        if is_secret(kind):
            said = as_in_toml(value.value) if value.place.startswith("$") else value.value
            secret = resolve(said, self.environ, value.folder)
            self._warn_of_literal(value, path, secret)
            # An empty text is none at all.
            return secret or field.default
        try:
            strict = not value.place.startswith(("$", "--"))
            made = msgspec.convert(value.value, field.type, strict=strict)
        except msgspec.ValidationError:
            raise ValueError(f"expected {kind_of(kind)}, got {shown(value.value)}") from None
        if made and is_path(kind):
            return str(expanded(value.folder, made))
        return made

    def _warn_of_literal(self, value: Value, path: str, secret: Secret) -> None:
        name = path.rpartition(".")[2]
        harmless = name == "proxy" and "@" not in secret.reveal()
        if not secret or harmless or isinstance(value.value, Secret) or is_reference(value.value):
            return
        if value.place.startswith("--"):
            self.warnings.append(
                f"{value.place} shows in the list of processes; set QEHOST_{name.upper()} in the "
                "environment instead"
            )
        elif not value.place.startswith("$"):
            self.warnings.append(f"{value.place}: {path}: {LITERAL}")

    # --- what is wrong as a whole, and what is left over -----------------------------------

    def _wrong(self, path: str, text: str) -> None:
        self._note(path, located(f"{path}: {text}", self.places, path))

    def _note(self, path: str, mistake: str) -> None:
        self.mistakes.append(mistake)
        self.paths.append(path)

    def _compare(self, settings: Settings) -> None:
        connection = settings.connection
        if connection.reconnect_max_delay < connection.reconnect_delay:
            path = "connection.reconnect_max_delay"
            path = path if path in self.places else "connection.reconnect_delay"
            self._wrong(path, "reconnect_max_delay must not be less than reconnect_delay")

    def _refuse_names(self, settings: Settings) -> None:
        # Not from the sections alone: dotted names and variables name accounts, too.
        for section, names in (("accounts", settings.accounts), ("plugins", settings.plugins)):
            seen: dict[str, str] = {}
            for name in names:
                if section == "accounts" and not NAME.fullmatch(name):
                    self._wrong(f"accounts.{name}", "a name has 1 to 32 letters, digits, - and _")
                first = seen.setdefault(canonical(name), name)
                if first != name:
                    self._wrong(
                        f"{section}.{name}",
                        f"is the same name as {first}, which has a section already "
                        "(case, - and _ make no difference)",
                    )

    def _refuse_unknown(self) -> None:
        empty: dict[Keys, Value | None] = {path: None for path in self.sections if len(path) == 1}
        left = {**empty, **self.values}
        for path, value in left.items():
            if value is not None:
                self.places.setdefault(".".join(path), value.place)
            elif path[0] in TOP or any(p[:1] == path for p in self.values):
                continue
            self._wrong(".".join(path), unknown(path))


def _leads_somewhere(url: str) -> bool:
    """Whether it can be connected to, as far as can be seen; urllib raises only when asked."""
    if not url.isprintable() or " " in url or "#" in url:
        return False
    try:
        parts = urlsplit(url)
        check_host(parts.hostname)
        return parts.port != 0
    except ValueError:
        return False


def _put(table: dict[str, Any], path: Keys, value: Any) -> None:
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value
