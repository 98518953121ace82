"""What the benchmarks print: a row for each figure, for people or as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from statistics import median
from typing import Literal

import peer

__all__ = ["Row", "show"]


@dataclass
class Row:
    """One figure of both sides, from every run.  `better` says which way is better."""

    name: str
    unit: str
    better: Literal["more", "less"]
    ours: list[float] = field(default_factory=list)
    peers: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """How many times better ours is than the peer's: above 1 is better, by the medians."""
        if not self.peers:
            return None
        ours, peers = median(self.ours), median(self.peers)
        return ours / peers if self.better == "more" else peers / ours


def show(rows: list[Row], as_json: bool) -> None:
    """Prints the rows, and on which machine under which load they were measured."""
    machine = {
        "python": platform.python_version(),
        "qehost": version("qehost"),
        peer.NAME: peer.version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    if as_json:
        figures = [
            {"name": row.name, "unit": row.unit, "better": row.better}
            | {"qehost": median(row.ours), "runs": row.ours, "peer_runs": row.peers}
            | {peer.NAME: median(row.peers) if row.peers else None, "ratio": row.ratio}
            for row in rows
        ]
        json.dump({"machine": machine, "figures": figures}, sys.stdout, indent=2)
        print()
        return
    print(", ".join(f"{name} {value}" for name, value in machine.items() if value is not None))
    lines = [("", "", "qehost", "", peer.NAME, "", "times better")]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.1f}"
        lines.append((row.name, row.unit, *_shown(row.ours), *_shown(row.peers), ratio))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def _shown(figures: list[float]) -> tuple[str, str]:
    """The median, and the least and the largest."""
    if not figures:
        return "", ""
    return _number(median(figures)), f"({_number(min(figures))} … {_number(max(figures))})"


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
