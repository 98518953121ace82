"""Everything that can be wrong with the settings, the plugins' own sections included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qehost import config
from qehost.cli.account_mistakes import account_mistakes
from qehost.config.catalogue import plain
from qehost.errors import ConfigError, PluginError
from qehost.host.compatibility import unmet
from qehost.host.finding import Candidate, find
from qehost.host.loading import config_class, configured
from qehost.host.trial import tried
from qehost.names import canonical
from qehost.settings import PluginSettings

__all__ = ["Examination", "examine"]


class Examination(NamedTuple):
    """What the settings say, and what is wrong with them."""

    loaded: config.Loaded
    candidates: list[Candidate]
    configs: dict[str, dict[str, Any]]
    """By plugin, as far as it is wanted and its settings are right: these, as TOML has them."""
    mistakes: list[str]
    unknown: dict[str, str]
    """By plugin: why its own settings could not be looked at."""


def examine(
    file: Path | None, specs: Sequence[str] = (), flags: Mapping[str, Any] | None = None
) -> Examination:
    """Read the settings, import the wanted plugins and let each read its own.

    Raises `UnknownPlugin` for a spec that fits nothing.
    """
    loaded, mistakes = config.examine(file, flags)
    settings = loaded.settings
    if not any("accounts." in mistake for mistake in mistakes):
        mistakes = [*mistakes, *account_mistakes(loaded)]
    candidates, unknown_sections = _found(specs, settings.plugins)
    mistakes += unknown_sections
    configs: dict[str, dict[str, Any]] = {}
    unknown: dict[str, str] = {}
    wanted = [candidate for candidate in candidates if candidate.wanted == "yes"]
    for candidate, own in zip(wanted, tried(_look, wanted), strict=True):
        if isinstance(own, PluginError):
            unknown[candidate.name] = own.text
        elif own.mistakes:
            mistakes += own.mistakes
        else:
            configs[candidate.name] = own.settings
    return Examination(loaded, candidates, configs, mistakes, unknown)


class _Own(NamedTuple):
    """What a plugin's own settings say, and what is wrong with them."""

    settings: dict[str, Any]
    mistakes: list[str]


def _look(candidate: Candidate) -> _Own | PluginError:
    """In the process in which it is imported."""
    if why := unmet(candidate.requires):
        return PluginError(candidate.name, why, candidate.source)
    try:
        own = configured(candidate, config_class(candidate))
    except ConfigError as error:
        return _Own({}, error.mistakes)
    except PluginError as error:
        return error
    return _Own({} if own is None else plain(own), [])


def _found(
    specs: Sequence[str], sections: Mapping[str, PluginSettings]
) -> tuple[list[Candidate], list[str]]:
    try:
        return find(specs, sections), []
    except ConfigError as error:
        known = {canonical(candidate.name) for candidate in find(specs)}
        kept = {name: each for name, each in sections.items() if canonical(name) in known}
        return find(specs, kept), error.mistakes
