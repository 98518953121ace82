"""What is written, and that it is written once."""

from __future__ import annotations

import time
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from qehost.errors import HookError, PluginError, VenueError
from qehost.messages import AnyEvent
from qehost.testing import (
    Events,
    PluginHost,
    StartPlugin,
    connected,
    disconnected,
    error,
    fill,
    fill_of,
    master_order,
    order,
    status,
    unknown,
    worked_master_order,
)


def child(
    events: Events, filled: str | None, *, status: str = "PLACED", id_: str = "77", **more: Any
) -> AnyEvent:
    price = None if filled is None else str(Decimal(filled) * 100)
    return events.order(
        id=id_,
        order_id=more.pop("order_id", "x-1"),
        quantity="10",
        filled_quantity=filled,
        filled_notional=more.pop("notional", price),
        average_price=more.pop("average_price", None if filled is None else "100"),
        status=status,
        **more,
    )


def test_a_whole_master_order_is_written_exactly(plugin_host: StartPlugin, stored: Any) -> None:
    host = plugin_host("store", {"url": stored.url})
    host.deliver(*worked_master_order(qty="1.5", price="97000.10", children=3))
    rows = stored.rows("SELECT master_order_id, status, cum_filled_qty FROM master_orders")
    assert [(name, state, Decimal(filled)) for name, state, filled in rows] == [
        ("mo-1", "COMPLETED", Decimal("1.5"))
    ]
    assert stored.count("orders") == 3
    assert stored.count("fills") == 6
    assert stored.adds_up()
    ((fills, quantity, notional),) = stored.rows(
        "SELECT fills, quantity, notional FROM daily_fills"
    )
    assert (fills, Decimal(quantity), Decimal(notional)) == (
        6,
        Decimal("1.5"),
        Decimal("145500.15"),
    )


def test_every_digit_is_kept(plugin_host: StartPlugin, stored: Any) -> None:
    host = plugin_host("store", {"url": stored.url})
    figures = ["0.10000000", "12345678901234567890.123456789012345678", "1E-30", "100.10"]
    for number, figure in enumerate(figures):
        host.deliver(order(id=str(number), order_id=f"x-{number}", price=figure, quantity=figure))
    rows = stored.rows("SELECT price FROM orders ORDER BY id")
    assert [Decimal(price).as_tuple() for (price,) in rows] == [
        Decimal(figure).as_tuple() for figure in figures
    ]


def test_times_are_utc_beside_the_venues_own(plugin_host: StartPlugin, stored: Any) -> None:
    host = plugin_host("store", {"url": stored.url})
    host.deliver(
        order(updated_at="2026-01-02T03:04:05.678+08:00", received_at=1_767_300_000_123_456_789)
    )
    ((changed_ms, changed_at, received_ns, received_at),) = stored.rows(
        "SELECT changed_ms, changed_at, received_at_ns, received_at FROM orders"
    )
    assert changed_ms == 1_767_294_245_678
    assert received_ns == 1_767_300_000_123_456_789

    def text(moment: str | datetime) -> str:
        return str(moment).replace("+00:00", "")

    assert text(changed_at) == "2026-01-01 19:04:05.678000"
    assert text(received_at) == "2026-01-01 20:40:00.123456"


def test_events_that_come_again_change_nothing(plugin_host: StartPlugin, stored: Any) -> None:
    events = [
        connected(),
        *worked_master_order(children=3),
        error(VenueError("no such order")),
        disconnected(),
    ]
    plugin_host("store", {"url": stored.url}).deliver(*events)
    before = {table: stored.rows(f"SELECT * FROM {table}") for table in TABLES}
    again = plugin_host("store", {"url": stored.url})
    for start in range(0, len(events), 5):
        again.deliver(*(replace(each, redelivered=True) for each in events[start : start + 5]))
    assert {table: stored.rows(f"SELECT * FROM {table}") for table in TABLES} == before


TABLES = (
    "master_orders",
    "orders",
    "fills",
    "daily_fills",
    "connections",
    "problems",
    "commissions",
)


def test_connections_problems_and_what_is_unknown_are_rows(
    plugin_host: StartPlugin, stored: Any
) -> None:
    host = plugin_host("store", {"url": stored.url})
    host.deliver(
        connected(),
        status("open"),
        error(VenueError("no such order")),
        unknown(),
        disconnected("reset"),
    )
    assert stored.rows("SELECT kind, reason FROM connections ORDER BY seq") == [
        ("connected", None),
        ("status", "open"),
        ("disconnected", "reset"),
    ]
    assert [code for (code,) in stored.rows("SELECT code FROM problems ORDER BY seq")] == [
        "venue",
        "unknown",
    ]


def test_fees_are_by_master_order_and_currency(plugin_host: StartPlugin, stored: Any) -> None:
    events = Events()
    host = plugin_host("store", {"url": stored.url})
    host.deliver(events.master_order(commission={"USDT": "0.10", "BNB": "0.001"}))
    host.deliver(events.master_order(commission={"USDT": "0.30", "BNB": "0.001"}))
    rows = stored.rows("SELECT currency, amount FROM commissions ORDER BY currency")
    assert [(currency, Decimal(amount)) for currency, amount in rows] == [
        ("BNB", Decimal("0.001")),
        ("USDT", Decimal("0.30")),
    ]
    view = "approx_fees" if stored.is_sqlite else "fees"
    rows = stored.rows(f"SELECT currency, amount FROM {view} ORDER BY currency")
    assert [(name, Decimal(str(amount))) for name, amount in rows] == [
        ("BNB", Decimal("0.001")),
        ("USDT", Decimal("0.3")),
    ]


def test_the_views_show_open_master_orders_and_the_volume_weighted_price(
    plugin_host: StartPlugin, stored: Any
) -> None:
    host = plugin_host("store", {"url": stored.url})
    host.deliver(
        master_order(master_order_id="running", status="PROCESSING"),
        master_order(master_order_id="done", status="COMPLETED"),
        fill(
            id="1",
            order_id="a",
            quantity="1",
            price="100",
            cum_quantity="1",
            notional="100",
            side="buy",
        ),
        fill(
            id="2",
            order_id="b",
            quantity="3",
            price="200",
            cum_quantity="3",
            notional="600",
            side="buy",
        ),
    )
    assert stored.rows("SELECT master_order_id FROM open_master_orders") == [("running",)]
    view = "approx_fills_by_day" if stored.is_sqlite else "fills_by_day"
    ((fills, quantity, price),) = stored.rows(
        f"SELECT fills, quantity, volume_weighted_price FROM {view}"
    )
    assert (fills, Decimal(quantity), Decimal(price)) == (2, 4, 175)


# --- fills of two journals ------------------------------------------------------------------------


@pytest.mark.parametrize("journal_id", ["0123456789abcdef", "aaaaaaaaaaaaaaaa"])
def test_a_spare_that_saw_less_adds_only_what_lies_above(
    plugin_host: StartPlugin, stored: Any, journal_id: str
) -> None:
    main = Events()
    state = child(main, "3")
    plugin_host("store", {"url": stored.url}).deliver(state, fill_of(state))
    later = replace(child(Events(), "7", status="FILLED"), journal_id=journal_id)
    # It derives one fill of 7: it knows nothing of the 3.
    told = replace(fill_of(later), journal_id=journal_id, seq=later.seq + 1)
    plugin_host("store", {"url": stored.url}).deliver(
        replace(later, seq=later.seq + 10), replace(told, seq=told.seq + 10)
    )
    rows = stored.rows("SELECT quantity, notional, price FROM fills ORDER BY name")
    assert [tuple(map(Decimal, row)) for row in rows] == [(3, 300, 100), (4, 400, 100)]
    assert stored.adds_up()


def test_a_spare_that_read_the_state_over_rest_leaves_nothing_out(
    plugin_host: StartPlugin, stored: Any
) -> None:
    main = Events()
    state = child(main, "3")
    plugin_host("store", {"url": stored.url}).deliver(state, fill_of(state))
    spare = plugin_host("store", {"url": stored.url})
    rest = child(Events(), "7", origin="baseline", journal_id="b" * 16, seq=50)
    spare.deliver(rest)
    assert stored.adds_up()
    assert stored.rows("SELECT source, origin FROM fills ORDER BY name") == [
        ("fill", "derived"),
        ("order", "baseline"),
    ]


def test_what_was_filled_before_it_was_listened_to_is_a_row_of_its_own(
    plugin_host: StartPlugin, stored: Any
) -> None:
    events = Events()
    host = plugin_host("store", {"url": stored.url})
    host.deliver(child(events, "4", origin="baseline"))
    state = child(events, "6")
    told = fill(
        id="77",
        order_id="x-1",
        master_order_id=state.message.master_order_id,
        quantity="2",
        price="100",
        notional="200",
        cum_quantity="6",
        seq=state.seq + 1,
    )
    host.deliver(state, told)
    rows = stored.rows("SELECT name, quantity, source FROM fills ORDER BY name")
    assert [(name, Decimal(quantity), source) for name, quantity, source in rows] == [
        ("4", 4, "order"),
        ("6", 2, "fill"),
    ]


def test_an_order_whose_fill_comes_in_the_next_batch_has_it_once(
    plugin_host: StartPlugin, stored: Any
) -> None:
    events = Events()
    host = plugin_host("store", {"url": stored.url})
    state = child(events, "3")
    host.deliver(state)
    assert stored.count("fills") == 0
    host.deliver(fill_of(state))
    assert stored.rows("SELECT source FROM fills") == [("fill",)]
    host.deliver(child(events, "3", status="CANCELLED"))
    assert stored.adds_up()
    assert stored.count("fills") == 1


def test_a_state_without_its_fill_is_made_good_at_the_next_event(
    plugin_host: StartPlugin, stored: Any
) -> None:
    events = Events()
    host = plugin_host("store", {"url": stored.url})
    host.deliver(child(events, "3"))
    host.deliver(events.status("open"))
    assert stored.adds_up()
    assert stored.rows("SELECT source, origin FROM fills") == [("order", "stream")]


@pytest.mark.parametrize(("silence", "until_then"), [(50.0, []), (70.0, [("order", 1)])])
def test_a_state_waits_for_its_fill_for_a_minute_and_a_later_one_is_a_fill_too(
    plugin_host: StartPlugin,
    stored: Any,
    monkeypatch: pytest.MonkeyPatch,
    silence: float,
    until_then: list[tuple[str, int]],
) -> None:
    now = 1000.0
    monkeypatch.setattr("qehost_store.backlog.monotonic", lambda: now)
    host = plugin_host("store", {"url": stored.url})
    state = child(Events(), "3")
    host.deliver(state)
    now += silence
    host.tick()
    assert stored.rows("SELECT source, seq FROM fills") == until_then
    now += 3600
    told = fill_of(state)
    host.deliver(told)
    assert stored.rows("SELECT source, seq, message_id FROM fills") == [
        ("fill", told.seq, told.message_id)
    ]
    assert stored.adds_up()


def test_a_fill_that_is_told_after_another_event_of_its_batch_is_a_fill(
    plugin_host: StartPlugin, stored: Any
) -> None:
    events = Events()
    host = plugin_host("store", {"url": stored.url})
    state = child(events, "3")
    between = events.status("open")
    host.deliver(state, between, replace(fill_of(state), seq=between.seq + 1))
    assert stored.rows("SELECT source, seq FROM fills") == [("fill", between.seq + 1)]
    assert stored.adds_up()


def test_what_was_filled_before_keeps_its_label_beside_a_fill_of_another_quantity(
    plugin_host: StartPlugin, stored: Any
) -> None:
    host = plugin_host("store", {"url": stored.url})
    state = child(Events(), "4", origin="baseline")
    host.deliver(state)
    told = fill_of(state)
    assert told.exact is not None
    part = replace(told, exact=replace(told.exact, quantity=Decimal(1), notional=Decimal(100)))
    host.deliver(part)
    assert stored.rows("SELECT source, seq FROM fills") == [("order", state.seq)]


def test_an_amended_order_keeps_its_fills(plugin_host: StartPlugin, stored: Any) -> None:
    events = Events()
    host = plugin_host("store", {"url": stored.url})
    first = child(events, "3")
    host.deliver(first, fill_of(first))
    amended = child(events, "5", order_id="x-2")
    # Of an order that qehost knows, the increase is derived.
    told = replace(
        fill_of(amended),
        exact=replace(fill_of(amended).exact, quantity=Decimal(2), notional=Decimal(200)),
    )
    host.deliver(amended, told)
    assert stored.count("orders") == 1
    rows = stored.rows("SELECT order_id, quantity FROM fills ORDER BY name")
    assert [(name, Decimal(quantity)) for name, quantity in rows] == [("x-1", 3), ("x-2", 2)]


def test_a_final_state_stays_and_stale_ones_are_no_states(
    plugin_host: StartPlugin, stored: Any
) -> None:
    events = Events()
    host = plugin_host("store", {"url": stored.url})
    done = child(events, "10", status="FILLED")
    host.deliver(done, fill_of(done))
    host.deliver(replace(child(events, "2"), stale=True))
    other = replace(child(events, "5"), journal_id="c" * 16)
    host.deliver(other)
    assert stored.rows("SELECT status FROM orders") == [("FILLED",)]
    assert stored.adds_up()


def test_a_contracts_notional_in_another_currency_makes_no_price(
    plugin_host: StartPlugin, stored: Any
) -> None:
    # 7 contracts of 100 USD: the notional is in coins, and the spare derives all of them anew.
    figures = {"id": "77", "order_id": "x-1", "category": "perp_cm", "price": "60000"}
    host = plugin_host("store", {"url": stored.url})
    host.deliver(fill(quantity="3", notional="0.005", cum_quantity="3", **figures))
    spare = fill(quantity="7", notional="0.014", cum_quantity="7", journal_id="b" * 16, **figures)
    host.deliver(spare)
    rows = stored.rows("SELECT quantity, notional, price FROM fills ORDER BY name")
    assert [tuple(map(Decimal, row)) for row in rows] == [
        (3, Decimal("0.005"), 60000),
        (4, Decimal("0.008"), 60000),
    ]


def test_pushed_fills_of_v1_count_by_their_message(plugin_host: StartPlugin, stored: Any) -> None:
    def pushed(seq: int, message_id: str) -> AnyEvent:
        return fill(
            seq=seq,
            message_id=message_id,
            master_order_id="m-1",
            order_id="o-1",
            quantity="0.5",
            price="100",
            origin="stream",
        )

    host = plugin_host("store", {"url": stored.url})
    host.deliver(pushed(1, "a"), pushed(2, "b"))
    host.deliver(pushed(3, "b"), pushed(4, "c"))
    assert stored.count("fills") == 3
    ((quantity, notional),) = stored.rows("SELECT fills_quantity, fills_notional FROM orders")
    assert (Decimal(quantity), Decimal(notional)) == (Decimal("1.5"), Decimal("150"))


# --- what a database refuses ----------------------------------------------------------------------


def test_a_text_with_a_nul_is_written(plugin_host: StartPlugin, stored: Any) -> None:
    host = plugin_host("store", {"url": stored.url})
    host.deliver(master_order(notes="a\0b"))
    assert stored.rows("SELECT notes FROM master_orders") == [("a�b",)]


def test_an_event_that_is_refused_is_a_dead_letter_alone_and_is_taken_later(
    plugin_host: StartPlugin, stored: Any
) -> None:
    events = Events()
    host = plugin_host("store", {"url": stored.url})
    if stored.is_sqlite:
        refuse, allow = (
            """CREATE TRIGGER no_b BEFORE INSERT ON master_orders WHEN NEW.master_order_id = 'b'
            BEGIN SELECT RAISE(ABORT, 'no b here'); END""",
            "DROP TRIGGER no_b",
        )
    else:
        refuse, allow = (
            "ALTER TABLE master_orders ADD CONSTRAINT no_b CHECK (master_order_id <> 'b')",
            "ALTER TABLE master_orders DROP CONSTRAINT no_b",
        )
    stored.run(refuse)
    batch = [events.master_order(master_order_id=name) for name in "abc"]
    with pytest.raises(HookError, match=r"no_b|no b here"):
        host.deliver(*batch)
    names = "SELECT master_order_id FROM master_orders ORDER BY 1"
    assert stored.rows(names) == [("a",), ("c",)]
    assert stored.rows("SELECT seq FROM refused") == [(2,)]
    stored.run(allow)
    host.deliver(replace(batch[1], attempt=2))
    assert stored.rows(names) == [("a",), ("b",), ("c",)]
    assert stored.count("refused") == 0
    assert stored.rows("SELECT seq FROM cursors") == [(3,)]


def test_postgresql_looks_up_each_order_also_in_tables_that_it_has_not_counted(
    plugin_host: StartPlugin, postgresql: Any
) -> None:
    """Plans are made when tables are small, and stay when they have grown."""
    host, events = plugin_host("store", {"url": postgresql.url}), Events()
    for batch in range(40):
        names = [f"{batch}-{number}" for number in range(50)]
        host.deliver(*(child(events, None, id_=name, order_id=f"x-{name}") for name in names))
    host.stop()
    deadline = time.monotonic() + 60
    # The server tells it when the connection has ended.
    while postgresql.rows("SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'orders'") != [
        (2000,)
    ]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ((read,),) = postgresql.rows(
        """SELECT seq_tup_read + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes
        WHERE relname = 'orders') FROM pg_stat_user_tables WHERE relname = 'orders'"""
    )
    assert read < 2000  # all of the table for each batch: 39,000


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://x/y", "SQLite .* or PostgreSQL"),
        ("trades.db", "expected sqlite"),
        ("sqlite://", "names a file"),
    ],
)
def test_a_url_that_is_none_is_refused_with_its_place(url: str, told: str) -> None:
    with pytest.raises(PluginError, match=f"plugins.store: url: .*{told}"):
        PluginHost("store", {"url": url})


def test_a_refused_url_is_not_shown() -> None:
    with pytest.raises(PluginError) as raised:
        PluginHost("store", {"url": "mysql://user:s3cretpass@host/db"})
    assert "s3cretpass" not in str(raised.value)


def test_without_a_url_it_is_a_file_in_its_own_folder(plugin_host: StartPlugin) -> None:
    host = plugin_host("store")
    host.deliver(*worked_master_order())
    assert (host.context.state_dir / "store.db").exists()
