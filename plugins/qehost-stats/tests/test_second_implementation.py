"""Another implementation, in SQL over the rows of `qehost journal export`, has the same figures.

DuckDB adds decimals exactly, and its division is a float: so sums are compared to the last digit,
and ratios are worked out of the sums again.
"""

from collections import defaultdict
from decimal import Context, Decimal

import duckdb
import pytest

D = Decimal
TWENTY = Context(prec=20)


@pytest.fixture(scope="module")
def sql(journal, qehost):
    database = duckdb.connect()
    for kind in ("master_order", "order", "fill"):
        file = journal / f"{kind}.csv"
        arguments = ("--kind", kind, "--no-raw", "-o", file, "--state-dir", journal / "state")
        qehost("journal", "export", *arguments, cwd=journal)
        database.execute(
            f"create table \"{kind}\" as select * from read_csv('{file}', all_varchar=true)"
        )
    yield database
    database.close()


@pytest.fixture(scope="module")
def whole(report):
    """The orders that were seen from their beginning."""
    found = {o["master_order_id"]: o for o in report["orders"] if "partial" not in o["marks"]}
    assert len(found) > 5
    return found


def test_fills_add_up_to_the_same_sums(sql, report):
    rows = sql.execute("""
        select master_order_id, count(*), sum(quantity::decimal(38, 12)),
               sum(notional::decimal(38, 12))
        from fill group by all
    """).fetchall()
    ours = {o["master_order_id"]: o for o in report["orders"] if o["fills"]}
    assert len(rows) == len(ours) > 5
    for ident, count, quantity, notional in rows:
        order = ours[ident]
        assert order["fills"] == count
        assert D(order["fills_quantity"]) == quantity
        assert D(order["fills_notional"]) == notional


CHILDREN = """
    select master_order_id, id, max(filled_quantity::decimal(38, 12)) as filled,
           max(filled_notional::decimal(38, 12)) as notional,
           max(quantity::decimal(38, 12)) as quantity,
           bool_or(status in ('FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED')) as ended,
           bool_or(status = 'REJECTED') as rejected
    from "order" group by all
"""


def test_what_is_filled_is_the_most_that_the_venue_reports(sql, whole):
    rows = sql.execute(f"""
        with child as ({CHILDREN}),
        children as (select master_order_id, sum(filled) as filled, sum(notional) as notional
                     from child group by all),
        master as (select master_order_id, max(cum_filled_qty::decimal(38, 12)) as filled,
                          max(cum_filled_notional::decimal(38, 12)) as notional
                   from master_order group by all)
        select master_order_id, greatest(c.filled, m.filled), greatest(c.notional, m.notional)
        from children c join master m using (master_order_id)
    """).fetchall()
    compared = 0
    for ident, filled, notional in rows:
        if ident in whole:
            assert D(whole[ident]["filled"]) == filled
            assert D(whole[ident]["notional"]) == notional
            compared += 1
    assert compared > 5


def test_child_orders_have_the_same_counts_and_rates(sql, whole):
    rows = sql.execute(f"""
        with child as ({CHILDREN})
        select master_order_id, count(*), count(*) filter (rejected),
               sum(quantity) filter (ended), sum(filled) filter (ended)
        from child group by all
    """).fetchall()
    compared = 0
    for ident, count, rejected, quantity, filled in rows:
        if ident in whole and quantity:
            order = whole[ident]
            assert (order["children"], order["children_rejected"]) == (count, rejected)
            assert D(order["child_quantity"]) == quantity
            assert D(order["child_filled"]) == filled
            assert D(order["fill_rate"]) == TWENTY.divide(filled, quantity)
            assert D(order["reject_rate"]) == TWENTY.divide(D(rejected), D(count))
            compared += 1
    assert compared > 5


def test_slippage_is_that_of_the_first_limit(sql, whole):
    rows = sql.execute("""
        with child as (
            select master_order_id, price::decimal(38, 12) as price,
                   row_number() over (partition by master_order_id
                                      order by order_created_time, seq::bigint) as place
            from "order" where price::decimal(38, 12) > 0 and status <> 'REJECTED'
        )
        select master_order_id, price from child where place = 1
    """).fetchall()
    compared = 0
    for ident, price in rows:
        order = whole.get(ident)
        if order is None or order["first_price_source"] != "limit" or not D(order["filled"]):
            continue
        sign = -1 if order["side"] == "sell" else 1
        notional, weight = D(order["notional"]), price * D(order["filled"])
        assert D(order["first_price"]) == price
        assert D(order["first_price_cost"]) == sign * (notional - weight)
        ratio = TWENTY.divide(10_000 * sign * (notional - weight), weight)
        assert D(order["first_price_bps"]) == ratio
        compared += 1
    assert compared > 5


def test_sums_are_those_of_the_orders(report):
    cost, weight, fees, notional = (defaultdict(D) for _ in range(4))
    for order in report["orders"]:
        if set(order["marks"]) - {"running"}:
            continue
        quote = order["quote"]
        notional[quote] += D(order["notional"] or 0)
        if order["first_price_cost"] is not None:
            cost[quote] += D(order["first_price_cost"])
            weight[quote] += D(order["first_price"]) * D(order["filled"])
        for currency, fee in order["fees"].items():
            fees[quote, currency] += D(fee)
    assert any(weight.values())
    for group in report["totals"]:
        quote = group["quote"]
        assert D(group["notional"]) == notional[quote]
        assert D(group["first_price_cost"]) == cost[quote]
        assert D(group["first_price_weight"]) == weight[quote]
        if weight[quote]:
            ratio = TWENTY.divide(10_000 * cost[quote], weight[quote])
            assert D(group["first_price_bps"]) == ratio
        else:  # none of its orders that count was filled in this market
            assert group["first_price_bps"] is None
        assert {c: D(fee) for c, fee in group["fees"].items()} == {
            currency: fee for (of, currency), fee in fees.items() if of == quote
        }
    for name in ("notional", "first_price_cost", "fills", "orders", "children_rejected"):
        for parts in ("days", "algorithms"):
            total = sum(D(group[name]) for group in report[parts])
            assert total == sum(D(group[name]) for group in report["totals"])


def test_the_venues_rows_are_as_sent_and_finished_orders_have_one(report):
    ended = [o for o in report["orders"] if "running" not in o["marks"] and D(o["filled"] or 0)]
    assert any(order["venue"] for order in ended)
    for order in ended:
        if order["venue"] is None:
            assert order["absent"]["arrival_price"]
        else:
            assert order["venue"]["MasterOrderID"] == order["master_order_id"]
            assert D(order["arrival_price"]) == D(str(order["venue"]["ArrivalPrice"]))
