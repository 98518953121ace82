"""The whole plugin against real receivers: from a hook's call to what a service gets."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from qehost.messages import Event
from qehost.testing import Events, PluginHost
from receivers import PATIENCE, Handler, Receiver, hangs, slow, takes, wait_for
from running import waiting

from qehost_notify import Notify

NEWS = Events(start_ms=int(time.time() * 1000), step_ms=0)
"""Events of today: what is older than `stale` is not told."""
REJECTS = {"when": ["rejected"], "every": "0s"}


def settings(*receivers: Receiver, **own: Any) -> dict[str, object]:
    return {
        "targets": [each.url for each in receivers],
        "rules": [REJECTS],
        "gather": "0.2s",
        "timeout": 60.0,
        **own,
    }


def rejects(count: int, start: int = 0, ahead: int = 0) -> list[Event]:
    return [
        NEWS.order(
            status="REJECTED",
            reason="insufficient balance",
            order_id=f"o-{n}",
            id=f"c-{n}",
            received_at=time.time_ns() + ahead * 10**9,
        )
        for n in range(start, start + count)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_a_reject_is_told_with_the_venues_words(receiver: Receiver) -> None:
    with PluginHost(Notify, settings(receiver)) as host:
        host.deliver(*rejects(1))
        wait_for(lambda: receiver.taken)
    (message,) = receiver.taken
    assert message.content["title"] == "qehost: 1 order rejected"
    assert "insufficient balance" in message.text
    assert "BTCUSDT" in message.text


def test_a_flood_is_one_message_with_the_count(receiver: Receiver) -> None:
    """However slow the machine is: it comes while another message is on its way."""
    is_over = threading.Event()

    def waits(handler: Handler) -> None:
        is_over.wait(PATIENCE)
        takes(handler)

    receiver.behaviour = waits
    with PluginHost(Notify, settings(receiver)) as host:
        first, flood = rejects(1), rejects(1000, 1)
        host.deliver(*first)
        wait_for(lambda: receiver.tried)
        host.deliver(*flood)
        wait_for(lambda: waiting(host.context.state_dir) == [1, 1000])
        is_over.set()
        wait_for(lambda: receiver.count() == 1001)
    assert list({each.key: each.count for each in receiver.tried}.values()) == [1, 1000]
    assert receiver.taken[-1].content["title"] == "qehost: 1,000 orders rejected"
    assert "… 994 more …" in receiver.taken[-1].text


def test_without_a_target_messages_are_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with PluginHost(Notify, settings()) as host:
        host.deliver(*rejects(2))
        wait_for(lambda: "insufficient balance" in caplog.text)
    assert "qehost: 2 orders rejected" in caplog.messages
    assert "there are no targets: messages go into the log alone" in caplog.text


def test_no_rule_no_message(receiver: Receiver) -> None:
    with PluginHost(Notify, settings(receiver)) as host:
        host.deliver(NEWS.fill(), NEWS.master_order(status="PROCESSING"), *rejects(1))
        wait_for(lambda: receiver.taken)
    assert receiver.count() == 1


def test_what_was_so_before_is_no_news_nor_is_what_is_stale_or_old(receiver: Receiver) -> None:
    hours_ago = time.time_ns() - 7200 * 10**9
    with PluginHost(Notify, settings(receiver)) as host:
        host.deliver(
            NEWS.order(status="REJECTED", order_id="o-1", id="c-1", origin="baseline"),
            NEWS.order(status="REJECTED", order_id="o-2", id="c-2", received_at=hours_ago),
            *rejects(1, 7),
        )
        wait_for(lambda: receiver.taken)
    assert receiver.count() == 1


def test_an_event_that_comes_again_is_told_once(receiver: Receiver, folder: Path) -> None:
    one = rejects(3)
    with PluginHost(Notify, settings(receiver), state_dir=folder) as host:
        host.deliver(*one)
        wait_for(lambda: receiver.count() == 3)
    again = [type(each)(**{**_fields(each), "redelivered": True}) for each in one]
    with PluginHost(Notify, settings(receiver), state_dir=folder) as host:
        host.deliver(*again, *rejects(1, 50))
        wait_for(lambda: receiver.count() >= 4)
    assert receiver.count() == 4


def test_ids_that_begin_anew_are_other_orders(receiver: Receiver) -> None:
    """As a venue may have it after its restart."""
    now_ms = int(time.time() * 1000)

    def of(made_ms: int) -> list[Event]:
        made = datetime.fromtimestamp(made_ms / 1000, UTC).isoformat()
        own = {"status": "REJECTED", "received_at": time.time_ns()}
        return [
            NEWS.order(order_id="o-1", id="1", order_created_time=made_ms, **own),
            NEWS.master_order(master_order_id="m-1", created_at=made, **own),
        ]

    with PluginHost(Notify, settings(receiver)) as host:
        host.deliver(*of(now_ms - 60_000), *of(now_ms - 60_000), *of(now_ms))
        wait_for(lambda: receiver.count() >= 4)
    assert receiver.count() == 4


def _fields(event: Event) -> dict[str, Any]:
    names = [*event.__struct_fields__]
    return {name: getattr(event, name) for name in names}


def test_a_service_that_is_down_gets_it_when_it_is_back(receiver: Receiver) -> None:
    receiver.stop()
    with PluginHost(Notify, settings(receiver)) as host:
        host.deliver(*rejects(2))
        wait_for(lambda: host.problems)
        assert host.problems == {"https #1": "https #1: connection refused"}
        host.deliver(*rejects(3, 10))
        wait_for(lambda: waiting(host.context.state_dir) == [5])
        receiver.start()
        wait_for(lambda: receiver.count() == 5)
        wait_for(lambda: not host.problems)
    assert len(receiver.taken) == 1  # what came meanwhile went along


def test_what_a_service_refused_in_its_body_is_sent_again_and_not_sooner_for_what_comes_meanwhile(
    receiver: Receiver,
) -> None:
    def refuses_once(handler: Handler) -> None:
        if len(receiver.tried) > 1:
            takes(handler)
        else:
            handler.answer(200, {"errcode": 310000, "errmsg": "keywords not in content"})

    receiver.behaviour = refuses_once
    with PluginHost(Notify, settings(receiver)) as host:
        host.deliver(*rejects(1))
        problems = wait_for(lambda: dict(host.problems))
        assert "310000 keywords not in content" in problems["https #1"]
        host.deliver(*rejects(3, 1))
        wait_for(lambda: receiver.count() == 4)
        wait_for(lambda: not host.problems)
    first, second = receiver.tried[:2]
    assert second.at - first.at >= 4.9


def test_retry_after_is_obeyed(receiver: Receiver) -> None:
    def too_fast_once(handler: Handler) -> None:
        if len(receiver.tried) > 1:
            takes(handler)
        else:
            handler.answer(429, Retry_After="3")

    receiver.behaviour = too_fast_once
    with PluginHost(Notify, settings(receiver)) as host:
        host.deliver(*rejects(1))
        wait_for(lambda: receiver.count() == 1)
    first, second = receiver.tried
    assert second.at - first.at >= 2.9


def test_a_redirect_is_not_followed(receiver: Receiver, other_receiver: Receiver) -> None:
    receiver.behaviour = lambda handler: handler.answer(307, Location=other_receiver.url)
    with PluginHost(Notify, settings(receiver)) as host:
        host.deliver(*rejects(1))
        wait_for(lambda: host.problems)
        assert "HTTP 307" in host.problems["https #1"]
    assert other_receiver.tried == []


def test_a_slow_service_delays_no_other(receiver: Receiver, other_receiver: Receiver) -> None:
    receiver.behaviour = hangs
    with PluginHost(Notify, settings(receiver, other_receiver)) as host:
        host.deliver(*rejects(1))
        wait_for(lambda: receiver.tried)
        host.deliver(*rejects(1, 5))
        wait_for(lambda: other_receiver.count() == 2)
        assert len(receiver.tried) == 1
        receiver.over.set()


def test_what_was_not_answered_comes_again_with_its_key(receiver: Receiver) -> None:
    def silent_once(handler: Handler) -> None:
        (hangs if len(receiver.tried) == 1 else takes)(handler)

    receiver.behaviour = silent_once
    with PluginHost(Notify, settings(receiver, timeout=3.0)) as host:
        host.deliver(*rejects(1))
        wait_for(lambda: receiver.tried)
        host.deliver(*rejects(1, 5))  # not put into what may have arrived
        wait_for(lambda: receiver.count() == 2)
    first, again = receiver.tried[:2]
    assert first.key == again.key != receiver.taken[-1].key
    assert again.count == 1
    assert "perhaps told before" in again.text


def test_what_may_have_arrived_keeps_its_key_whatever_is_answered_then(receiver: Receiver) -> None:
    def behaves(handler: Handler) -> None:
        match len(receiver.tried):
            case 1:
                hangs(handler)
            case 2:
                handler.answer(503)
            case _:
                takes(handler)

    receiver.behaviour = behaves
    with PluginHost(Notify, settings(receiver, timeout=3.0)) as host:
        host.deliver(*rejects(1))
        wait_for(lambda: len(receiver.tried) > 1)
        host.deliver(*rejects(1, 5))
        wait_for(lambda: receiver.count() == 2)
    assert len({each.key for each in receiver.tried[:3]}) == 1
    assert "perhaps told before" in receiver.taken[0].text


def test_what_is_left_at_the_end_is_sent_after_the_next_start(
    receiver: Receiver, folder: Path
) -> None:
    receiver.behaviour = lambda handler: handler.answer(503)
    with PluginHost(Notify, settings(receiver), state_dir=folder) as host:
        host.deliver(*rejects(2))
        wait_for(lambda: receiver.tried)
    receiver.behaviour = takes
    with PluginHost(Notify, settings(receiver), state_dir=folder):
        wait_for(lambda: receiver.count() == 2)


def test_too_old_is_not_sent_and_said_so(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.behaviour = lambda handler: handler.answer(503)
    with PluginHost(Notify, settings(receiver, stale="4s")) as host:
        host.deliver(
            *rejects(2, ahead=60)
        )  # so that they are new whenever this machine comes to it
        wait_for(lambda: "2 orders rejected: not sent" in caplog.text)


def test_a_master_order_of_which_nothing_is_heard_is_told_once(receiver: Receiver) -> None:
    rules = [{"when": ["stalled"], "silent": "5m", "symbols": ["btcusdt"], "every": "0s"}]
    with PluginHost(Notify, settings(receiver, rules=rules)) as host:
        now = time.time()
        host.deliver(
            NEWS.connected(),
            NEWS.master_order(master_order_id="m-1", status="PROCESSING", symbol="BTCUSDT"),
            NEWS.master_order(master_order_id="m-2", status="PAUSED", symbol="BTCUSDT"),
            NEWS.master_order(master_order_id="m-3", status="PROCESSING", symbol="ETHUSDT"),
        )
        host.tick(now + 200)
        host.tick(now + 370)
        wait_for(lambda: receiver.taken)
        host.tick(now + 500)
        host.deliver(NEWS.disconnected("it ended"))
        host.tick(now + 600)
    (message,) = receiver.taken
    assert message.count == 1
    assert "silent for 6 min" in message.text
    assert "m-1" in message.text


def test_other_services_are_reached_through_apprise(receiver: Receiver) -> None:
    target = f"json://127.0.0.1:{receiver.port}/s3cretpathtoken"
    with PluginHost(Notify, settings() | {"targets": [target]}) as host:
        host.deliver(*rejects(2))
        wait_for(lambda: receiver.tried)
        wait_for(lambda: not waiting(host.context.state_dir))
        receiver.behaviour = lambda handler: handler.answer(307, Location=receiver.url)
        host.deliver(*rejects(1, 7))
        wait_for(lambda: host.problems)
        assert list(host.problems) == ["apprise #1"]
    assert receiver.tried[0].content["title"] == "qehost: 2 orders rejected"
    assert {each.path for each in receiver.tried} == {"/s3cretpathtoken"}


def test_rules_choose_targets_and_filter(receiver: Receiver, other_receiver: Receiver) -> None:
    rules = [
        {"when": ["fill"], "symbols": ["ETHUSDT"], "notional": 1000, "targets": [2], "every": "0s"},
        REJECTS | {"targets": [1]},
    ]
    with PluginHost(Notify, settings(receiver, other_receiver, rules=rules)) as host:
        host.deliver(
            NEWS.fill(symbol="ETHUSDT", quantity="1", price="3333.33"),
            NEWS.fill(symbol="ETHUSDT", quantity="0.1", price="3333.33"),
            NEWS.fill(symbol="BTCUSDT", quantity="1", price="97000"),
            *rejects(1),
        )
        wait_for(lambda: receiver.taken and other_receiver.taken)
    assert [each.count for each in receiver.taken] == [1]
    assert [each.count for each in other_receiver.taken] == [1]
    assert "ETHUSDT" in other_receiver.taken[0].text


def test_a_template_is_the_line(receiver: Receiver) -> None:
    rules = [{"when": ["fill"], "template": "{symbol} {side} {quantity} at {price}{reason}"}]
    with PluginHost(Notify, settings(receiver, rules=rules)) as host:
        host.deliver(NEWS.fill(symbol="BTCUSDT", side="sell", quantity="0.50", price="97000.10"))
        wait_for(lambda: receiver.taken)
    assert receiver.taken[0].text == "BTCUSDT sell 0.5 at 97000.1"


def test_the_stream_and_gaps_are_told(receiver: Receiver) -> None:
    rules = [{"when": ["disconnected", "error", "gap"]}]
    with PluginHost(Notify, settings(receiver, rules=rules)) as host:
        host.deliver(NEWS.disconnected("the venue closed it"), NEWS.error("no permission"))
        wait_for(lambda: receiver.count() == 2)
    assert "the venue closed it" in receiver.taken[0].text
    assert "no permission" in receiver.taken[0].text


@pytest.fixture
def _debug() -> Iterator[None]:
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    yield
    root.setLevel(before)


@pytest.mark.usefixtures("_debug")
def test_no_secret_is_in_any_output(
    receiver: Receiver,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    receiver.behaviour = lambda handler: handler.answer(
        403, {"ok": False, "error": f"{handler.path} is not known"}
    )
    dead = "telegram://123456:ABCDEFghijklmnopqrstuvw/-1001?server=http://127.0.0.1:9"
    own = settings(receiver)
    other = f"json://me:s3cretpassword@127.0.0.1:{receiver.port}/s3cretpathtoken"
    own["targets"] = [receiver.url, dead, other]
    with PluginHost(Notify, own, state_dir=folder) as host:
        host.deliver(*rejects(1))
        wait_for(lambda: len(host.problems) == 3)
        told = f"{host.problems}{host.config!r}{host.context!r}"
    written = b"".join(
        (Path(where) / name).read_bytes() for where, _, names in os.walk(folder) for name in names
    )
    output = capfd.readouterr()
    for secret in ("s3cretpathtoken", "ABCDEFghijklmnopqrstuvw", "s3cretpassword"):
        assert secret not in caplog.text + told + output.out + output.err
        assert secret.encode() not in written


def waited() -> float:
    """Seconds that threads of this process waited for a processor; it is known on Linux alone."""
    nanoseconds = 0
    for file in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError):  # its thread has ended
            nanoseconds += int(file.read_text().split()[1])
    return nanoseconds / 1e9


def test_hooks_are_not_held_up_while_it_sends(receiver: Receiver) -> None:
    """In one round at least 99 of 100 calls are over within a millisecond.  Where other programs
    have the machine it is a later one, and for a hook that waits for the sender there is none."""
    receiver.behaviour = slow
    numbers = count()

    def a_round(plugin: Notify) -> bool:
        took, sent = [], len(receiver.tried)
        for _ in range(100):
            (event,) = rejects(1, next(numbers))
            event.detail  # noqa: B018 - made before: it is not the hook's cost
            others, begun = waited(), time.perf_counter()
            plugin.on_batch((event,))
            took.append(time.perf_counter() - begun - (waited() - others))
            time.sleep(0.002)
        return sorted(took)[-2] < 0.001 and len(receiver.tried) > sent

    with PluginHost(Notify, settings(receiver, gather="0.05s")) as host:
        wait_for(lambda: a_round(host.plugin))
