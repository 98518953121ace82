"""The summary at the end: what was received, how much was traded, the latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from rich.table import Table
from rich.text import Text

from qehost_console.figures import EXACT, format_latency, grouped, span
from qehost_console.latency import Latency
from qehost_console.palette import LOUD, QUIET
from qehost_console.totals import RunTotals

__all__ = ["FinishedRun", "summary"]

_KINDS = (
    ("master_order", "master orders"),
    ("order", "child orders"),
    ("fill", "fills"),
    ("status", "status texts"),
    ("unknown", "of unknown type"),
)
_NOTES = {
    "derived": "derived from child orders",
    "catch_up": "caught up over REST",
    "baseline": "from before the stream opened",
}
# Of hundreds of symbols only those with the largest volume are printed.
_MOST_SYMBOLS = 20


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that has ended."""

    seconds: float
    reason: str
    quotes: Mapping[str, str]
    totals: RunTotals
    latency: Latency


def summary(run: FinishedRun) -> list[Table | Text]:
    """The renderables, top to bottom."""
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    facts.add_column(style=QUIET, no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("messages", _messages(run))
    for kind, name in _KINDS:
        if text := _kind(run.totals, kind):
            facts.add_row(f"  {name}", text)
    facts.add_row("latency", _latency(run.latency))
    facts.add_row("connections", _connections(run.totals))
    facts.add_row("errors", _errors(run.totals))
    title = Text.assemble(("Summary", "bold"), (f"  {span(run.seconds)}, {run.reason}", QUIET))
    parts: list[Table | Text] = [Text(), title, facts]
    if run.totals.volumes:
        parts += [Text(), _volumes(run)]
    return parts


def _messages(run: FinishedRun) -> Text:
    count = run.totals.messages
    rate = f"  {count / run.seconds:,.1f}/s" if run.seconds > 0 else ""
    text = Text.assemble((f"{count:,}", "bold"), (rate, QUIET))
    if run.totals.redelivered:
        text.append(f"  {run.totals.redelivered:,} delivered again", "yellow")
    return text


def _kind(totals: RunTotals, kind: str) -> Text | None:
    counts = {origin: n for (name, origin), n in totals.kinds.items() if name == kind}
    if not counts:
        return None
    total = sum(counts.values())
    text = Text(f"{total:,}")
    for origin, note in _NOTES.items():
        if count := counts.get(origin):
            text.append(f"  {note}" if count == total else f"  {count:,} {note}", QUIET)
    return text


def _latency(latency: Latency) -> Text:
    if not latency.count:
        return Text("no message to measure", QUIET)
    figures = (
        ("p50", latency.percentile(0.5)),
        ("p99", latency.percentile(0.99)),
        ("max", latency.slowest),
    )
    text = Text()
    for name, value in figures:
        text.append(f"{name} ", QUIET).append(format_latency(value), "bold").append("  ")
    return text.append("from socket to hook", QUIET)


def _connections(totals: RunTotals) -> Text:
    text = Text(f"{totals.opened:,} opened")
    if totals.reconnects:
        text.append(f", {totals.reconnects:,} of them reconnects", "yellow")
    if totals.disconnected_ns:
        text.append(f"  {totals.disconnected_ns / 1e9:.1f} s without a stream", "yellow")
    return text


def _errors(totals: RunTotals) -> Text:
    if not totals.errors:
        return Text("none", "green")
    text = Text(f"{totals.errors.total():,}", LOUD)
    for name, count in totals.errors.most_common():
        text.append(f"  {name} {count:,}")
    return text.append(f"\nlast: {totals.last_error[:300]}", QUIET)


def _volumes(run: FinishedRun) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=QUIET)
    table.add_column("volume", no_wrap=True)
    for name in ("fills", "bought", "sold", "notional"):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("")
    totals: dict[str, Decimal] = {}
    ranked = sorted(run.totals.volumes.items(), key=lambda item: item[1].notional, reverse=True)
    for place, ((symbol, category), volume) in enumerate(ranked):
        quote = run.quotes.get(symbol, "")
        totals[quote] = EXACT.add(totals.get(quote, Decimal(0)), volume.notional)
        if place < _MOST_SYMBOLS:
            table.add_row(
                Text.assemble((symbol, "bold"), (f" {category}", QUIET)),
                f"{volume.fills:,}",
                _sum(volume.bought),
                _sum(volume.sold),
                _sum(volume.notional),
                quote,
            )
    if len(ranked) > _MOST_SYMBOLS:
        table.add_row(Text(f"and {len(ranked) - _MOST_SYMBOLS} more symbols", QUIET))
    if len(ranked) > 1:
        for quote, total in sorted(totals.items(), key=lambda item: item[1], reverse=True):
            name = quote or "in unnamed currencies"
            table.add_row(Text("all", QUIET), "", "", "", Text(_sum(total), "bold"), name)
    return table


def _sum(value: Decimal) -> str:
    """Exact, without zeros at the end."""
    return grouped(value.normalize(EXACT)) if value else ""
