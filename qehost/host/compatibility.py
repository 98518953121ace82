"""Whether a plugin is compatible with the installed qehost, by the metadata of its distribution.

pip checks that when a plugin is installed, but not when qehost is upgraded later, nor with
--no-deps.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Iterator

from qehost.hookspecs import PROJECT

__all__ = ["own_requirements", "unmet"]

OURS = re.compile(rf"{PROJECT}(?![\w.-])", re.IGNORECASE)


def own_requirements(requires: Iterable[str]) -> Iterator[str]:
    """Those of a distribution's requirements (`Requires-Dist`) that are about qehost."""
    return (each for each in requires if OURS.match(each))


def unmet(requires: Iterable[str], installed: str | None = None) -> str:
    """Why a plugin with these requirements can't be used with this version, or `""`.

    `installed` is a version of qehost, by default the installed one.  A requirement that can't be
    parsed, or is for another Python or platform, is ignored.
    """
    requires = tuple(requires)
    if not requires:
        return ""
    # Imported here, since the command line finds plugins without loading any.
    from packaging.requirements import InvalidRequirement, Requirement

    if installed is None:
        installed = importlib.metadata.version(PROJECT)
    for text in requires:
        try:
            needed = Requirement(text)
        except InvalidRequirement:
            continue
        # pip does not record which extras were chosen at the installation.
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        if not needed.specifier.contains(installed, prereleases=True):
            return (
                f"it needs {PROJECT}{needed.specifier}, and {PROJECT} {installed} is installed: "
                f"install a version of the plugin that fits, or that {PROJECT}"
            )
    return ""
