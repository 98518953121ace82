"""Writes docs/licences.md: what qehost and its plugins depend on, and under which licence.

It asks the metadata of what is installed, so it runs where all of it is:

    python -m venv ENV && ENV/bin/pip install -e '.[keys,parquet]' \\
        $(printf 'plugins/%s ' $(ls plugins | grep qehost-)) 'psycopg[binary]'
    ENV/bin/python docs/make_licences.py
"""

from __future__ import annotations

import re
from collections import defaultdict
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
HEAD = """\
# Dependencies and their licences

What is installed with qehost and its official plugins, on Linux, with what each of them says of
its licence. This page is made by `python docs/make_licences.py`. qehost and its plugins are under
the MIT licence; the page of qehost-dashboard brings uPlot along, MIT too. Nothing else is copied
into them.

| distribution | licence | wanted by |
|---|---|---|
"""
EXTRAS = {"qehost": {"keys", "parquet"}, "qehost-store": {"postgresql"}}
"""Those that take something; of all else the extras are left out."""


def page() -> str:
    wanted: dict[str, set[str]] = defaultdict(set)
    todo = ["qehost", *(each.parent.name for each in ROOT.glob("plugins/*/pyproject.toml"))]
    own = set(todo)
    extras = defaultdict(set, EXTRAS)
    while todo:
        name = todo.pop()
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            needed = canonicalize_name(requirement.name)
            if needed in own or not _holds(requirement, extras[name]):
                continue
            if needed not in wanted or requirement.extras - extras[needed]:
                extras[needed] |= requirement.extras
                todo.append(needed)
            wanted[needed].add(name)
    return HEAD + "".join(
        f"| {name} | {licence(distribution(name))} | {', '.join(sorted(users))} |\n"
        for name, users in sorted(wanted.items())
    )


def _holds(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": each}) for each in ("", *extras))


def licence(found: Distribution) -> str:
    """In the words of its metadata, shortly."""
    about = found.metadata
    for expression in about.get_all("License-Expression") or ():
        return str(expression)
    classifiers = [
        each.rpartition(" :: ")[2]
        for each in about.get_all("Classifier") or ()
        if each.startswith("License :: ") and each != "License :: OSI Approved"
    ]
    if classifiers:
        return ", ".join(classifiers)
    first = "".join(about.get_all("License") or ()).strip().partition("\n")[0]
    return re.sub(r"\s+", " ", first) or "not said"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
