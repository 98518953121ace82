"""Everything that can be wrong with the settings, the plugins' own sections included."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from qehost import config
from qehost.cli.account_mistakes import account_mistakes
from qehost.errors import ConfigError, PluginError
from qehost.host.finding import Candidate, find
from qehost.host.loading import config_class, configured
from qehost.names import canonical
from qehost.settings import PluginSettings

__all__ = ["Examination", "examine"]


class Examination(NamedTuple):
    """What the settings say, and what is wrong with them."""

    loaded: config.Loaded
    candidates: list[Candidate]
    configs: dict[str, Any]
    """By plugin, as far as it is wanted and its settings are right; None where it takes none."""
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
    configs: dict[str, Any] = {}
    unknown: dict[str, str] = {}
    # What a plugin prints when it is imported must not get into what a command prints.
    with redirect_stdout(sys.stderr):
        for candidate in candidates:
            if candidate.wanted != "yes":
                continue
            try:
                configs[candidate.name] = configured(candidate, config_class(candidate))
            except ConfigError as error:
                mistakes += error.mistakes
            except PluginError as error:
                unknown[candidate.name] = error.text
    return Examination(loaded, candidates, configs, mistakes, unknown)


def _found(
    specs: Sequence[str], sections: Mapping[str, PluginSettings]
) -> tuple[list[Candidate], list[str]]:
    try:
        return find(specs, sections), []
    except ConfigError as error:
        known = {canonical(candidate.name) for candidate in find(specs)}
        kept = {name: each for name, each in sections.items() if canonical(name) in known}
        return find(specs, kept), error.mistakes
