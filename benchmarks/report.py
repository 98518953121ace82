"""`python benchmarks/report.py FILE`: brings docs/performance.md up to a new measurement.

FILE is what `python benchmarks --json FILE` has written, and a second file what
`python benchmarks/memory.py --messages 10000000 --json FILE` has.  They are kept as results.json
and long-run.json in benchmarks/; the tables and pictures of the page are made of them.  What stands
in the page between the markers `<!-- figures: SECTION -->` and `<!-- end -->` is written by this,
all else by hand.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from peer import NAME
from pictures import LONG_RUN, PICTURES, STREAM
from results import Figure, Results
from table import number

__all__ = ["KEPT", "PAGE", "page", "pictures"]

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "benchmarks" / "results.json"
KEPT_LONG_RUN = ROOT / "benchmarks" / "long-run.json"
PAGE = ROOT / "docs" / "performance.md"
MARKED = re.compile(r"(<!-- figures: (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)
MACHINE = "machine"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, help="what `python benchmarks --json FILE` has written")
    parser.add_argument(
        "long_run",
        nargs="?",
        type=Path,
        default=KEPT_LONG_RUN,
        help="what memory.py has written of a long run; left out: the one that is kept",
    )
    files = parser.parse_args()
    text, long_run = (file.read_text(encoding="utf-8") for file in (files.file, files.long_run))
    results = Results(text, long_run)
    # Everything is made before anything is written: a file that lacks something changes nothing.
    made = {
        KEPT: text,
        KEPT_LONG_RUN: long_run,
        PAGE: page(results, PAGE.read_text(encoding="utf-8")),
        **{PAGE.parent / name: drawn for name, drawn in pictures(results).items()},
    }
    for path, content in made.items():
        path.write_text(content, encoding="utf-8", newline="\n")
        print(f"wrote {path.relative_to(ROOT)}")


def page(results: Results, text: str) -> str:
    """The page with every marked part made anew.  Exits with an error if a section of the results
    has no place in it, or a place no section."""
    places = [match[2] for match in MARKED.finditer(text)]
    if sorted(places) != sorted([MACHINE, *results.sections]):
        raise SystemExit(
            f"{PAGE.name} has places for {', '.join(places)}; "
            f"the results have {', '.join([MACHINE, *results.sections])}"
        )

    def part(match: re.Match[str]) -> str:
        if match[2] == MACHINE:
            lines = _machine(results.machines[STREAM])
        elif match[2] == LONG_RUN:
            told = _machine(results.machines[LONG_RUN])
            lines = [*told, "", *_by_count(results.section(LONG_RUN))]
        else:
            lines = _table(results.section(match[2]))
        return match[1] + "\n".join(["", *lines, "", match[3]])

    return MARKED.sub(part, text)


def pictures(results: Results) -> dict[str, str]:
    """Each picture by its file's name."""
    return {name: draw(results) for name, draw in PICTURES.items()}


def _machine(told: dict[str, Any]) -> list[str]:
    peers = f"beside {NAME} {told[NAME]}" if told[NAME] else f"without {NAME}"
    cores, load = told["cores"], told["load"]
    return [
        f"Measured {told['date']}: qehost {told['qehost']} {peers}, Python {told['python']},",
        f"{told['system']}, {cores} cores, load {load:g} at the start; memory is {told['memory']}.",
    ]


def _table(figures: list[Figure]) -> list[str]:
    beside = any(figure.peer is not None for figure in figures)
    lines = ["| | | qehost | least … largest |", "|---|---|--:|--:|"]
    if beside:
        lines = [lines[0] + f" {NAME} | times better |", lines[1] + "--:|--:|"]
    for figure in figures:
        cells = [figure.name, figure.unit, number(figure.qehost)]
        cells.append(f"{number(min(figure.runs))} … {number(max(figure.runs))}")
        if beside:
            cells.append("" if figure.peer is None else number(figure.peer))
            cells.append("" if figure.ratio is None else _times(figure.ratio))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _by_count(figures: list[Figure]) -> list[str]:
    """A line for each number of messages, a column for each process."""
    by_count: dict[int, list[str]] = {}
    for figure in figures:
        by_count.setdefault(figure.count or 0, []).append(f"{figure.qehost:.1f}")
    lines = ["| messages | all, MiB | connection | host | supervisor |", "|--:|--:|--:|--:|--:|"]
    lines += [f"| {count:,} | {' | '.join(cells)} |" for count, cells in by_count.items()]
    return lines


def _times(ratio: float) -> str:
    """Two digits, and all of those before the point."""
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


if __name__ == "__main__":
    main()
