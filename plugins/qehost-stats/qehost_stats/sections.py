"""The tables of the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Generic, NamedTuple, TypeVar

from qehost_stats import drawing
from qehost_stats.cells import NONE, amount, bps_or_none, coloured, price, seconds, share, signed
from qehost_stats.figures import OrderFigures
from qehost_stats.lines import money
from qehost_stats.sums import Group

__all__ = ["by_algorithm", "by_day", "left_out", "master_orders", "rejects"]

ROWS = 100
DAYS = 200
T = TypeVar("T")


class _Column(NamedTuple, Generic[T]):
    """`css`: n is a number, wide has a line of its own on a phone."""

    name: str
    css: str
    cell: Callable[[T], str]


def by_day(days: Iterable[Group]) -> str:
    shown = _summed(days)
    several = len({group.account for group in shown}) > 1

    def name(group: Group) -> str:
        account = f"{group.account} " if several else ""
        return escape(f"{group.day} {account}{group.symbol}")

    note = ""
    if len(shown) > DAYS:
        note = f"The last {DAYS} of {len(shown):,}; the others are in the CSV."
    columns = _columns("Day, symbol", name, shown[-DAYS:])
    return _section("By day and symbol", note, columns, shown[-DAYS:])


def by_algorithm(groups: Iterable[Group]) -> str:
    shown = _summed(groups)
    columns = _columns("Algorithm", lambda group: escape(group.algorithm or "–"), shown)
    return _section("By algorithm", "", columns, shown)


def _summed(groups: Iterable[Group]) -> list[Group]:
    return [group for group in groups if group.orders > sum(group.left_out.values())]


def _columns(
    title: str, name: Callable[[Group], str], groups: Sequence[Group]
) -> list[_Column[Group]]:
    most = max((abs(float(group.first_price_bps or 0)) for group in groups), default=0.0)

    def bar(group: Group) -> str:
        value = group.first_price_bps
        return NONE if value is None else drawing.bar(float(value), most, f"{value:+.2f} bps")

    return [
        _Column(title, "wide", name),
        _Column("Orders", "n", lambda group: f"{sum(group.ended.values()) + group.running:,}"),
        _Column("Fills", "n", lambda group: f"{group.fills:,}"),
        _Column("Traded", "n", lambda group: f"{money(group.notional)} {escape(group.quote)}"),
        _Column("Cost, bps", "n", lambda group: coloured(group.first_price_bps)),
        _Column("", "bar", bar),
        _Column("Median, bps", "n", lambda group: bps_or_none(group.order_bps_p50)),
        _Column("Venue’s arrival, bps", "n", lambda group: coloured(group.arrival_bps)),
        _Column("Fill rate", "n", lambda group: share(group.fill_rate)),
        _Column("Rejected", "n", lambda group: share(group.reject_rate)),
        _Column("Maker", "n", lambda group: share(group.maker_rate)),
    ]


def master_orders(orders: Iterable[OrderFigures]) -> str:
    """The most expensive ones."""
    summed = [order for order in orders if order.is_summed and order.first_price_cost is not None]
    summed.sort(key=lambda order: order.first_price_cost or 0, reverse=True)

    def name(order: OrderFigures) -> str:
        return _name(order) + (_mark("running") if "running" in order.marks else "")

    def first_price(order: OrderFigures) -> str:
        return f"{price(order.first_price)} ({escape(order.first_price_source)})"

    columns: list[_Column[OrderFigures]] = [
        _Column("Order", "wide", name),
        _Column("Traded", "n", lambda order: amount(order.notional)),
        _Column("Cost, bps", "n", lambda order: coloured(order.first_price_bps)),
        _Column("Cost", "n", lambda o: f"{signed(o.first_price_cost)} {escape(o.quote)}"),
        _Column("First price", "n", first_price),
        _Column("Average", "n", lambda order: price(order.average)),
        _Column("Venue’s arrival, bps", "n", lambda order: coloured(order.arrival_bps)),
        _Column("Room, bps", "n", lambda order: bps_or_none(order.room_bps)),
        _Column("Completion", "n", lambda order: share(order.completion)),
        _Column("Fill rate", "n", lambda order: share(order.fill_rate)),
        _Column("First fill", "n", lambda order: seconds(order.time_to_first_fill_s)),
    ]
    note = f"{len(summed):,} orders, the most expensive first."
    if len(summed) > ROWS:
        note = f"The {ROWS} most expensive of {len(summed):,}; all are in the CSV and the JSON."
    return _section("Master orders", note, columns, summed[:ROWS])


def rejects(totals: Iterable[Group]) -> str:
    reasons: Counter[str] = Counter()
    for group in totals:
        reasons.update(group.rejects)
    columns: list[_Column[tuple[str, int]]] = [
        _Column("Reason", "", lambda each: escape(each[0])),
        _Column("Child orders", "n", lambda each: f"{each[1]:,}"),
    ]
    title = "Why child orders were rejected"
    return _section(title, "In the venue’s words.", columns, reasons.most_common(20))


def left_out(orders: Iterable[OrderFigures]) -> str:
    left = [order for order in orders if not order.is_summed]
    columns: list[_Column[OrderFigures]] = [
        _Column("Order", "wide", _name),
        _Column("Why", "", lambda order: " ".join(map(_mark, order.marks))),
        _Column("Status", "", lambda order: escape(order.status.lower()) or NONE),
        _Column("Filled", "n", lambda order: f"{price(order.filled)} {escape(order.base)}"),
        _Column("Average", "n", lambda order: price(order.average)),
        _Column("Cost, bps", "n", lambda order: coloured(order.first_price_bps)),
    ]
    note = (
        "Inverse contracts and other units have no amount of money that could be added up; of a "
        "target position it is not known what was to be traded; what was seen only in part has no "
        "beginning to be compared with."
    )
    if len(left) > ROWS:
        note += f" The first {ROWS} of {len(left):,}."
    return _section("Left out of the sums", note, columns, left[:ROWS])


def _name(order: OrderFigures) -> str:
    what = escape(f"{order.algorithm} {order.side} {order.symbol}")
    return (
        f'<span class="id">{escape(order.master_order_id)}</span> '
        f'<span class="quiet">{what}</span> '
    )


def _mark(mark: str) -> str:
    return f'<span class="mark">{mark.replace("_", " ")}</span>'


def _section(title: str, note: str, columns: Sequence[_Column[T]], rows: Sequence[T]) -> str:
    """A heading and its table, without columns in which there is nothing; `""` without rows."""
    if not rows:
        return ""
    cells = [[column.cell(row) for row in rows] for column in columns]
    shown = [
        (column, values)
        for column, values in zip(columns, cells, strict=True)
        if any(value != NONE for value in values)
    ]
    head = "".join(f'<th class="{column.css}">{column.name}</th>' for column, _ in shown)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{column.css}{" none" if values[place] == NONE else ""}" '
            f'data-name="{column.name}">{values[place]}</td>'
            for column, values in shown
        )
        + "</tr>"
        for place in range(len(rows))
    )
    said = f'<p class="quiet small">{note}</p>' if note else ""
    return (
        f"<section><h2>{title}</h2>{said}<table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></section>"
    )
