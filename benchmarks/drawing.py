"""A small writer of SVG pictures, in light and dark: text, boxes, lines, legends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, floor, log10

__all__ = ["COLOURS", "REST", "Picture", "ticks"]

# Told apart by people who see red and green alike, on white and on black.
COLOURS = ("#4477aa", "#ee7733", "#228833", "#ccbb44", "#aa3377", "#66ccee", "#7755cc", "#bb5566")
REST = "#8b949e"

# The ground is painted, so that a picture is readable wherever it is shown.
STYLE = """
.ground { fill: #ffffff; stroke: none }
.edge { stroke: #ffffff; stroke-width: 1 }
.axis { stroke: #8b949e; stroke-width: 1 }
.grid { stroke: #8b949e; stroke-width: 1; stroke-opacity: 0.25 }
text { fill: #1f2328; font: 12px system-ui, "DejaVu Sans", Verdana, sans-serif }
.title { font-weight: bold }
.small { font-size: 11px; fill: #59636e }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117 }
.edge { stroke: #0d1117 }
text { fill: #e6edf3 }
.small { fill: #9198a1 }
}
"""
# Of one letter, on the wide side: no font is at hand to measure it.
LETTER = 7.2
LINE = 18


class Picture:
    """What is drawn later lies above.  All positions in pixels from the upper left corner."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" role="img">'
        )
        self._parts = [f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>"]
        self.box(0, 0, width, height, kind="ground")

    def text(self, x: float, y: float, text: str, *, kind: str = "", anchor: str = "start") -> None:
        """`y` is the line that the letters stand on."""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    def box(
        self, x: float, y: float, width: float, height: float, *, colour: str = "", kind: str
    ) -> None:
        fill = f' fill="{colour}"' if colour else ""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
            f' class="{kind}"{fill}/>'
        )

    def rule(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'
        )

    def line(self, points: Sequence[tuple[float, float]], colour: str, *, dashed: bool) -> None:
        """Through the points, with a dot at each."""
        where = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<polyline points="{where}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
        )
        self._parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points
        ]

    def legend(self, x: float, y: float, width: float, entries: Iterable[tuple[str, str]]) -> float:
        """Names with their colours, in as many lines as they need.  Returns where the next would
        stand."""
        left = x
        for name, colour in entries:
            wide = 15 + len(name) * LETTER + 10
            if left > x and left + wide > x + width:
                left, y = x, y + LINE
            self.box(left, y - 9, 10, 10, colour=colour, kind="edge")
            self.text(left + 15, y, name)
            left += wide
        return y + LINE

    def __str__(self) -> str:
        return "\n".join((self._head, *self._parts, "</svg>", ""))


def ticks(most: float, about: int = 4) -> list[float]:
    """Round numbers from 0 to the first that is not below `most`."""
    rough = (most or 1.0) / about
    power: float = 10.0 ** floor(log10(rough))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * 0.999)
    return [number * step for number in range(ceil(most / step - 1e-9) + 1)] or [0.0, step]
