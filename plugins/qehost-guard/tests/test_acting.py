"""The local venue really pauses and cancels, and loses answers after it has."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from desk import ARMED, REJECTS, Desk, at_work, lines, read, wait_for
from qehost import API
from qehost.errors import HookError
from qehost.testing import PluginHost, StartPlugin, Venue, master_order, order

from qehost_guard import Guard
from qehost_guard.intents import Intents

CANCEL = {**ARMED, "rules": [{"rejects": 1, "within": "60s", "action": "cancel"}]}
UNCLEAR = ["rest-lost", "rest-done-500", "rest-delayed"]


def test_an_order_is_paused_once(plugin_host: StartPlugin, desk: Desk) -> None:
    host = plugin_host(Guard, ARMED)

    for _ in range(5):
        desk.reject(host)

    done = desk.outcome(host)
    assert (done.state, done.how, done.attempts) == ("done", "answered", 1)
    assert desk.status(host) == "PAUSED"
    assert desk.calls() == [200]


def test_a_dry_run_says_what_it_would_do(plugin_host: StartPlugin, desk: Desk) -> None:
    host = plugin_host(Guard, REJECTS)

    desk.reject(host)

    assert desk.outcome(host).state == "dry"
    assert desk.calls() == []
    (line,) = lines(host.context.state_dir)
    assert line["reason"] == "1 rejected child orders within 60s"
    assert line["figures"]["rejects"] == "1"  # type: ignore[index]


@pytest.mark.parametrize("fault", UNCLEAR)
def test_a_lost_answer_is_read_back_and_nothing_is_sent_twice(
    plugin_host: StartPlugin, desk: Desk, fault: str
) -> None:
    host = plugin_host(Guard, {**ARMED, "settle": "5m"})
    desk.spoil(host, fault)

    desk.reject(host)

    done = desk.outcome(host)
    assert (done.state, done.how, done.attempts) == ("done", "read back", 1)
    assert len(desk.calls()) == 1


def test_a_late_answer_is_waited_for(plugin_host: StartPlugin, desk: Desk) -> None:
    host = plugin_host(Guard, ARMED)
    desk.spoil(host, "rest-late")

    desk.reject(host)

    assert (desk.outcome(host).how, desk.calls()) == ("answered", [200])


def test_a_cancel_whose_answer_was_lost_is_known_by_its_mark(
    plugin_host: StartPlugin, desk: Desk
) -> None:
    host = plugin_host(Guard, CANCEL)
    desk.spoil(host, "rest-lost")

    desk.reject(host)

    done = desk.outcome(host)
    assert (done.state, done.how) == ("done", "read back")
    assert host.context.api("main").master_order(desk.id).reject_reason == done.mark


def test_what_was_not_carried_out_is_sent_again(plugin_host: StartPlugin, desk: Desk) -> None:
    host = plugin_host(Guard, ARMED)
    desk.spoil(host, "rest-500")

    desk.reject(host)

    done = desk.outcome(host)
    assert (done.state, done.how, done.attempts) == ("done", "answered", 2)
    assert desk.calls() == [500, 200]


@pytest.mark.parametrize("fault", ["rest-429", "rest-418"])
def test_a_busy_venue_is_given_the_time_it_asks_for(
    plugin_host: StartPlugin, desk: Desk, fault: str
) -> None:
    host = plugin_host(Guard, ARMED)
    desk.spoil(host, fault)
    begun = time.monotonic()

    desk.reject(host)

    assert desk.outcome(host).state == "done"
    assert time.monotonic() - begun >= 1
    assert desk.calls() == [int(fault[-3:]), 200]


@pytest.mark.parametrize("answer", [None, [], {}, {"success": None}, {"success": "perhaps"}])
def test_an_answer_that_is_no_clear_yes_is_none(
    plugin_host: StartPlugin, desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    host = plugin_host(Guard, ARMED)
    _answer_once(monkeypatch, answer)

    desk.reject(host)

    done = desk.outcome(host)
    assert (done.state, done.how, done.attempts) == ("done", "answered", 2)
    assert desk.calls() == [200]


@pytest.mark.parametrize("no", [False, "false"])
def test_a_no_in_a_good_answer_is_a_refusal(
    plugin_host: StartPlugin, desk: Desk, monkeypatch: pytest.MonkeyPatch, no: object
) -> None:
    host = plugin_host(Guard, ARMED)
    # Half a character, which JSON can hold and no file.
    _answer_once(monkeypatch, {"success": no, "message": "not today \ud83d" + 5000 * "!"})

    desk.reject(host)

    refused = desk.outcome(host)
    assert (refused.state, refused.how, refused.attempts) == ("refused", "answered", 1)
    assert r"not today \ud83d!" in refused.text
    assert lines(host.context.state_dir)[-1]["text"] == refused.text


def test_a_clear_refusal_is_final(plugin_host: StartPlugin, desk: Desk) -> None:
    host = plugin_host(Guard, ARMED)
    desk.spoil(host, "rest-404")

    desk.reject(host)

    refused = desk.outcome(host)
    assert (refused.state, refused.how, refused.attempts) == ("refused", "answered", 1)
    assert "there is no such resource" in refused.text
    assert desk.calls() == [404]


@pytest.mark.parametrize(("action", "status"), [("pause", "PAUSED"), ("cancel", "CANCELLED")])
def test_what_a_person_did_first_is_left_alone(
    plugin_host: StartPlugin, desk: Desk, action: str, status: str
) -> None:
    host = plugin_host(Guard, ARMED)
    getattr(host.context.api("main"), f"{action}_master_order_v2")(desk.id)

    desk.reject(host)

    moot = desk.outcome(host)
    assert (moot.state, moot.how) == ("moot", "read back")
    assert status in moot.text


def test_an_order_that_a_person_resumed_is_not_paused_again(
    plugin_host: StartPlugin, desk: Desk
) -> None:
    host = plugin_host(Guard, ARMED)
    desk.reject(host)
    desk.outcome(host)
    host.context.api("main").resume_master_order_v2(desk.id)
    host.stop()

    again = plugin_host(Guard, ARMED)
    desk.reject(again)

    assert desk.outcome(again).id == 1
    assert desk.status(again) == "PROCESSING"
    assert desk.calls() == [200]


def test_a_rule_that_was_rearmed_acts_on_the_order_once_more(
    plugin_host: StartPlugin, desk: Desk
) -> None:
    host = plugin_host(Guard, ARMED)
    desk.reject(host)
    desk.outcome(host)
    host.context.api("main").resume_master_order_v2(desk.id)

    with closing(Intents(host.context.state_dir / "guard.db")) as intents:
        assert intents.rearm("rejects-pause") == 1

    def acts() -> bool:
        desk.reject(host)
        return desk.calls() == [200, 200]

    wait_for(acts, "the second pause")
    assert desk.outcome(host).state == "done"


@pytest.mark.parametrize("restored", ["nothing", "no row", "an earlier step"])
def test_a_table_that_has_lost_something_gets_it_from_the_audit_file(
    plugin_host: StartPlugin, desk: Desk, restored: str
) -> None:
    host = plugin_host(Guard, ARMED)
    folder = host.context.state_dir
    host.stop()
    with closing(Intents(folder / "guard.db")) as intents:
        intents.rearm("rejects-pause")
    if restored == "an earlier step":
        desk.leave_an_intent(folder, ARMED)
    with closing(sqlite3.connect(folder / "guard.db")) as db:
        copy = db.serialize()
    host = plugin_host(Guard, ARMED, history=desk.rejected())
    desk.reject(host)
    before = desk.outcome(host)
    host.context.api("main").resume_master_order_v2(desk.id)
    host.stop()
    for file in folder.glob("guard.db*"):
        file.unlink()
    if restored != "nothing":
        (folder / "guard.db").write_bytes(copy)

    again = plugin_host(Guard, ARMED)
    desk.reject(again)

    assert desk.outcome(again) == before
    assert desk.calls() == [200]
    assert desk.status(again) == "PROCESSING"


def test_a_table_that_is_damaged_is_told_and_nothing_is_called(
    plugin_host: StartPlugin, desk: Desk
) -> None:
    host = plugin_host(Guard, ARMED)
    folder = host.context.state_dir
    host.stop()
    (folder / "guard.db").write_bytes(b"damaged" * 1000)

    with pytest.raises(HookError, match=r"guard\.db: file is not a database"):
        plugin_host(Guard, ARMED)
    assert desk.calls() == []


def test_what_is_found_while_the_table_can_not_be_written_is_done_when_it_can(
    plugin_host: StartPlugin, desk: Desk
) -> None:
    host = plugin_host(Guard, ARMED)
    with closing(
        sqlite3.connect(host.context.state_dir / "guard.db", isolation_level=None)
    ) as other:
        other.execute("BEGIN EXCLUSIVE")
        desk.reject(host)
        assert "database is locked" in host.problems["table"]
        assert desk.calls() == []

    assert desk.outcome(host).state == "done"
    assert desk.calls() == [200]
    assert "table" not in host.problems


def test_what_is_over_before_the_table_can_be_written_is_left_alone(
    plugin_host: StartPlugin, desk: Desk
) -> None:
    host = plugin_host(Guard, ARMED)
    with closing(
        sqlite3.connect(host.context.state_dir / "guard.db", isolation_level=None)
    ) as other:
        other.execute("BEGIN EXCLUSIVE")
        desk.reject(host)
        host.deliver(desk.told("PAUSED"))

    host.tick()

    assert "table" not in host.problems
    assert read(host.context.state_dir, Intents.all) == []


def test_each_account_has_its_own_orders(tmp_path: Path) -> None:
    with (
        Venue(seed=1, accounts=2) as venue,
        PluginHost(Guard, ARMED, accounts=["one", "two"], state_dir=tmp_path, venue=venue) as host,
    ):
        ids = [at_work(venue, account=number) for number in range(2)]
        for account, each in zip(("one", "two"), ids, strict=True):
            name = {"master_order_id": each, "account": account, "received_at": time.time_ns()}
            host.deliver(
                master_order(status="PROCESSING", **name), order(status="REJECTED", **name)
            )

        def are_done() -> bool:
            rows = read(host.context.state_dir, Intents.all)
            return [(each.account, each.state) for each in rows] == [
                ("one", "done"),
                ("two", "done"),
            ]

        wait_for(are_done, "both pauses")
        for account, each in zip(("one", "two"), ids, strict=True):
            assert host.context.api(account).master_order(each).status == "PAUSED"


def test_a_call_that_was_cut_off_is_asked_for_at_the_next_start(
    plugin_host: StartPlugin, desk: Desk
) -> None:
    host = plugin_host(Guard, ARMED)
    desk.spoil(host, "rest-hang")
    desk.reject(host)
    desk.until_it_hangs(host)
    # A person pauses it meanwhile: it can't be told from a pause that was carried out.
    host.context.api("main").pause_master_order_v2(desk.id)
    host.stop()

    again = plugin_host(Guard, ARMED)

    done = desk.outcome(again)
    assert (done.state, done.how) == ("done", "read back")
    assert desk.calls() == [0, 200]


@pytest.mark.parametrize(
    ("deeds", "outcome"),
    [
        (("pause", "resume"), ("done", "pushed")),
        (("pause", "cancel"), ("moot", "read back")),
        (("cancel",), ("moot", "read back")),
    ],
)
def test_what_a_person_does_before_a_lost_pause_is_read_is_not_undone(
    plugin_host: StartPlugin, desk: Desk, deeds: tuple[str, ...], outcome: tuple[str, str]
) -> None:
    host = plugin_host(Guard, ARMED)
    desk.spoil(host, "rest-hang")
    desk.reject(host)
    desk.until_it_hangs(host)
    heard = [desk.told("PROCESSING")]
    for deed in deeds:
        getattr(host.context.api("main"), f"{deed}_master_order_v2")(desk.id)
        heard.append(desk.told(desk.status(host)))
    before = len(desk.calls())
    host.stop()

    again = plugin_host(Guard, ARMED, history=heard)
    desk.reject(again)

    done = desk.outcome(again)
    assert (done.id, done.state, done.how) == (1, *outcome)
    assert len(desk.calls()) == before


def test_a_call_without_an_answer_ends_by_its_time_limit_and_is_sent_again(
    plugin_host: StartPlugin, desk: Desk
) -> None:
    host = plugin_host(Guard, ARMED)
    desk.spoil(host, "rest-hang")

    desk.reject(host)

    done = desk.outcome(host)
    assert (done.state, done.how, done.attempts) == ("done", "answered", 2)
    assert desk.calls() == [0, 200]


@pytest.mark.parametrize(("holds", "outcome"), [(True, "done"), (False, "moot")])
def test_what_was_left_before_its_call_is_done_only_if_its_rule_still_holds(
    plugin_host: StartPlugin, desk: Desk, *, holds: bool, outcome: str
) -> None:
    host = plugin_host(Guard, ARMED)
    folder = host.context.state_dir
    host.stop()
    desk.leave_an_intent(folder, ARMED)
    history = desk.rejected() if holds else []

    again = plugin_host(Guard, ARMED, history=history)

    left = desk.outcome(again)
    assert left.state == outcome
    assert desk.calls() == ([200] if holds else [])


def test_what_is_behind_the_stream_does_not_do_what_was_left(
    plugin_host: StartPlugin, desk: Desk
) -> None:
    host = plugin_host(Guard, ARMED)
    folder = host.context.state_dir
    host.stop()
    desk.leave_an_intent(folder, ARMED)
    again = plugin_host(Guard, ARMED, history=desk.rejected())
    long_ago = time.time_ns() - 30 * 10**9

    for _ in range(20):  # a backlog, of which something comes between any two ticks
        again.tick()
        again.deliver(desk.told("PROCESSING", received_at=long_ago))
        time.sleep(0.1)
    again.deliver(desk.told("PAUSED"))

    assert desk.outcome(again).state == "moot"
    assert desk.calls() == []


def test_without_an_audit_file_nothing_is_called(plugin_host: StartPlugin, desk: Desk) -> None:
    host = plugin_host(Guard, ARMED)
    file = host.context.state_dir / "audit.jsonl"
    host.stop()
    file.unlink()
    file.symlink_to("/dev/full")
    full = plugin_host(Guard, ARMED)

    desk.reject(full)

    wait_for(lambda: "intents" in full.problems, "the problem")
    assert "No space left" in full.problems["intents"]
    full.stop()
    assert desk.calls() == []
    file.unlink()
    again = plugin_host(Guard, ARMED, history=desk.rejected())
    assert desk.outcome(again).state == "done"
    assert [each["state"] for each in lines(file.parent)] == ["intent", "calling", "done"]


def test_each_step_stands_in_the_audit_file_once(plugin_host: StartPlugin, desk: Desk) -> None:
    host = plugin_host(Guard, ARMED)
    desk.spoil(host, "rest-lost")
    desk.reject(host)
    desk.outcome(host)
    folder = host.context.state_dir
    host.stop()
    whole = (folder / "audit.jsonl").read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    # A process that was killed in the last write.
    (folder / "audit.jsonl").write_bytes(whole[: -len(last) // 2])
    _forget(folder)

    plugin_host(Guard, ARMED)

    wait_for(lambda: (folder / "audit.jsonl").read_bytes().endswith(b"\n" + last), "the last line")
    assert [each["state"] for each in lines_of(whole)] == ["intent", "calling", "unknown", "done"]


def test_without_credentials_it_is_refused_before_anything_is_sent(
    plugin_host: StartPlugin,
) -> None:
    with PluginHost(Guard, ARMED, name="guard") as host:  # there is no venue
        desk = Desk.__new__(Desk)
        desk.id = "m-1"
        desk.reject(host)
        refused = desk.outcome(host)
    assert (refused.state, refused.how) == ("refused", "not sent")


def test_disarmed_nothing_is_sent(plugin_host: StartPlugin, venue: Venue, desk: Desk) -> None:
    host = plugin_host(Guard, ARMED)
    (host.context.state_dir / "disarmed").touch()
    host.tick()
    desk.reject(host)
    assert "disarmed" in host.problems

    (host.context.state_dir / "disarmed").unlink()
    host.tick()
    desk.reject(host)

    assert desk.outcome(host).id == 1
    assert desk.calls() == [200]
    assert not host.problems


def _answer_once(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    """Let the first pause be answered so, and not be carried out."""
    real = API.pause_master_order_v2
    answers = [answer]

    def pause(api: API, name: str) -> Any:
        return answers.pop() if answers else real(api, name)

    monkeypatch.setattr(API, "pause_master_order_v2", pause)


def lines_of(text: bytes) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in text.splitlines()]


def _forget(folder: object) -> None:
    """As if the last line had not been noted as written."""
    with closing(sqlite3.connect(f"{folder}/guard.db")) as db, db:
        db.execute("UPDATE intents SET audited = step - 1")
