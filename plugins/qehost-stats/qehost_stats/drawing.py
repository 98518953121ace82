"""Pictures as SVG.  No I/O.

A picture has no text: it is stretched to the width that there is, on a phone to a third, and text
in it would shrink along.  What it means stands beside it as HTML, and in its title for those who
can't see it.  Colours are classes of the page's style, so that they follow light, dark and print.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["bar", "progress", "scatter"]

WIDTH, HEIGHT = 1000, 300
MANY = 400
"""Dots of which each must be small to be seen."""


def _svg(title: str, inside: str, css: str = "", height: int = HEIGHT) -> str:
    return (
        f'<svg class="{css}" role="img" viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none">'
        f"<title>{escape(title)}</title>{inside}</svg>"
    )


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def scatter(
    points: Iterable[tuple[float, float, float]], low: float, high: float, title: str
) -> str:
    """A dot for each (time 0 to 1, value, size 0 to 1), between `low` and `high`; what lies beyond
    is on the edge.  Costs are above the line of 0, and have another colour than gains."""
    span = high - low or 1.0

    def y(value: float) -> float:
        return 8 + (HEIGHT - 16) * (1 - (min(high, max(low, value)) - low) / span)

    # A line without a length and with round ends is a dot that is round in any stretch.
    drawn = list(points)
    is_many = len(drawn) > MANY
    smallest, largest = (2, 5) if is_many else (4, 8)
    dots: dict[tuple[str, int], list[str]] = {}
    for x, value, size in drawn:
        kind = "cost" if value > 0 else "gain"
        width = smallest + round(largest * size**0.5)
        dots.setdefault((kind, width), []).append(
            f"M{_number(10 + x * (WIDTH - 20))} {_number(y(value))}h0"
        )
    inside = f'<path class="axis" d="M0 {_number(y(0))}H{WIDTH}"/>'
    for (kind, width), paths in sorted(dots.items(), key=lambda each: -each[0][1]):
        inside += f'<path class="dot {kind}" stroke-width="{width}" d="{"".join(paths)}"/>'
    return _svg(title, f'<g class="many">{inside}</g>' if is_many else inside, "scatter")


def progress(
    steps: Sequence[tuple[int, float]],
    planned: Sequence[tuple[int, float]],
    span: tuple[int, int],
    tolerance: tuple[float | None, float | None],
    title: str,
) -> str:
    """What was filled, as a line of steps, over the even schedule with its tolerances."""
    begin, end = span
    width = max(1, end - begin)
    top = max([1.0, *(share for _, share in steps)])

    def x(at: int) -> str:
        return _number(WIDTH * (at - begin) / width)

    def y(share: float) -> str:
        return _number(6 + (HEIGHT - 12) * (1 - min(top, max(0.0, share)) / top))

    inside = f'<path class="axis" d="M0 {y(0)}H{WIDTH}M0 {y(1)}H{WIDTH}"/>'
    up, low = tolerance
    if planned and (up is not None or low is not None):
        above = [f"{x(at)} {y(min(1.0, share + (up or 0)))}" for at, share in planned]
        below = [f"{x(at)} {y(max(0.0, share - (low or 0)))}" for at, share in reversed(planned)]
        inside += f'<path class="band" d="M{"L".join(above + below)}Z"/>'
    if planned:
        corners = "L".join(f"{x(at)} {y(share)}" for at, share in planned)
        inside += f'<path class="plan" d="M{corners}"/>'
    if steps:
        path = f"M{x(begin)} {y(0)}"
        for at, share in steps:
            path += f"H{x(at)}V{y(share)}"
        inside += f'<path class="area" d="{path}H{WIDTH}V{y(0)}Z"/>'
        inside += f'<path class="filled" d="{path}H{WIDTH}"/>'
    return _svg(title, inside, "progress")


def bar(value: float, most: float, title: str) -> str:
    """A bar from the middle: to the right what cost, to the left what was gained."""
    middle, reach = WIDTH / 2, WIDTH / 2 * min(1.0, abs(value) / (most or 1.0))
    left = middle if value > 0 else middle - reach
    kind = "cost" if value > 0 else "gain"
    inside = (
        f'<path class="axis" d="M{middle} 0V20"/>'
        f'<rect class="{kind}" x="{_number(left)}" y="3" width="{_number(reach)}" height="14"/>'
    )
    return _svg(title, inside, "bar", 20)
