"""What is kept of orders, in what bounds.  No page and no clock."""

import json
from decimal import Decimal

import pytest
from lives import refused, renumbered, source, working
from qehost import ConnectionState, CursorState, HostState, PluginState, Status
from qehost.testing import worked_master_order

from qehost_dashboard.desk import Desk
from qehost_dashboard.guard_audit import GuardAudit
from qehost_dashboard.health import health_of
from qehost_dashboard.problems import KEPT, Problem, Problems
from qehost_dashboard.traces import POINTS, Trace


def desk_of(events):
    desk = Desk()
    for event in renumbered(events):
        desk.take(event)
    return desk


def only(desk):
    (row,) = desk.changes().masters
    return row


def test_a_row_is_made_once_however_often_it_changed():
    desk = desk_of(working(source(), "mo-1"))
    assert len(desk.changes().masters) == 1
    assert desk.changes() is None


@pytest.mark.parametrize(("side", "cost"), [("buy", Decimal("1.000")), ("sell", Decimal("-1.000"))])
def test_cost_is_positive_where_it_cost(side, cost):
    events = source()
    child = {"master_order_id": "mo-1", "id": "v", "order_id": "x", "side": side, "quantity": "1"}
    own = {"master_order_id": "mo-1", "side": side, "total_quantity": "1"}
    first = events.order(**child, filled_quantity="0.5", average_price="100")
    then = events.order(**child, filled_quantity="1", average_price="101", status="FILLED")
    made = [
        events.master_order(status="NEW", **own),
        events.master_order(status="PROCESSING", **own),
        first,
        events.fill_of(first, "0.5"),
        then,
        events.fill_of(then, "0.5"),
    ]
    row = only(desk_of(made))
    assert row.average == Decimal(101)
    assert row.cost == cost
    assert row.cost_bps == 100 * cost


def test_no_cost_is_told_where_it_would_be_a_guess():
    inverse = only(desk_of(working(source(), "mo-1", category="perp_cm")))
    assert inverse.cost is None
    partly = only(desk_of(working(source(), "mo-1")[3:]))
    assert partly.cost is None
    assert partly.incomplete


def test_a_pause_is_kept_from_when_to_when():
    events = source()
    own = {"master_order_id": "mo-1"}
    statuses = ["NEW", "PROCESSING", "PAUSED", "PAUSED", "PROCESSING", "PAUSED"]
    row = only(desk_of(events.master_order(status=status, **own) for status in statuses))
    (begun, ended), (again, open_end) = row.pauses
    assert begun < ended < again
    assert open_end == 0


def test_orders_that_are_no_longer_kept_are_gone_from_the_page_too():
    events = source(ago=3600)
    desk, shown = Desk(finished=10), set()
    for number in range(130):
        life = worked_master_order(events=events, master_order_id=f"mo-{number}", children=1)
        for event in life:
            desk.take(event)
        changes = desk.changes()
        shown |= {(row.account, row.id) for row in changes.masters}
        shown -= set(changes.gone)
    assert len(shown) < 111
    assert shown == {(row.account, row.id) for row in desk.everything().masters}


def test_child_orders_of_an_order_are_bounded_and_those_that_are_open_are_among_them():
    events = source(ago=3600)
    made = working(events, "mo-1")
    made += [refused(events, "mo-1", number=number) for number in range(300)]
    desk = desk_of(made)
    children = desk.order("main", "mo-1").children
    assert len(children) <= 51
    assert children[0].is_open


def test_a_trace_is_thinned_and_adds_up_to_the_same():
    class Fill:
        def __init__(self, at):
            self.venue_at, self.at = at, at
            self.quantity, self.price = Decimal("0.5"), Decimal(at)

    trace = Trace()
    for at in range(10_000, 0, -1):
        trace.add(Fill(at))
    points = trace.points()
    assert len(points) < 2 * POINTS
    assert sum(quantity for _, quantity, _ in points) == 5000
    assert points == sorted(points)
    assert trace.last_fill == 10_000


def test_problems_of_a_kind_are_counted_and_the_last_ones_kept():
    problems = Problems()
    for at in range(1, 4):
        kept = problems.add(Problem("rejected", "main", "no margin", at=at))
    assert (kept.count, kept.first, kept.at) == (3, 1, 3)
    for number in range(2 * KEPT):
        problems.add(Problem("rejected", "main", str(number), at=10))
    assert [each.text for each in problems][-1] == str(2 * KEPT - 1)
    assert len(list(problems)) == KEPT


def test_what_is_wrong_with_qehost_is_told():
    plugins = [
        PluginState("store", False, 1, 0, 0, 0, 0, 0, 0, "waiting", "no database", 5.0),
        PluginState("notify", True, 1, 0, 0, 0, 0, 0, 3),
    ]
    host = HostState("main", 1, True, 0, [CursorState("main", 1, 70, 9.0)], None, plugins)
    down = HostState("slow", 0, False, 1, [], None, [], why="killed")
    connection = ConnectionState("main", 1, "waiting", 1.0, 0, 1, 2.0, 2.0, 71, True, 10, 3.0, "no")
    status = Status("1", 1, 0.0, 0.0, "", [connection], [host, down])
    health = health_of(status, 30.0)
    kinds = [trouble.kind for trouble in health.troubles]
    assert kinds == ["status", "down", "behind", "plugin", "dead_letters", "process"]
    assert (health.behind, health.dead_letters, health.plugins) == (70, 3, 1)


def step(intent, state, **more):
    return json.dumps({"intent": intent, "step": 1, "state": state, "rule": "r", **more}) + "\n"


def test_what_the_guard_did_is_read_on_and_a_torn_line_costs_itself(tmp_path):
    file = tmp_path / "audit.jsonl"
    audit = GuardAudit(file)
    assert audit.read() is None
    file.write_text("rest of a line}\n" + step(1, "intent") + step(2, "dry", armed=False))
    assert [(each.intent, each.state) for each in audit.read()] == [(2, "dry"), (1, "intent")]
    assert audit.read() is None
    with file.open("a") as more:
        more.write(step(1, "done") + step(3, "calling")[:-20])
    assert [(each.intent, each.state) for each in audit.read()] == [(1, "done"), (2, "dry")]
    with file.open("a") as more:
        more.write(step(3, "calling")[-20:])
    assert audit.read()[0].state == "calling"
    file.unlink()
    file.write_text(step(9, "moot"))
    assert audit.read()[0].intent == 9
