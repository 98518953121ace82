"""When /healthz is 503, with which reason."""

import time

import pytest
from msgspec.structs import replace
from qehost import CallStatus, CursorState, PluginProblem, UnreadableJournal

NOW = time.time()


def changed(status, connection=(), host=(), plugin=()):
    one = status.hosts[0]
    plugins = [replace(one.plugins[0], **dict(plugin))]
    return replace(
        status,
        connections=[replace(status.connections[0], **dict(connection))],
        hosts=[replace(one, plugins=plugins, **dict(host))],
    )


def test_all_is_well(serving):
    page = serving.get("/healthz")
    assert (page.status, page.json()["reasons"]) == (200, [])
    assert page.headers["Content-Type"] == "application/json"
    assert serving.get().value("qehost_healthy") == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"connection": {"state": "waiting", "down_since": NOW - 20, "why": "x"}}, "not connected"),
        ({"connection": {"protected": False}}, "not journalled"),
        ({"host": {"ready": False, "since": NOW - 20}}, "starting"),
        ({"host": {"pid": 0, "since": NOW - 20, "why": "killed"}}, "down: killed"),
        ({"host": {"cursors": [CursorState("main", 3, 9, 61.0)]}}, "9 events of account main"),
        (
            {"host": {"call": CallStatus("x", "on_order", "main", 4, 61.0)}},
            "in on_order of plugin x",
        ),
        (
            {"host": {"unreadable": [UnreadableJournal("main", "no rights", NOW)]}},
            "account main can't be read: no rights",
        ),
        ({"plugin": {"state": "refused", "why": "no such setting"}}, "refused: no such setting"),
        ({"plugin": {"state": "waiting", "why": "database"}}, "waiting: database"),
        ({"plugin": {"problems": [PluginProblem("x", "disk", "full", NOW)]}}, "disk: full"),
        ({"plugin": {"cursors": [CursorState("main", 3, 9, 61.0)]}}, "plugin x: 9 events"),
    ],
)
def test_what_is_wrong_is_503_with_the_reason(serving, changes, reason):
    serving.host.status = changed(serving.host.status, **changes)
    page = serving.get("/healthz")
    assert page.status == 503
    (told,) = page.json()["reasons"]
    assert reason in told
    assert serving.get().value("qehost_healthy") == 0


def test_what_just_began_is_no_reason_yet(serving):
    now = time.time()
    connection = {"state": "connecting", "down_since": now - 1}
    host = {"cursors": [CursorState("main", 3, 900, 5.0)]}
    serving.host.status = changed(serving.host.status, connection, host)
    assert serving.get("/healthz").status == 200


def test_an_old_status_and_none_are_reasons(serving):
    serving.host.status = replace(serving.host.status, written_at=time.time() - 8)
    assert "supervisor" in serving.get("/healthz").json()["reasons"][0]
    serving.host.status = None
    assert "no status" in serving.get("/healthz").json()["reasons"][0]
    assert serving.get().status == 200, "what was counted is there all the same"
