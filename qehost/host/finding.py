"""Which plugins there are, and which of them are wanted.  Nothing is imported here.

Plugins are found in the metadata of installed distributions (entry points of the group `qehost`)
and named on the command line, as in pytest: `-p NAME_OR_MODULE[:ATTR]` adds one, `-p no:NAME`
blocks one, by its name or by its distribution's.  The last that fits a plugin decides.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from qehost.config.sources import located
from qehost.errors import ConfigError, UnknownPlugin
from qehost.hookspecs import PROJECT
from qehost.host.compatibility import own_requirements
from qehost.names import canonical, suggestion
from qehost.settings import PluginSettings

__all__ = ["Candidate", "check_specs", "find", "find_what_is_left", "installed"]

logger = logging.getLogger("qehost.host.finding")

SPEC = re.compile(r"(?P<module>\w+(\.\w+)*)(:(?P<attr>\w+(\.\w+)*))?")

DEFAULTS = PluginSettings()

Wanted = Literal["yes", "blocked", "disabled", "clash"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin that could be loaded."""

    name: str
    value: str
    """Where it is: `module` or `module:attribute`."""
    distribution: str = ""
    """The distribution that it was installed with; `""` for a module given by `-p`."""
    version: str = ""
    """The distribution's version."""
    requires: tuple[str, ...] = ()
    """What the distribution requires of qehost, as in its metadata: `qehost>=0.1,<0.2`."""
    settings: PluginSettings = DEFAULTS
    wanted: Wanted = "yes"
    why: str = ""
    """Why it is not wanted."""

    @property
    def source(self) -> str:
        """`distribution version`, or `""`."""
        return f"{self.distribution} {self.version}".strip()

    def is_called(self, name: str) -> bool:
        return canonical(name) == canonical(self.name)

    def is_meant_by(self, spec: str) -> bool:
        return self.is_called(spec) or spec == self.value

    def is_blocked_by(self, spec: str) -> bool:
        form = canonical(spec.removeprefix("no:"))
        return spec.startswith("no:") and form in map(canonical, (self.name, self.distribution))


def find(
    specs: Sequence[str] = (), settings: Mapping[str, PluginSettings] | None = None
) -> list[Candidate]:
    """Every plugin that is installed or named in `specs` (the values of `-p`), by order and name.

    `settings` are the sections `[plugins.NAME]`.

    Raises `UnknownPlugin` for a spec that fits nothing, and `ConfigError` for a section that does.
    """
    found = list(installed())
    for spec in specs:
        if not spec.startswith("no:") and (new := _by_module(spec, found)):
            found.append(new)
    _refuse_unknown_blocks(specs, found)
    configured = _configure(found, settings or {})
    decided = [_decide(candidate, specs) for candidate in configured]
    return sorted(
        (_refuse_clash(candidate, decided) for candidate in decided),
        key=lambda each: (each.settings.order, each.name, each.distribution),
    )


def check_specs(specs: Sequence[str], settings: Mapping[str, PluginSettings]) -> None:
    """Raise what `find` would raise, where no plugin may be imported."""
    find(specs, settings)


def find_what_is_left(
    specs: Sequence[str], settings: Mapping[str, PluginSettings]
) -> list[Candidate]:
    """`find`, without the specs and sections that fit nothing any more.

    They were right when qehost started.  A plugin that was uninstalled since must not keep the
    others from being started again.
    """
    try:
        return find(specs, settings)
    except (UnknownPlugin, ConfigError):
        found = list(installed())
    gone: set[str] = set()
    # What is blocked may be named by another one.
    for spec in sorted(specs, key=lambda spec: spec.startswith("no:")):
        try:
            if spec.startswith("no:"):
                _refuse_unknown_blocks([spec], found)
            elif new := _by_module(spec, found):
                found.append(new)
        except UnknownPlugin:
            gone.add(spec)
    known = {canonical(each.name) for each in found}
    return find(
        [spec for spec in specs if spec not in gone],
        {name: section for name, section in settings.items() if canonical(name) in known},
    )


def installed() -> Iterator[Candidate]:
    """The entry points of the group `qehost`.

    Not by `importlib.metadata.entry_points()`: there one distribution with malformed metadata
    hides the plugins of all others.
    """
    seen: set[str] = set()
    for distribution in importlib.metadata.distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
            if PROJECT not in text:
                continue
            # A folder without METADATA, such as an interrupted pip leaves, has no name.
            name = (distribution.metadata.get_all("Name") or [""])[0]
            version = distribution.version if name else ""
            requires = tuple(own_requirements(distribution.requires or ()))
            points = [point for point in distribution.entry_points if point.group == PROJECT]
        except Exception as error:  # noqa: BLE001 — metadata is any file on sys.path; see above
            logger.warning(
                "the metadata in %s can't be read, so the plugins of this distribution are not "
                "found; install it again (%r)",
                getattr(distribution, "_path", distribution),
                error,
            )
            continue
        # The same distribution may stand twice on sys.path, as an editable install beside a regular
        # one or as what is left of an older version: the first one counts, as in importlib.
        if points and (key := canonical(name) or text) not in seen:
            seen.add(key)
            yield from (
                Candidate(each.name, each.value, name, version, requires) for each in points
            )


def _by_module(spec: str, found: Iterable[Candidate]) -> Candidate | None:
    """The plugin that `-p` names by module, or None if it names an installed one."""
    if any(candidate.is_meant_by(spec) for candidate in found):
        return None
    match = SPEC.fullmatch(spec)
    if match is None:
        raise UnknownPlugin(spec, "-p takes NAME, MODULE, MODULE:ATTRIBUTE or no:NAME")
    if "" not in sys.path:
        # The current folder, at the end: no file in it takes the place of an installed module.
        sys.path.append("")
    if not _exists(match["module"]):
        raise UnknownPlugin(
            spec,
            "no plugin of this name is installed, and no module of this name can be imported"
            + suggestion(spec, [candidate.name for candidate in found]),
        )
    return Candidate(match["module"], spec)


def _exists(module: str) -> bool:
    """Whether there is such a module, without importing it or the packages it is in."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # in sys.modules, but not from a file
        return top in sys.modules
    for depth, _ in enumerate(rest, 2):
        if spec is None:
            break
        name = ".".join(module.split(".")[:depth])
        spec = importlib.machinery.PathFinder.find_spec(name, spec.submodule_search_locations or [])
    return spec is not None


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
    candidates: Sequence[Candidate], settings: Mapping[str, PluginSettings]
) -> list[Candidate]:
    names = [candidate.name for candidate in candidates]
    by_form = {canonical(name): section for name, section in settings.items()}
    unknown = [name for name in settings if canonical(name) not in map(canonical, names)]
    if unknown:
        raise ConfigError(
            [
                located(
                    f"plugins.{name}: no plugin of this name is installed or given with -p"
                    + suggestion(name, names),
                    settings[name].places,
                )
                for name in unknown
            ]
        )
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
    """Two plugins of one name: neither can be preferred without guessing."""
    same = [each for each in others if each.is_called(candidate.name) and each.wanted == "yes"]
    if candidate.wanted != "yes" or len(same) == 1:
        return candidate
    return replace(
        candidate,
        wanted="clash",
        why="more than one plugin has this name: "
        + ", ".join(sorted(each.source or f"-p {each.value}" for each in same))
        + "; uninstall all but one, or block the others with -p no:DISTRIBUTION",
    )
