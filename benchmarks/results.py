"""What `python benchmarks --json FILE` has written, to be read again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from peer import NAME

__all__ = ["Figure", "Results"]


class Figure(NamedTuple):
    """One row: medians, and what each run gave.  `peer` is None where it has no such figure."""

    section: str
    name: str
    unit: str
    count: int | None
    qehost: float
    runs: list[float]
    peer: float | None
    ratio: float | None


class Results:
    """All rows of a run, in their order, and what is known of the machine."""

    def __init__(self, text: str) -> None:
        told: dict[str, Any] = json.loads(text)
        self.machine: dict[str, Any] = told["machine"]
        self.figures = [
            Figure(peer=row[NAME], **{key: row.get(key) for key in Figure._fields if key != "peer"})
            for row in told["figures"]
        ]

    @classmethod
    def read(cls, path: Path) -> Results:
        return cls(path.read_text(encoding="utf-8"))

    @property
    def sections(self) -> list[str]:
        return list(dict.fromkeys(figure.section for figure in self.figures))

    def section(self, section: str) -> list[Figure]:
        return [figure for figure in self.figures if figure.section == section]

    def figure(self, section: str, name: str) -> Figure:
        for figure in self.section(section):
            if figure.name == name:
                return figure
        raise SystemExit(_missing(section, name))

    def counted(self, section: str, pattern: str) -> list[Figure]:
        """The figures for several counts whose whole names match the pattern."""
        found = [
            figure
            for figure in self.section(section)
            if figure.count is not None and re.fullmatch(pattern, figure.name)
        ]
        if not found:
            raise SystemExit(_missing(section, pattern))
        return found


def _missing(section: str, name: str) -> str:
    return (
        f"the results have no figure {name!r} in section {section!r}: "
        "measure again with `python benchmarks --json FILE`"
    )
