"""The pictures of docs/performance.md, from the results alone: no figure is written here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from drawing import COLOURS, REST, Picture, ticks
from peer import NAME
from results import Results

__all__ = ["LONG_RUN", "PICTURES", "STREAM"]

STREAM = "whole program"
CPU = "CPU of a message"
MEMORY = "memory and idling"
LONG_RUN = "long run"
ROLES = ("connection", "host", "supervisor")
# Which process each layer runs in.  Both ends of the queue are measured as one, and stand where it
# begins.
CONNECTION = ("frames", "decode", "orders and duplicates", "encode", "journal", "queue")
HOST = ("build events", "dispatch")
MARKED_COUNTS = 5
"""With more there is no room for the number of each."""
LAYERS = dict(zip((*CONNECTION, *HOST), COLOURS, strict=True))


class _Bar(NamedTuple):
    """A process: the CPU that it took in the whole program, and what of it each layer takes by
    itself."""

    name: str
    whole: float
    layers: list[tuple[str, float]]

    @property
    def rest(self) -> float:
        """Reading and writing sockets, pipes and files, and all that no layer is.  The layers are
        measured one by one; together they can come out a little above the whole."""
        return max(0.0, self.whole - sum(cost for _, cost in self.layers))

    @property
    def length(self) -> float:
        return self.rest + sum(cost for _, cost in self.layers)


def message(results: Results) -> str:
    """Where a message's microseconds go."""

    def layers(names: tuple[str, ...]) -> list[tuple[str, float]]:
        return [(name, results.figure("layers", name).qehost) for name in names]

    bars = [
        _Bar(
            f"qehost, {process}", results.figure(STREAM, f"{CPU}, {process}").qehost, layers(names)
        )
        for process, names in (("connection process", CONNECTION), ("host process", HOST))
    ]
    theirs = results.figure(STREAM, CPU).peer
    decode = results.figure("layers", "text to message").peer
    if theirs is not None and decode is not None:
        bars.append(_Bar(f"{NAME}, its one process", theirs, [("decode", decode)]))

    left, wide, each = 20, 680, 98
    picture = Picture(720, 66 + each * len(bars), "CPU time of a message, by process and layer")
    picture.text(left, 26, "CPU time of a message under load, µs", kind="title")
    progress = ticks(max(bar.length for bar in bars), 6)
    scale = wide / progress[-1]
    bottom = 44 + each * len(bars)
    for mark in progress:
        at = left + mark * scale
        for place in range(len(bars)):
            picture.rule(at, 58 + each * place, at, 88 + each * place, "grid")
        anchor = "end" if mark == progress[-1] else "start" if mark == 0 else "middle"
        picture.text(at, bottom + 8, f"{mark:g}", kind="small", anchor=anchor)
    for place, bar in enumerate(bars):
        top = 54 + each * place
        picture.text(left, top, f"{bar.name}: {bar.whole:.2f} µs")
        parts = [(name, cost, LAYERS[name]) for name, cost in bar.layers]
        if bar.rest:
            parts.append(("system and the rest", bar.rest, REST))
        at = float(left)
        for _, cost, colour in parts:
            picture.box(at, top + 8, cost * scale, 22, colour=colour, kind="edge")
            at += cost * scale
        names = [(f"{name} {cost:.2f}", colour) for name, cost, colour in parts]
        picture.legend(left, top + 46, wide, names)
    return str(picture)


class _Line(NamedTuple):
    name: str
    points: Sequence[tuple[float, float]]
    peers: bool = False


class _Chart(NamedTuple):
    title: str
    across: str
    lines: list[_Line]


def growth(results: Results) -> str:
    """How cost grows with messages, plugins and accounts."""
    of_all = [("all of qehost", r"memory after .*(start|messages)")]
    of_each = [(f"{role} process", rf"memory .*, {role} process") for role in ROLES]
    peers = [line for line in _lines(results, MEMORY, of_all) if line.peers]
    counted_as = results.machines[STREAM]["memory"]
    charts = [
        _Chart(
            f"memory, MiB ({counted_as})",
            "messages so far",
            _lines(results, LONG_RUN, [*of_all, *of_each]) + peers,
        ),
        _Chart(
            "throughput, messages/s",
            "plugins",
            _lines(results, "plugins", [("qehost", r"\d+ plugins?: throughput")]),
        ),
        _Chart(
            "throughput of all, messages/s",
            "accounts",
            _lines(results, "accounts", [("qehost", r"\d+ accounts?: throughput of all")]),
        ),
        _Chart(
            f"memory of all, MiB ({counted_as})",
            "accounts",
            _lines(results, "accounts", [("qehost", r"\d+ accounts?: memory")]),
        ),
    ]
    wide, high = 380, 290
    picture = Picture(2 * wide, 2 * high, "What grows with messages, plugins and accounts")
    for place, chart in enumerate(charts):
        _draw(picture, chart, place % 2 * wide, place // 2 * high, wide, high)
    return str(picture)


def _lines(results: Results, section: str, patterns: list[tuple[str, str]]) -> list[_Line]:
    """A line for each pattern, and one for what the peer has beside it."""
    ours, peers = [], []
    for name, pattern in patterns:
        figures = results.counted(section, pattern)
        ours.append(_Line(name, [(figure.count or 0, figure.qehost) for figure in figures]))
        beside = [(figure.count or 0, figure.peer) for figure in figures if figure.peer is not None]
        if beside:
            peers.append(_Line(NAME, beside, peers=True))
    return ours + peers


def _draw(picture: Picture, chart: _Chart, x: float, y: float, wide: float, high: float) -> None:
    picture.text(x + 20, y + 26, chart.title, kind="title")
    colours = iter(COLOURS)
    coloured = [(line, REST if line.peers else next(colours)) for line in chart.lines]
    names = [(line.name, colour) for line, colour in coloured]
    top = picture.legend(x + 20, y + 48, wide - 40, names)
    left, right, bottom = x + 76, x + wide - 24, y + high - 46

    points = [point for line in chart.lines for point in line.points]
    progress = ticks(max(value for _, value in points))
    counts = sorted({count for count, _ in points})
    if len(counts) > MARKED_COUNTS:
        counts = ticks(counts[-1])
    across = (right - left) / (counts[-1] or 1)
    up = (bottom - top) / progress[-1]
    for mark in progress:
        at = bottom - mark * up
        picture.rule(left, at, right, at, "axis" if mark == 0 else "grid")
        picture.text(left - 8, at + 4, f"{mark:,.10g}", kind="small", anchor="end")
    for count in counts:
        at = left + count * across
        picture.rule(at, bottom, at, bottom + 4, "axis")
        picture.text(at, bottom + 17, _short(count), kind="small", anchor="middle")
    picture.text((left + right) / 2, bottom + 34, chart.across, kind="small", anchor="middle")
    for line, colour in coloured:
        where = [(left + count * across, bottom - value * up) for count, value in line.points]
        picture.line(where, colour, dashed=line.peers)


def _short(count: float) -> str:
    return f"{count / 1e6:g} M" if count >= 1e6 else f"{count:,.0f}"


PICTURES: dict[str, Callable[[Results], str]] = {
    "performance-message.svg": message,
    "performance-growth.svg": growth,
}
