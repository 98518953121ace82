"""What each figure is.  The report, the page DEFINITIONS.md and the tests stand on this.

s is +1 for a buy and −1 for a sell.  Costs are positive where the order traded at worse prices than
the reference: that is how Perold's implementation shortfall (1988) counts.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["GROUP", "NOT_TOLD", "ORDER", "Definition", "as_markdown"]


class Definition(NamedTuple):
    names: str
    """The columns, with spaces between."""
    formula: str
    unit: str
    source: str


STREAM = "stream"
VENUE = "the venue, as sent"
OURS = "computed of the stream's figures"
TCA = "the venue's analysis (REST)"

ORDER = (
    Definition("account", "the account's name in the settings", "text", "settings"),
    Definition(
        "master_order_id client_order_id algorithm exchange category symbol side base quote "
        "status reason must_complete",
        "as the venue sent them last; side in lower case",
        "text",
        STREAM,
    ),
    Definition(
        "marks",
        "inverse: category perp_cm, margin in the coin, or a derivative of Deribit; units: the "
        "venue's notional is more than 1 % away from quantity × average price, so the quantity is "
        "in contracts; target_position: the quantity ordered is a position to reach; partial: its "
        "beginning was not seen, there was a gap while it ran, or more of it came later than a "
        "minute after its end; running: it has not ended. All but running keep the order out of "
        "every sum",
        "words",
        OURS,
    ),
    Definition("day", "of end_ms", "UTC day", OURS),
    Definition(
        "start_ms",
        "the ordered start; the first time it was PROCESSING where none was ordered, or where it "
        "waited for a trigger price",
        "epoch ms",
        STREAM,
    ),
    Definition(
        "end_ms",
        "when it ended; of a running order the last event that was read",
        "epoch ms",
        STREAM,
    ),
    Definition("duration_s", "the planned time", "s", STREAM),
    Definition("paused_s", "time as PAUSED from the start to the end", "s", STREAM),
    Definition(
        "target target_in_quote target_changes",
        "what was ordered last: a quantity, or with target_in_quote an amount of money. "
        "target_changes: each change while it ran, as [epoch ms, amount, in quote]",
        "unit of the order, or quote",
        STREAM,
    ),
    Definition(
        "filled notional",
        "quantity, and its value as the venue counts it: what the venue reports of the master "
        "order, or the sum of its child orders, whichever is more. No notional with the marks "
        "inverse and units",
        "unit of the order; quote",
        STREAM,
    ),
    Definition(
        "average",
        "notional / filled; with the marks inverse and units the venue's average price",
        "quote",
        OURS,
    ),
    Definition(
        "completion",
        "filled / target; ordered by value: notional / target. None of a target position. An order "
        "without must_complete may end short by design",
        "fraction",
        OURS,
    ),
    Definition(
        "fills fills_quantity fills_notional",
        "the fills that were seen, without repeats and overlaps: count, Σ quantity, Σ notional",
        "count; unit of the order; quote",
        STREAM,
    ),
    Definition(
        "first_price first_price_source first_price_delay_s",
        "the first price that the stream has of the order. limit: the limit of the first child "
        "order that had one and was not rejected, if it was made before the first fill (the "
        "algorithm's own price: passive or crossing). fill: else the price of the first fill, its "
        "own impact included. The delay is from start_ms to then. It is not the market's price at "
        "the start, which the stream does not have",
        "quote; word; s",
        STREAM,
    ),
    Definition(
        "first_price_cost",
        "s · (notional − first_price · filled), exact. Positive: it cost",
        "quote",
        OURS,
    ),
    Definition(
        "first_price_bps",
        "10,000 · s · (average − first_price) / first_price, worked out as "
        "10,000 · first_price_cost / (first_price · filled). Positive: it cost",
        "bps",
        OURS,
    ),
    Definition(
        "fill_bps_p50 fill_bps_p95",
        "of 10,000 · s · (price of a fill − first_price) / first_price the median and the 95th "
        "percentile, by nearest rank, unweighted. Positive: it cost",
        "bps",
        OURS,
    ),
    Definition(
        "arrival_price",
        "ArrivalPrice of the venue's analysis",
        "quote",
        TCA,
    ),
    Definition(
        "arrival_cost arrival_bps",
        "as first_price_cost and first_price_bps, against arrival_price: the price is the venue's, "
        "the formula and the sign are ours. Positive: it cost",
        "quote; bps",
        OURS,
    ),
    Definition("worst_price", "the order's own price limit", "quote", STREAM),
    Definition(
        "room_bps",
        "10,000 · s · (worst_price − average) / worst_price: what was left to the limit. "
        "**Negative: the limit was broken**",
        "bps",
        OURS,
    ),
    Definition(
        "worst_fill_price worst_fill_room_bps",
        "the worst price of a single fill (highest of a buy, lowest of a sell), and room_bps of it",
        "quote; bps",
        OURS,
    ),
    Definition(
        "ahead_max behind_max",
        "TWAP alone. The most that filled(t) / target(t) − planned(t) was above and below 0 from "
        "start to end, with planned(t) = clamp((t − start − paused until t) / duration, 0, 1)",
        "fraction of the target",
        OURS,
    ),
    Definition(
        "deviation_mean",
        "TWAP alone. The mean over time of |filled(t) / target(t) − planned(t)|, from start to end",
        "fraction of the target",
        OURS,
    ),
    Definition("up_tolerance low_tolerance", "as ordered; none where it is −1", "fraction", STREAM),
    Definition(
        "within_tolerance",
        "ahead_max ≤ up_tolerance and behind_max ≤ low_tolerance, as far as these are set",
        "yes or no",
        OURS,
    ),
    Definition("time_to_first_fill_s", "from start_ms to the first fill that was seen", "s", OURS),
    Definition(
        "tail_quantity",
        "Σ quantity of fills after the planned end (start + duration + pauses before that)",
        "unit of the order",
        OURS,
    ),
    Definition(
        "unfilled",
        "target − filled (ordered by value: − notional) of an order that has ended, at least 0",
        "unit of the target",
        OURS,
    ),
    Definition(
        "children children_open children_filled children_cancelled children_rejected",
        "child orders, by what became of them; cancelled counts the expired ones, too",
        "count",
        STREAM,
    ),
    Definition(
        "cancels_rejected",
        "cancellations that the exchange refused; they are no rejected orders",
        "count",
        STREAM,
    ),
    Definition(
        "child_quantity child_filled",
        "of the child orders that have ended: Σ quantity, Σ filled",
        "unit of the order",
        STREAM,
    ),
    Definition("fill_rate", "child_filled / child_quantity", "fraction", OURS),
    Definition("reject_rate", "children_rejected / children", "fraction", OURS),
    Definition("rejects", "rejected child orders by the venue's reason", "counts", STREAM),
    Definition(
        "maker_rate",
        "makerRate of the master order: no child order says whether it made or took",
        "fraction",
        VENUE,
    ),
    Definition("fees", "commission of the master order, by currency", "amounts", VENUE),
    Definition(
        "fee_bps",
        "10,000 · fees / notional, where all fees are in the quote currency",
        "bps",
        OURS,
    ),
    Definition(
        "venue",
        "the whole row of the venue's analysis. Its signs are not documented: nothing of it but "
        "ArrivalPrice is used",
        "as sent",
        TCA,
    ),
    Definition(
        "absent",
        "by figure the reason why there is none; a missing figure is never 0",
        "text",
        OURS,
    ),
)

GROUP = (
    Definition(
        "day account symbol algorithm quote",
        "what the orders have in common; empty where it is not looked at. The day is that of the "
        "orders' end (UTC). Sums are by quote currency, never across currencies",
        "text",
        OURS,
    ),
    Definition("orders", "all orders, those that are left out included", "count", OURS),
    Definition(
        "left_out",
        "orders that are in no other figure of the row, by the first of their marks",
        "counts",
        OURS,
    ),
    Definition(
        "running ended", "the others: those that run, those that ended by status", "counts", OURS
    ),
    Definition("fills", "Σ fills", "count", OURS),
    Definition("quantity", "Σ filled; only of one symbol", "unit of the order", OURS),
    Definition("bought sold notional", "Σ notional of buys, of sells, of both", "quote", OURS),
    Definition(
        "first_price_weight first_price_cost first_price_bps",
        "Σ first_price · filled; Σ first_price_cost; 10,000 · cost / weight. So an order counts by "
        "its value: it is no mean of means. Positive: it cost",
        "quote; quote; bps",
        OURS,
    ),
    Definition(
        "order_bps_p50 order_bps_p95",
        "median and 95th percentile of the orders' first_price_bps, nearest rank, unweighted",
        "bps",
        OURS,
    ),
    Definition(
        "arrival_weight arrival_cost arrival_bps",
        "against the venue's arrival price, over the orders that have one. Positive: it cost",
        "quote; quote; bps",
        OURS,
    ),
    Definition(
        "maker_weight maker_rate",
        "Σ notional of the orders with a maker rate; Σ maker_rate · notional / that",
        "quote; fraction",
        OURS,
    ),
    Definition("fees", "Σ fees by currency", "amounts", OURS),
    Definition(
        "children children_rejected reject_rate rejects",
        "Σ, Σ, their ratio, Σ by reason",
        "counts; fraction",
        OURS,
    ),
    Definition(
        "child_quantity child_filled fill_rate",
        "Σ, Σ, their ratio; only of one symbol",
        "unit of the order; fraction",
        OURS,
    ),
)

NOT_TOLD = (
    "Slippage against the market's VWAP or TWAP, participation, spread, impact, far touch, "
    "interval return and opportunity cost need market data, which the stream does not have. They "
    "are in the venue's row, as it sent them, or there is a reason why not. Against the VWAP of "
    "one's own fills slippage is 0 by definition, so that is no figure here."
)

INTRODUCTION = """# What the figures of qehost-stats are

`qehost stats definitions` prints this page.

**Sign.** s is +1 for a buy and −1 for a sell. Every cost and slippage is **positive where it
cost**: a buy above the reference, a sell below it. (Perold's implementation shortfall, 1988, and
common practice count so; some libraries count the other way round.) The room to the worst price is
no cost: there, negative is broken.

**Exactness.** Sums, differences and products are exact decimals; ratios (`_bps`, rates, averages)
are rounded once, to 20 digits, half to even. A figure that can't be told is empty (JSON: null),
with the reason under `absent`. It is never 0.

**Units.** Quantities are in the unit of the order: the base currency, or contracts with the marks
`inverse` and `units`. Fractions are of 1. Times are the venue's, UTC.
"""


def as_markdown() -> str:
    """The page."""
    parts = [INTRODUCTION]
    for title, definitions in (("A master order", ORDER), ("A sum over master orders", GROUP)):
        parts.append(f"## {title}\n\n| figure | definition | unit | source |\n|---|---|---|---|\n")
        for each in definitions:
            names = ", ".join(f"`{name}`" for name in each.names.split())
            formula = each.formula.replace("|", "\\|")
            parts[-1] += f"| {names} | {formula} | {each.unit} | {each.source} |\n"
    parts.append(f"## What is not told\n\n{NOT_TOLD}\n")
    return "\n".join(parts)
