"""A report as one HTML file: nothing in it comes from elsewhere, and nothing in it runs.

All text of the venue and the user is escaped.  The content policy lets the browser load nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from html import escape

from qehost_stats import definitions, drawing, sections
from qehost_stats.cells import NONE, amount, bps_or_none, clock, coloured, signed, together
from qehost_stats.decimals import nearest_rank
from qehost_stats.figures import OrderFigures
from qehost_stats.lines import money, per_cent, rounded
from qehost_stats.report import Report
from qehost_stats.style import STYLE
from qehost_stats.sums import Group

__all__ = ["as_html", "bounds", "zero_label"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
CARDS = 6
LONGEST = 60
EDGE = 12
"""Per cent of a scale's height that the label at its end takes."""


def as_html(report: Report) -> str:
    """The whole page."""
    parts = [
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>",
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Execution quality {escape(report.since[:10])}</title>",
        f"<style>{STYLE}</style></head><body>",
        _head(report),
    ]
    parts += [_total(group, report) for group in report.totals]
    parts.append(_cards(report.orders))
    parts.append(sections.by_day(report.days))
    parts.append(sections.by_algorithm(report.algorithms))
    parts.append(sections.master_orders(report.orders))
    parts.append(sections.rejects(report.totals))
    parts.append(sections.left_out(report.orders))
    parts.append(_definitions())
    parts.append("</body></html>\n")
    return "\n".join(part for part in parts if part)


def _head(report: Report) -> str:
    accounts = ", ".join(report.accounts)
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return (
        "<header><h1>Execution quality</h1>"
        f"<p>{_span(report.since, report.until)} · account{'s' * (len(report.accounts) > 1)} "
        f"{escape(accounts)}</p>"
        '<p class="quiet small">Costs are positive where it <b class="cost">cost</b> and negative '
        'where it was <b class="gain">better</b> than the reference. The first price seen is the '
        "algorithm’s first limit or the first fill: the stream has no market price. "
        f'Made <span class="whole">{escape(_moment(report.made_at))}</span> of '
        f"{report.events:,} events.</p></header>"
        + (f'<ul class="notes small">{notes}</ul>' if notes else "")
        + ("" if report.orders else "<p>There were no master orders in this time.</p>")
    )


def _total(group: Group, report: Report) -> str:
    quote = escape(group.quote or "quote currency unknown")
    left = sum(group.left_out.values())
    if group.orders == left:
        return ""
    ended = sum(group.ended.values())
    tiles = [
        _tile(
            "Master orders",
            f"{ended + group.running:,}",
            f"{ended:,} ended, {group.running:,} running"
            + (f", {left:,} left out" if left else ""),
        ),
        _tile(
            "Traded",
            rounded(group.notional),
            f"{group.fills:,} fills · bought {rounded(group.bought)}, sold {rounded(group.sold)}",
        ),
        _tile(
            "Cost against first price",
            coloured(group.first_price_bps, " bps"),
            ""
            if group.first_price_bps is None
            else f"{signed(group.first_price_cost)} {quote}"
            f" · median {bps_or_none(group.order_bps_p50)},"
            f" 95 % up to {bps_or_none(group.order_bps_p95)}",
        ),
        _tile(
            "Cost against venue’s arrival",
            coloured(group.arrival_bps, " bps"),
            _why_no_arrival(report.orders)
            if group.arrival_bps is None
            else f"{signed(group.arrival_cost)} {quote} · over {rounded(group.arrival_weight)}",
        ),
        _tile(
            "Maker share",
            NONE if group.maker_rate is None else per_cent(group.maker_rate),
            "the venue’s, by value",
        ),
        _tile(
            "Fees",
            "<br>".join(
                f"{money(fee)} {escape(currency)}" for currency, fee in sorted(group.fees.items())
            )
            or NONE,
            "the venue’s" if group.fees else "the venue told none",
        ),
        _tile(
            "Child orders rejected",
            NONE if group.reject_rate is None else per_cent(group.reject_rate),
            f"{group.children_rejected:,} of {group.children:,}",
        ),
    ]
    tiled = f'<div class="tiles">{"".join(tiles)}</div>'
    return f"<section><h2>{quote}</h2>{tiled}{_scatter(group, report)}</section>"


def _tile(name: str, big: str, small: str) -> str:
    return (
        f'<dl class="tile"><dt>{name}</dt><dd class="big">{together(big)}</dd>'
        f'<dd class="quiet small">{together(small)}</dd></dl>'
    )


def _why_no_arrival(orders: Sequence[OrderFigures]) -> str:
    """The usual reason; a long one stands in the notes."""
    reasons = Counter(order.absent.get("arrival_price", "") for order in orders)
    del reasons[""]
    why = reasons.most_common(1)[0][0] if reasons else ""
    return escape(why) if len(why) <= LONGEST else "not to be had: see the note above"


def _scatter(group: Group, report: Report) -> str:
    orders = [
        (order, order.first_price_bps)
        for order in report.orders
        if order.quote == group.quote and order.is_summed and order.first_price_bps is not None
    ]
    if len(orders) < 2:
        return ""
    ordered = sorted(value for _, value in orders)
    low, high = bounds(ordered)
    begin = min(order.end_ms for order, _ in orders)
    end = max(order.end_ms for order, _ in orders)
    most = max(float(order.weight or 0) for order, _ in orders) or 1.0
    points = (
        (
            (order.end_ms - begin) / max(1, end - begin),
            float(value),
            float(order.weight or 0) / most,
        )
        for order, value in orders
    )
    title = f"Cost of {len(orders)} master orders in bps over the time of their end"
    beyond = sum(not low <= float(value) <= high for value in ordered)
    edge = f"; {beyond:,} beyond the scale are on its edge" if beyond else ""
    return (
        f'<h3>Cost of each order, bps against the first price seen</h3><p class="quiet small">By '
        f"the time of its end; the larger the dot, the more was traded{edge}.</p>"
        f'<div class="plot"><div class="y"><span>{high:+.2f}</span>{zero_label(low, high)}'
        f"<span>{low:+.2f}</span></div>"
        f"{drawing.scatter(points, low, high, title)}"
        f'<div class="x"><span>{clock(begin)}</span><span>{clock(end)}</span></div></div>'
    )


def bounds(ordered: Sequence[Decimal]) -> tuple[float, float]:
    """Of a scale with 0 in it, without the outermost hundredths."""
    low = float(nearest_rank(ordered, 1) or 0)
    high = float(nearest_rank(ordered, 99) or 0)
    room = max(abs(low), abs(high)) * 0.08 or 1.0
    return min(low - room, -room), max(high + room, room)


def zero_label(low: float, high: float) -> str:
    """The label of the line of 0, where it does not stand in another one's place."""
    place = 100 * high / (high - low)
    if not EDGE < place < 100 - EDGE:
        return ""
    return f'<span class="zero" style="top:{place:.1f}%">0</span>'


def _cards(orders: Sequence[OrderFigures]) -> str:
    drawn = [order for order in orders if order.progress and order.is_summed]
    drawn.sort(key=lambda order: order.notional or 0, reverse=True)
    if not drawn:
        return ""
    cards = "".join(_card(order) for order in drawn[:CARDS])
    return (
        "<section><h2>The largest orders</h2>"
        '<p class="quiet small">Filled over time, and for TWAP the even schedule (dashed) with its '
        "tolerances. VWAP and POV have no even schedule.</p>"
        f'<div class="cards">{cards}</div></section>'
    )


def _card(order: OrderFigures) -> str:
    span = order.start_ms, max(order.end_ms, order.progress[-1][0])
    tolerance = (
        None if order.up_tolerance is None else float(order.up_tolerance),
        None if order.low_tolerance is None else float(order.low_tolerance),
    )
    done = per_cent(order.completion) if order.completion is not None else "?"
    title = f"{order.master_order_id}: {done} filled"
    facts = [f"{done} filled"]
    if order.first_price_bps is not None:
        facts.append(f"cost {bps_or_none(order.first_price_bps)} bps")
    if order.ahead_max is not None and order.behind_max is not None:
        facts.append(
            f"ahead {per_cent(order.ahead_max)}, behind {per_cent(order.behind_max)} at most"
        )
    return (
        f'<div class="card"><h3>{escape(order.algorithm)} {escape(order.side)} '
        f"{escape(order.symbol)} · {amount(order.notional)} {escape(order.quote)}</h3>"
        f'<p class="quiet small">{escape(order.master_order_id)} · '
        f"{escape(order.status.lower())}</p>"
        f"{drawing.progress(order.progress, order.planned, span, tolerance, title)}"
        f'<div class="x"><span>{clock(span[0])}</span><span>{clock(span[1])}</span></div>'
        f'<p class="small">{together(" · ".join(facts))}</p></div>'
    )


def _definitions() -> str:
    words = "".join(
        f"<dt>{escape(each.names)}</dt><dd>{escape(each.formula)}. "
        f'<span class="quiet">{escape(each.unit)}; {escape(each.source)}</span></dd>'
        for each in (*definitions.ORDER, *definitions.GROUP)
    )
    return (
        '<section><h2>What the figures are</h2><p class="small">s is +1 for a buy and −1 for a '
        "sell. Cost, bps: 10,000 · s · (average price − reference) / reference. Of several orders: "
        "Σ s · (notional − reference · quantity) over Σ reference · quantity, so that each counts "
        "by its value. Room: what was left to the order’s worst price; negative: broken.</p>"
        f'<p class="small">{escape(definitions.NOT_TOLD)}</p>'
        f"<details><summary>All definitions</summary>"
        f'<dl class="words small">{words}</dl></details></section>'
    )


def _moment(iso: str) -> str:
    return iso.replace("T", " ").replace("Z", " UTC")


def _span(since: str, until: str) -> str:
    return f"{escape(_moment(since)).removesuffix(' UTC')} to {escape(_moment(until))}"
