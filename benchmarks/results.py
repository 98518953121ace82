"""What the benchmarks have written with `--json FILE`, to be read again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from typing import Any

from peer import NAME

__all__ = ["Figure", "Results"]


@dataclass(frozen=True)
class Figure:
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
    """All rows of some files, in their order, and on which machine each section was measured."""

    def __init__(self, *texts: str) -> None:
        self.figures: list[Figure] = []
        self.machines: dict[str, dict[str, Any]] = {}
        for text in texts:
            told: dict[str, Any] = json.loads(text)
            for row in told["figures"]:
                told_of = row | {"peer": row[NAME]}
                self.figures.append(
                    Figure(**{each.name: told_of[each.name] for each in fields(Figure)})
                )
                self.machines[row["section"]] = told["machine"]

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
