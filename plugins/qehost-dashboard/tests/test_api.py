"""What is answered as JSON."""

import json

import pytest
from lives import day, refused, source, working
from qehost import Status
from qehost.errors import HookError


def has_all(state):
    return len(state["changes"].get("masters", [])) == 4


@pytest.fixture(scope="module")
def served(open_page):
    """One that has a day's orders: no test here adds to them."""
    open_page.deliver(*day())
    open_page.state_when(has_all)
    return open_page


def test_the_state_has_orders_fills_and_problems_with_exact_figures(served):
    state = served.json("/api/state")
    rows = {row["id"]: row for row in state["changes"]["masters"]}
    first = rows["mo-1"]
    assert (first["filled"], first["target"], first["share"]) == ("0.6", "1.5", 0.4)
    assert (first["average"], first["first_price"], first["cost_bps"]) == ("97000", "97000", "0.00")
    assert first["children"] == {"open": 1, "rejected": 1}
    assert (first["up_tolerance"], first["low_tolerance"]) == (0.2, 0.1)
    assert first["room_bps"] == "102.04"
    assert not rows["mo-3"].get("is_open")
    assert rows["mo-4"]["reason"] == "No funds"
    assert len(state["changes"]["fills"]) == 8
    texts = [(each["kind"], each["text"]) for each in state["changes"]["problems"]]
    assert texts == [("rejected", "Margin is insufficient"), ("master_order", "No funds")]


def test_what_was_before_the_start_is_read_from_the_journal(serve):
    served = serve(history=day())
    state = served.state_when(has_all)
    assert len(state["changes"]["fills"]) == 8


def test_an_event_that_is_in_the_journal_and_comes_again_is_taken_once(serve):
    events = day()
    served = serve(history=events)
    served.state_when(has_all)
    before = served.json("/api/state")["changes"]
    served.deliver(*events)
    served.deliver(refused(source(), "mo-2", "later", seq=1000))
    after = served.state_when(lambda state: len(state["changes"].get("problems", [])) == 3)[
        "changes"
    ]
    assert after["fills"] == before["fills"]


def test_master_orders_are_filtered(served):
    def ids(query):
        return {row["id"] for row in served.json(f"/api/master-orders?{query}")["master_orders"]}

    assert ids("") == {"mo-1", "mo-2", "mo-3", "mo-4"}
    assert ids("open=true") == {"mo-1", "mo-2"}
    assert ids("open=false&symbol=solusdt") == {"mo-3"}
    assert ids("account=other") == set()


def test_a_master_order_comes_with_its_child_orders_and_the_picture_of_its_fills(served):
    found = served.json("/api/master-orders/main/mo-1")
    assert found["master"]["id"] == "mo-1"
    assert [child["status"] for child in found["children"]] == ["PLACED", "REJECTED"]
    assert [fill["quantity"] for fill in found["fills"]] == ["0.6"]
    ((_, quantity, price),) = found["trace"]
    assert (quantity, price) == (0.6, 97000.0)


def test_an_id_with_any_sign_in_it_is_found(serve):
    served = serve()
    served.deliver(*working(source(), "a/b c?d#é"))
    served.state_when(lambda state: state["changes"].get("masters"))
    assert (
        served.json("/api/master-orders/main/a%2Fb%20c%3Fd%23%C3%A9")["master"]["filled"] == "0.6"
    )


def test_pages_of_the_journal_have_each_event_once(served):
    seen, query = [], "limit=7"
    while True:
        page = served.json(f"/api/events?{query}")
        seen += [event["seq"] for event in page["events"]]
        if page["next"] is None:
            break
        query = f"limit=7&before_seq={page['next']}"
    assert seen == sorted((event.seq for event in day()), reverse=True)


def test_pages_of_the_journal_are_filtered(served):
    fills = served.json("/api/events?kinds=fill&symbol=SOLUSDT")["events"]
    assert {event["kind"] for event in fills} == {"fill"}
    assert len(fills) == 6
    of_one = served.json("/api/events?master=mo-4")["events"]
    assert [event["fields"]["reject_reason"] for event in of_one] == ["No funds"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("account=other", "account"),
        ("kinds=fills", "kinds"),
        ("limit=0", "limit"),
        ("limit=100000", "limit"),
        ("before_seq=x", "before_seq"),
        ("before_seq=-1", "before_seq"),
        ("limit=²", "limit"),
    ],
)
def test_a_question_that_is_wrong_is_refused_with_its_name(served, query, why):
    status, _, body = served.ask(f"/api/events?{query.replace('²', '%C2%B2')}")
    assert status == 400
    assert json.loads(body)["error"].startswith(why)


def test_what_is_not_there_is_told_as_json(served):
    assert served.ask("/api/nothing")[0] == 404
    assert served.ask("/static/../settings.py")[0] == 404
    assert served.ask("/api/master-orders/main/none")[0] == 404
    assert served.ask("/api/state", "POST")[0] == 405
    assert "error" in json.loads(served.ask("/api/nothing")[2])


def test_a_file_that_the_browser_has_is_not_sent_again(served):
    _, headers, _ = served.ask("/static/app.js")
    assert served.ask("/static/app.js", if_none_match=headers["etag"])[0] == 304


def test_an_error_of_another_plugin_is_among_the_problems(serve):
    class Failing:
        def on_fill(self, message):
            raise ValueError("bad")

    served = serve(beside=[Failing()], raises=False)
    served.deliver(*working(source(), "mo-1"))
    state = served.state_when(lambda state: state["changes"].get("problems"))
    (problem,) = state["changes"]["problems"]
    assert problem["kind"] == "plugin"
    assert "bad" in problem["text"]
    assert isinstance(served.host.errors[0], HookError)


def test_a_flood_of_rejects_is_one_problem_with_its_count(serve):
    served = serve()
    events = source()
    served.deliver(*working(events, "mo-1"))
    served.deliver(*(refused(events, "mo-1", number=number) for number in range(200)))
    state = served.state_when(
        lambda state: sum(p.get("count", 1) for p in state["changes"].get("problems", [])) == 200
    )
    assert len(state["changes"]["problems"]) == 1


def test_the_status_of_the_run_is_shown(serve):
    served = serve()
    served.host.status = Status("9.9", 1, 0.0, 0.0, "", [], [])
    wait = served.state_when(lambda state: state["health"].get("version") == "9.9")
    (trouble,) = wait["health"]["troubles"]
    assert trouble["kind"] == "status"
    assert served.json("/api/health")["version"] == "9.9"
