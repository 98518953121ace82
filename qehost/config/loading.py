"""The settings, merged from all sources: flags > environment > file > defaults.

All mistakes are found at once, each with its place, what is expected there, and for an unknown name
the nearest known one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect
from msgspec.structs import replace

from qehost.config.addresses import address_mistakes
from qehost.config.catalogue import (
    SECTIONS,
    TOP,
    describe_type,
    describe_unknown,
    is_list,
    is_module,
    is_path,
    is_secret,
    quoted,
)
from qehost.config.exposure import file_exposure
from qehost.config.folders import default_state_dir
from qehost.config.plugin_module import with_absolute_file
from qehost.config.secret_settings import (
    LITERAL,
    as_in_toml,
    has_literal,
    referenced_variables,
    resolve,
    secret_variables,
)
from qehost.config.settings import OF_PLUGINS, AccountSettings, PluginSettings, Settings
from qehost.config.sources import (
    SHORT_VARIABLES,
    Keys,
    SourcedValue,
    expanded,
    from_environment,
    from_file,
    is_reference,
    located,
)
from qehost.config.suggest import canonical
from qehost.config.toml_text import parsed
from qehost.errors import ConfigError
from qehost.secret import Secret

__all__ = [
    "DEFAULT_ACCOUNT",
    "LoadResult",
    "LoadedSettings",
    "all_but_accounts",
    "load",
    "missing_credentials",
    "try_load",
]

DEFAULT_ACCOUNT = "main"

# Options that are not settings of an account.
FLAGS: dict[str, Keys] = {
    "state_dir": ("state_dir",),
    "log_level": ("log", "level"),
    "log_format": ("log", "format"),
    "give_up_after": ("connection", "give_up_after"),
}
NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")


class LoadedSettings(NamedTuple):
    """The settings, the place that each comes from, and warnings for the user."""

    settings: Settings
    places: dict[str, str]
    warnings: list[str]


class LoadResult(NamedTuple):
    """The settings as far as they are right, and what is wrong with the others."""

    loaded: LoadedSettings
    mistakes: list[str]


def _everything(_: str) -> bool:
    return True


def all_but_accounts(path: str) -> bool:
    """For commands that connect to nothing, and so need no credentials."""
    return path.partition(".")[0] != "accounts"


def load(
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    matters: Callable[[str], bool] = _everything,
) -> LoadedSettings:
    """Read the settings from all sources.

    `flags` maps options (`ws_url`) to values; account settings among them belong to the only
    account.  `environ` is by default that of the process.  `matters` says for the path of a setting
    (`""`: the whole file) whether a mistake there is raised; if not, the setting has its default.

    Raises `ConfigError` with every mistake that matters.
    """
    loader = _Loader(os.environ if environ is None else environ)
    loaded, mistakes = loader.load(file, flags or {})
    if told := [text for text, path in zip(mistakes, loader.paths, strict=True) if matters(path)]:
        raise ConfigError(told)
    return loaded


def try_load(
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> LoadResult:
    """As `load`, but mistakes are returned; what is wrong has its default."""
    return _Loader(os.environ if environ is None else environ).load(file, flags or {})


def missing_credentials(loaded: LoadedSettings) -> list[str]:
    """A mistake for each account that has neither a listen key nor credentials to make one."""
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
        self.values: dict[Keys, SourcedValue] = {}
        self.sections: dict[Keys, str] = {}
        self.folder = Path()
        self.mistakes: list[str] = []
        self.paths: list[str] = []
        """For each mistake the path of its setting; `""`: the whole file."""
        self.warnings: list[str] = []
        self.holds_secrets = False
        """Whether a secret stands in the file as it is."""
        self.places: dict[str, str] = {}

    def load(self, file: Path | None, flags: Mapping[str, Any]) -> LoadResult:
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
        if file is not None:
            self.warnings += file_exposure(file, holds_secrets=self.holds_secrets)
        return LoadResult(LoadedSettings(settings, self.places, self.warnings), self.mistakes)

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
                # The long name of a variable has precedence.
                if not self.values.get(path, SourcedValue("", "", Path())).variable:
                    self.values[path] = SourcedValue(self.environ[variable], f"${variable}", Path())
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
                self.values[FLAGS[field]] = SourcedValue(value, place, Path())
            elif len(accounts) == 1 or field == "insecure":
                for account in accounts:
                    self.values["accounts", account, field] = SourcedValue(value, place, Path())
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
        default = default_state_dir()
        found = self.values.pop(("state_dir",), None)
        if found is None:
            if not default:
                self._wrong(
                    "state_dir",
                    "this user has no home folder, so there is no place to keep it by default: set "
                    "state_dir, QEHOST_STATE_DIR or --state-dir",
                )
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
        for field, text in address_mistakes(account):
            self._wrong(f"accounts.{name}.{field}", text)
        return account

    def _plugin(self, name: str) -> PluginSettings:
        section = "plugins", name
        own: dict[str, Any] = {}
        for path in [p for p in self.values if p[:2] == section and len(p) > 2]:
            if path[2] in OF_PLUGINS:
                continue
            value = self.values.pop(path)
            self.places[".".join(path)] = value.place
            said = None
            if value.variable:
                # Only the plugin knows which of its settings are secrets.
                secret_variables.add(value.variable)
                said = as_in_toml(value.value)
            try:
                _put(own, path[2:], said if is_reference(said) else value.value)
            except TypeError:
                self._wrong(".".join(path), "a part of its name is a value and no table")
        self.holds_secrets |= has_literal(own)
        plugin: PluginSettings = self._section(PluginSettings, *section)
        prefix = ".".join(section)
        return replace(
            plugin,
            own=own,
            section=name,
            places={p: v for p, v in self.places.items() if f"{p}.".startswith(f"{prefix}.")},
            folder=str(self.folder),
            variables=referenced_variables(own, self.environ),
        )

    def _section(self, struct: type[msgspec.Struct], *section: str) -> Any:
        """The struct with its settings from the sources; what is wrong has its default."""
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

    def _converted(self, field: msgspec.structs.FieldInfo, value: SourcedValue, path: str) -> Any:
        """Raises ValueError."""
        kind = inspect.type_info(field.type)
        if is_secret(kind):
            said = value.value
            if value.variable:
                secret_variables.add(value.variable)
                said = as_in_toml(value.value)
            secret = resolve(said, self.environ, value.folder)
            self._warn_of_literal(value, path, secret)
            if isinstance(said, dict) and "file" in said:
                file = expanded(value.folder, said["file"])
                self.warnings += file_exposure(file, holds_secrets=True)
            # An empty text is no secret.
            return secret or field.default
        try:
            strict = not value.place.startswith(("$", "--"))
            said = value.value
            if value.variable and is_list(kind):
                said = parsed(said)
            made = msgspec.convert(said, field.type, strict=strict)
        except msgspec.ValidationError:
            raise ValueError(f"expected {describe_type(kind)}, got {quoted(value.value)}") from None
        if made and is_path(kind):
            return str(expanded(value.folder, made))
        if made and is_module(kind):
            return with_absolute_file(made, value.folder)
        return made

    def _warn_of_literal(self, value: SourcedValue, path: str, secret: Secret) -> None:
        name = path.rpartition(".")[2]
        harmless = name == "proxy" and "@" not in secret.reveal()
        if not secret or harmless or isinstance(value.value, Secret) or is_reference(value.value):
            return
        if value.place.startswith("--"):
            self.warnings.append(
                f"{value.place} shows in the list of processes; set QEHOST_{name.upper()} in the "
                "environment instead"
            )
        elif not value.variable:
            self.holds_secrets = True
            self.warnings.append(f"{value.place}: {path}: {LITERAL}")

    # --- mistakes ----------------------------------------------------------------------------

    def _wrong(self, path: str, text: str) -> None:
        self._note(path, located(f"{path}: {text}", self.places, path))

    def _note(self, path: str, mistake: str) -> None:
        self.mistakes.append(mistake)
        self.paths.append(path)

    def _compare(self, settings: Settings) -> None:
        connection, path = settings.connection, "connection.reconnect_max_delay"
        # Where only the first is set, it is both.
        if connection.reconnect_max_delay < connection.reconnect_delay and path in self.places:
            self._wrong(path, "reconnect_max_delay must not be less than reconnect_delay")

    def _refuse_names(self, settings: Settings) -> None:
        # Sections are not the only source: dotted names and variables name accounts, too.
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
        empty: dict[Keys, SourcedValue | None] = {
            path: None for path in self.sections if len(path) == 1
        }
        left = {**empty, **self.values}
        for path, value in left.items():
            if value is not None:
                self.places.setdefault(".".join(path), value.place)
            elif path[0] in TOP or any(p[:1] == path for p in self.values):
                continue
            self._wrong(".".join(path), describe_unknown(path))


def _put(table: dict[str, Any], path: Keys, value: Any) -> None:
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value
