"""Whether a plugin fits the installed qehost, as its distribution's metadata say.

pip looks at that when a plugin is installed, and not when qehost is upgraded afterwards, nor where
it was told to leave dependencies alone.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Iterator

from qehost.hookspecs import PROJECT

__all__ = ["own_requirements", "unmet"]

OURS = re.compile(rf"{PROJECT}(?![\w.-])", re.IGNORECASE)


def own_requirements(requires: Iterable[str]) -> Iterator[str]:
    """Those among a distribution's requirements (`Requires-Dist`) that are about qehost."""
    return (each for each in requires if OURS.match(each))


def unmet(requires: Iterable[str], installed: str | None = None) -> str:
    """Why a plugin with these requirements can't be used with this version, or `""`.

    `installed` is a version of qehost; left out, the installed one.  A requirement that can't be
    read, or that holds for another Python or platform, keeps nothing out.
    """
    requires = tuple(requires)
    if not requires:
        return ""
    # Only here: the command line looks for plugins without loading any.
    from packaging.requirements import InvalidRequirement, Requirement

    if installed is None:
        installed = importlib.metadata.version(PROJECT)
    for text in requires:
        try:
            needed = Requirement(text)
        except InvalidRequirement:
            continue
        # `extra` is what somebody chose when installing, and pip does not write it down.
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        if not needed.specifier.contains(installed, prereleases=True):
            return (
                f"it needs {PROJECT}{needed.specifier}, and {PROJECT} {installed} is installed: "
                f"install a version of the plugin that fits, or that {PROJECT}"
            )
    return ""
