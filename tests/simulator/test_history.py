"""What REST is told of orders: the last state of each, newest first, as asked for."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from qehost.messages import MasterOrderDetail, OrderDetail
from qehost.simulator import history as history_module
from qehost.simulator.history import History
from qehost.simulator.market import Market
from qehost.simulator.orders import FINISHED, OrderUpdate

NOW = 1_735_372_000_000


@pytest.fixture(scope="module")
def updates() -> list[OrderUpdate]:
    market = Market(5, NOW)
    return [market.step(NOW + 1_000 * number) for number in range(600)]


def recorded(updates: list[OrderUpdate]) -> History:
    history = History()
    for update in updates:
        history.record(update)
    return history


def latest(updates: list[OrderUpdate], kind: type, name: str) -> dict[str, object]:
    """The last state of each order."""
    found = {}
    for update in updates:
        if isinstance(update.subject, kind):
            found[getattr(update.subject, name)] = update.subject
    return found


def test_each_order_is_there_once_in_its_last_state(updates: list[OrderUpdate]) -> None:
    history = recorded(updates)
    masters = history.master_orders({}, None, None)
    orders = history.order_fills({}, None, None)
    assert {each.master_order_id: each for each in masters} == latest(
        updates, MasterOrderDetail, "master_order_id"
    )
    assert {each.id: each for each in orders} == latest(updates, OrderDetail, "id")
    assert len(masters) == len({each.master_order_id for each in masters})


def test_the_newest_comes_first(updates: list[OrderUpdate]) -> None:
    created = [each.created_at for each in recorded(updates).master_orders({}, None, None)]
    assert created == sorted(created, reverse=True)


def test_new_means_all_that_run_and_completed_all_that_do_not(updates: list[OrderUpdate]) -> None:
    history = recorded(updates)
    running, ended, everything = (
        history.master_orders(wanted, None, None)
        for wanted in ({"status": "NEW"}, {"status": "COMPLETED"}, {})
    )
    assert running
    assert ended
    assert not {each.status for each in running} & FINISHED
    assert {each.status for each in ended} <= FINISHED
    assert len(running) + len(ended) == len(everything)


@pytest.mark.parametrize("status", ["PROCESSING", "CANCELLED", "new", "NEW,COMPLETED"])
def test_no_other_status_finds_a_master_order(updates: list[OrderUpdate], status: str) -> None:
    assert recorded(updates).master_orders({"status": status}, None, None) == []


def test_child_orders_are_chosen_by_several_statuses_and_by_their_master(
    updates: list[OrderUpdate],
) -> None:
    history = recorded(updates)
    chosen = history.order_fills({"status": "FILLED,CANCELLED"}, None, None)
    assert {each.status for each in chosen} == {"FILLED", "CANCELLED"}
    master = history.master_order(chosen[0].master_order_id)
    assert master is not None
    assert history.by_client_order_id(master.client_order_id) is master
    of_one = history.order_fills({"client_order_id": master.client_order_id}, None, None)
    assert {each.master_order_id for each in of_one} == {master.master_order_id}
    assert history.order_fills({"client_order_id": "nobody's"}, None, None) == []


@pytest.mark.parametrize("which", ["updated", "created"])
def test_a_time_range_includes_its_ends(updates: list[OrderUpdate], which: str) -> None:
    history = History(which)  # type: ignore[arg-type]
    for update in updates:
        history.record(update)
    everything = history.order_fills({}, None, None)
    moments = sorted(datetime.fromisoformat(getattr(each, f"{which}_at")) for each in everything)
    since, until = moments[len(moments) // 3], moments[len(moments) // 2]
    chosen = history.order_fills({}, since, until)
    assert len(chosen) == sum(since <= moment <= until for moment in moments) > 0
    assert len(history.order_fills({}, until + timedelta(days=1), None)) == 0


def test_the_oldest_make_room(updates: list[OrderUpdate], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "_MASTERS", 3)
    first = next(u.subject for u in updates if isinstance(u.subject, MasterOrderDetail))
    history = History()
    for number in range(4):
        name = f"m-{number}"
        history.record(
            OrderUpdate(replace(first, master_order_id=name, client_order_id=f"c-{number}"))
        )
    left = [each.master_order_id for each in history.master_orders({}, None, None)]
    assert left == ["m-3", "m-2", "m-1"]
    assert history.by_client_order_id("c-0") is None
