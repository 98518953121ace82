"""What the benchmarks print: a row for each figure, for people or as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median
from typing import Any, Literal, TypeAlias

import peer
import processes

__all__ = ["Better", "Row", "as_json", "as_text", "machine", "number"]

Better: TypeAlias = Literal["more", "less"]


@dataclass
class Row:
    """One figure of both sides, from every run.  `better` says which way is better.

    `count` is how many messages, plugins or accounts it is for, where a row is one of several.
    """

    section: str
    name: str
    unit: str
    better: Better
    count: int | None = None
    ours: list[float] = field(default_factory=list)
    peers: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """How many times better ours is than the peer's: above 1 is better, by the medians."""
        if not self.ours or not self.peers:
            return None
        ours, peers = median(self.ours), median(self.peers)
        over, under = (ours, peers) if self.better == "more" else (peers, ours)
        return over / under if under else None


def machine() -> dict[str, Any]:
    """Where and under which load something is measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "qehost": version("qehost"),
        peer.NAME: peer.version(),
        "memory": processes.MEMORY,
    }


def as_json(rows: Sequence[Row], where: dict[str, Any], seconds: float) -> str:
    """A line for each row, so that two measurements can be compared line by line.

    `seconds` is how long all of it took.
    """
    figures = [
        {
            "section": row.section,
            "name": row.name,
            "count": row.count,
            "unit": row.unit,
            "better": row.better,
            "qehost": _rounded(median(row.ours)),
            "runs": list(map(_rounded, row.ours)),
            peer.NAME: _rounded(median(row.peers)) if row.peers else None,
            "peer_runs": list(map(_rounded, row.peers)),
            "ratio": None if row.ratio is None else _rounded(row.ratio),
        }
        for row in rows
        if row.ours
    ]
    lines = ",\n  ".join(json.dumps(figure, ensure_ascii=False) for figure in figures)
    head = f' "machine": {json.dumps(where)},\n "seconds": {seconds:.0f},'
    return f'{{\n{head}\n "figures": [\n  {lines}\n ]\n}}\n'


def as_text(rows: Sequence[Row], where: dict[str, Any], seconds: float) -> str:
    head = ", ".join(f"{name} {value}" for name, value in where.items() if value is not None)
    lines = [("", "", "qehost", "", peer.NAME, "", "times better")]
    section = ""
    for row in rows:
        if not row.ours:
            continue
        if row.section != section:
            section = row.section
            lines += [("",) * 7, (section.upper(), *("",) * 6)]
        ratio = "" if row.ratio is None else _times(row.ratio)
        lines.append((row.name, row.unit, *_shown(row.ours), *_shown(row.peers), ratio))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    told = [head]
    for line in lines:
        cells = [
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        told.append("  ".join(cells).rstrip())
    told += ["", f"measured in {seconds:.0f} s"]
    if not peer.version():
        told += ["", peer.MISSING]
    return "\n".join(told) + "\n"


def number(figure: float) -> str:
    """A figure in as many digits as it is good for."""
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


def _rounded(figure: float) -> float:
    return float(f"{figure:.6g}")


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _shown(figures: Sequence[float]) -> tuple[str, str]:
    """The median, and the least and the largest."""
    if not figures:
        return "", ""
    least_and_most = f"({number(min(figures))} … {number(max(figures))})"
    return number(median(figures)), least_and_most if len(figures) > 1 else ""
