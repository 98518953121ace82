"""Everything that can be wrong with the settings, the plugins' own sections included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qehost import config
from qehost.cli.checks.accounts import account_mistakes
from qehost.config.catalogue import plain
from qehost.config.settings import PluginSettings
from qehost.config.suggest import canonical
from qehost.errors import ConfigError, PluginError
from qehost.host.compatibility import unmet
from qehost.host.discovery import Candidate, find
from qehost.host.isolated_import import run_isolated
from qehost.host.loading import config_class, configured

__all__ = ["SettingsCheck", "check_settings"]


class SettingsCheck(NamedTuple):
    """The settings, and what is wrong with them."""

    loaded: config.LoadedSettings
    candidates: list[Candidate]
    configs: dict[str, dict[str, Any]]
    """By plugin: its own settings as TOML has them, where it is wanted and they are right."""
    mistakes: list[str]
    unknown: dict[str, str]
    """By plugin: why its own settings could not be checked."""


def check_settings(
    file: Path | None, specs: Sequence[str] = (), flags: Mapping[str, Any] | None = None
) -> SettingsCheck:
    """Read the settings, import the wanted plugins and convert the settings of each.

    Raises `UnknownPlugin` for a spec that fits nothing.
    """
    loaded, mistakes = config.try_load(file, flags)
    settings = loaded.settings
    if not any("accounts." in mistake for mistake in mistakes):
        mistakes = [*mistakes, *account_mistakes(loaded)]
    candidates, unknown_sections = _find(specs, settings.plugins)
    mistakes += unknown_sections
    configs: dict[str, dict[str, Any]] = {}
    unknown: dict[str, str] = {}
    wanted = [candidate for candidate in candidates if candidate.wanted == "yes"]
    found = run_isolated(_check_own, wanted, keep_secrets=settings.host.keep_secrets)
    for candidate, own in zip(wanted, found, strict=True):
        if isinstance(own, PluginError):
            unknown[candidate.name] = own.text
        elif own.mistakes:
            mistakes += own.mistakes
        else:
            configs[candidate.name] = own.settings
    return SettingsCheck(loaded, candidates, configs, mistakes, unknown)


class _OwnSettings(NamedTuple):
    """A plugin's own settings, and what is wrong with them."""

    settings: dict[str, Any]
    mistakes: list[str]


def _check_own(candidate: Candidate) -> _OwnSettings | PluginError:
    """In the process that imports the plugin."""
    if why := unmet(candidate.requires):
        return PluginError(candidate.name, why, candidate.source)
    try:
        own = configured(candidate, config_class(candidate))
    except ConfigError as error:
        return _OwnSettings({}, error.mistakes)
    except PluginError as error:
        return error
    return _OwnSettings({} if own is None else plain(own), [])


def _find(
    specs: Sequence[str], sections: Mapping[str, PluginSettings]
) -> tuple[list[Candidate], list[str]]:
    try:
        return find(specs, sections), []
    except ConfigError as error:
        known = {canonical(candidate.name) for candidate in find(specs)}
        kept = {name: each for name, each in sections.items() if canonical(name) in known}
        return find(specs, kept), error.mistakes
