"""Which plugins there are, and which of them are wanted.  Nothing is imported here.

Plugins are found in the metadata of installed distributions (entry points of the group `qehost`)
and in the settings (`[plugins.NAME] module = …`), and named on the command line, as in pytest: `-p`
adds one by its name, its module or its file, `-p no:NAME` blocks one, by its name or by its
distribution's.  The last one that matches a plugin applies.
"""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from qehost.config.plugin_module import FORMS, names_a_file, parse, with_absolute_file
from qehost.config.settings import PluginSettings
from qehost.config.sources import located
from qehost.config.suggest import canonical, suggestion
from qehost.errors import ConfigError, UnknownPlugin
from qehost.hookspecs import PROJECT
from qehost.host.compatibility import own_requirements
from qehost.host.module_search import make_importable

__all__ = ["Candidate", "find", "find_what_is_left", "installed"]

logger = logging.getLogger("qehost.host")

DEFAULTS = PluginSettings()

Decision = Literal["yes", "blocked", "disabled", "clash"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin that is installed or named, whether or not it is to be loaded."""

    name: str
    value: str
    """What is imported: `module` or `module:attribute`."""
    distribution: str = ""
    """The distribution that it was installed with; `""` for a module."""
    version: str = ""
    """The distribution's version."""
    requires: tuple[str, ...] = ()
    """What the distribution requires of qehost, as in its metadata: `qehost>=0.1,<0.2`."""
    given: str = ""
    """How a plugin that is not installed was named: the value of `-p`, or the setting `module`."""
    settings: PluginSettings = DEFAULTS
    wanted: Decision = "yes"
    why: str = ""
    """Why it is not wanted."""

    @property
    def source(self) -> str:
        """`distribution version`, or `""` for a module."""
        return f"{self.distribution} {self.version}".strip()

    def is_called(self, name: str) -> bool:
        return canonical(name) == canonical(self.name)

    def is_meant_by(self, spec: str) -> bool:
        """Raises `ValueError` for a file in nobody's home folder."""
        return (
            self.is_called(spec)
            or spec in (self.value, self.given)
            or (names_a_file(spec) and _absolute(spec) == _absolute(self.given))
        )

    def is_blocked_by(self, spec: str) -> bool:
        form = canonical(spec.removeprefix("no:"))
        return spec.startswith("no:") and form in map(canonical, (self.name, self.distribution))


def _absolute(text: str) -> str:
    return with_absolute_file(text, Path.cwd())


def find(
    specs: Sequence[str] = (), settings: Mapping[str, PluginSettings] | None = None
) -> list[Candidate]:
    """Every plugin that is installed or named in `specs` (the values of `-p`), by order and name.

    `settings` are the sections `[plugins.NAME]`.

    Raises `UnknownPlugin` for a spec that matches nothing, and `ConfigError` for such a section.
    """
    found = list(installed())
    mistakes = _add_modules(found, settings or {})
    for spec in specs:
        if not spec.startswith("no:") and (new := _module_candidate(spec, found)):
            found.append(new)
    _refuse_unknown_blocks(specs, found)
    configured = _configure(found, settings or {}, mistakes)
    decided = [_decide(candidate, specs) for candidate in configured]
    return sorted(
        (_refuse_clash(candidate, decided) for candidate in decided),
        key=lambda each: (each.settings.order, each.name, each.distribution),
    )


def find_what_is_left(
    specs: Sequence[str], settings: Mapping[str, PluginSettings]
) -> list[Candidate]:
    """`find`, without the specs and sections that match nothing any more.

    They did when qehost started.  A plugin that was uninstalled since then must not keep the others
    from being started again.
    """
    try:
        return find(specs, settings)
    except (UnknownPlugin, ConfigError):
        found = list(installed())
        wrong = _add_modules(found, settings)
    gone: set[str] = set()
    # A plugin that is blocked may be one that another spec adds.
    for spec in sorted(specs, key=lambda spec: spec.startswith("no:")):
        try:
            if spec.startswith("no:"):
                _refuse_unknown_blocks([spec], found)
            elif new := _module_candidate(spec, found):
                found.append(new)
        except UnknownPlugin:
            gone.add(spec)
    known = {canonical(each.name) for each in found}
    return find(
        [spec for spec in specs if spec not in gone],
        {
            name: section
            for name, section in settings.items()
            if canonical(name) in known and name not in wrong
        },
    )


def installed() -> Iterator[Candidate]:
    """The entry points of the group `qehost`.

    Not by `importlib.metadata.entry_points()`: there one distribution with malformed metadata
    hides the plugins of all others.
    """
    seen: dict[str, tuple[str, str]] = {}
    leftovers = _leftovers()
    for distribution in importlib.metadata.distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
            if PROJECT in text and leftovers and (content := _content(distribution)) in leftovers:
                leftovers.remove(content)
                continue
            found = _plugins_of(distribution) if PROJECT in text else []
        except Exception as error:  # noqa: BLE001 — metadata is any file on sys.path; see above
            logger.warning(
                "the metadata in %s can't be read, so the plugins of this distribution are not "
                "found; install it again (%r)",
                _metadata_folder(distribution, error),
                error,
            )
            continue
        # sys.path may have a distribution twice: an editable install beside a regular one, or the
        # remains of an older version.  The first one is used, as by importlib.
        if not found:
            continue
        key, version = canonical(found[0].distribution) or text, found[0].version
        folder = str(distribution.locate_file(""))
        if key not in seen:
            seen[key] = folder, version
            yield from found
        elif seen[key][0] == folder and seen[key][1] != version:
            logger.warning(
                "%s is installed in %s as version %s and as %s, and which one runs is not known; "
                "install it again",
                found[0].distribution,
                folder,
                seen[key][1],
                version,
            )


def _leftovers() -> list[tuple[str | None, str | None]]:
    """The content of what pip has renamed to take it away (`~y_plugin-1.0.dist-info`), and was
    interrupted: nothing that is installed."""
    found = []
    for site in dict.fromkeys(sys.path):
        for folder in Path(site).glob("~*-info"):
            with suppress(OSError, ValueError):
                found.append(_content(importlib.metadata.Distribution.at(folder)))
    return found


def _content(
    distribution: importlib.metadata.Distribution,
) -> tuple[str | None, str | None]:
    # A distribution does not tell in which folder it stands.
    return distribution.read_text("METADATA"), distribution.read_text("entry_points.txt")


def _plugins_of(distribution: importlib.metadata.Distribution) -> list[Candidate]:
    """Raises whatever reading malformed metadata raises."""
    name = version = ""
    requires: tuple[str, ...] = ()
    # An interrupted pip leaves a folder without METADATA.  What `metadata` is then depends on the
    # version of Python: empty, None, or an exception (from 3.15 on).
    if distribution.read_text("METADATA") or distribution.read_text("PKG-INFO"):
        name = (distribution.metadata.get_all("Name") or [""])[0]
        version = distribution.version if name else ""
        requires = tuple(own_requirements(distribution.requires or ()))
    points = [point for point in distribution.entry_points if point.group == PROJECT]
    for point in points:
        if not point.name:
            logger.warning(
                "%s has a plugin without a name (%s), which is not used: its author has to name it",
                name or "a distribution",
                point.value,
            )
    return [
        Candidate(point.name, point.value, name, version, requires)
        for point in points
        if point.name
    ]


def _metadata_folder(distribution: importlib.metadata.Distribution, error: Exception) -> str:
    """Which folder it is whose metadata can't be read.

    A distribution does not tell; it is one beside it that fails in the same way.
    """
    site = Path(str(distribution.locate_file("")))
    for folder in site.glob("*-info"):
        try:
            _plugins_of(importlib.metadata.Distribution.at(folder))
        except Exception as other:  # noqa: BLE001 — as above
            if repr(other) == repr(error):
                return str(folder)
    return str(site)


def _add_modules(found: list[Candidate], settings: Mapping[str, PluginSettings]) -> dict[str, str]:
    """Add the plugins whose modules the settings name; what is wrong with the others, by name."""
    mistakes = {}
    for name, section in settings.items():
        if not section.module:
            continue
        other = next((each for each in found if each.is_called(name)), None)
        try:
            if other is not None:
                raise ValueError(
                    f"{other.source or other.name} brings a plugin of this name: remove the "
                    "setting, or give the section another name"
                )
            module = parse(section.module)
            if not make_importable(module, section.folder):
                raise ValueError(f"no module {module.name} can be imported")
            found.append(Candidate(name, module.value, given=section.module))
        except ValueError as error:
            mistakes[name] = str(error)
    return mistakes


def _module_candidate(spec: str, found: Iterable[Candidate]) -> Candidate | None:
    """The plugin that this value of `-p` adds, or None if it names one that was found already."""
    try:
        if any(candidate.is_meant_by(spec) for candidate in found):
            return None
        module = parse(spec)
        there = make_importable(module)
    except ValueError as error:
        why = str(error) if names_a_file(spec) else f"-p takes NAME, {FORMS}, or no:NAME"
        raise UnknownPlugin(spec, why) from None
    if not there:
        raise UnknownPlugin(
            spec,
            "no plugin of this name is installed, and no module of this name can be imported"
            + suggestion(spec, [candidate.name for candidate in found]),
        )
    return Candidate(module.name, module.value, given=spec)


def _refuse_unknown_blocks(specs: Sequence[str], candidates: Sequence[Candidate]) -> None:
    known = [name for each in candidates for name in (each.name, each.distribution) if name]
    for spec in specs:
        name = spec.removeprefix("no:")
        if name != spec and not any(each.is_blocked_by(spec) for each in candidates):
            raise UnknownPlugin(
                name,
                f"-p {spec} blocks nothing: no plugin and no distribution with plugins has this "
                f"name{suggestion(name, known)}",
            )


def _configure(
    candidates: Sequence[Candidate],
    settings: Mapping[str, PluginSettings],
    mistakes: Mapping[str, str],
) -> list[Candidate]:
    """`mistakes` are those in the settings `module`.  Raises `ConfigError`."""
    names = [candidate.name for candidate in candidates]
    by_form = {canonical(name): section for name, section in settings.items()}
    texts = [f"plugins.{name}.module: {text}" for name, text in mistakes.items()] + [
        f"plugins.{name}: no plugin of this name is installed or given with -p"
        + (suggestion(name, names) or f"; a module is named by module = …, in [plugins.{name}]")
        for name in settings
        if name not in mistakes and canonical(name) not in map(canonical, names)
    ]
    if texts:
        places = {path: at for each in settings.values() for path, at in each.places.items()}
        raise ConfigError([located(text, places) for text in texts])
    return [
        replace(each, settings=by_form[canonical(each.name)])
        if canonical(each.name) in by_form
        else each
        for each in candidates
    ]


def _decide(candidate: Candidate, specs: Sequence[str]) -> Candidate:
    for spec in reversed(specs):
        if candidate.is_blocked_by(spec):
            return replace(candidate, wanted="blocked", why=f"-p {spec}")
        if candidate.is_meant_by(spec):
            return candidate
    if not candidate.settings.enabled:
        return replace(candidate, wanted="disabled", why="enabled = false in the settings")
    return candidate


def _refuse_clash(candidate: Candidate, others: Iterable[Candidate]) -> Candidate:
    """Refuse both of two plugins with one name: either could be the one that was meant."""
    same = [each for each in others if each.is_called(candidate.name) and each.wanted == "yes"]
    if candidate.wanted != "yes" or len(same) == 1:
        return candidate
    return replace(
        candidate,
        wanted="clash",
        why="more than one plugin has this name: "
        + ", ".join(sorted(each.source or each.given for each in same))
        + "; uninstall all but one, or block the others with -p no:DISTRIBUTION",
    )
