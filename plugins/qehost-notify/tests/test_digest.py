"""The daily digest."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from qehost import Status
from qehost.messages import AnyEvent
from qehost.testing import Events, PluginHost
from receivers import Receiver, wait_for
from running import waiting

from qehost_notify import Notify
from qehost_notify.digest import Day
from qehost_notify.settings import Language
from qehost_notify.texts import Texts

NOW = time.time()
HOUR_AGO = Events(start_ms=int((NOW - 3600) * 1000), step_ms=0)


def a_day(events: Events) -> list[AnyEvent]:
    return [
        events.master_order(master_order_id="m-0", status="COMPLETED", origin="baseline"),
        events.connected(),
        events.fill(symbol="BTCUSDT", side="buy", quantity="0.5", price="97000.1"),
        events.fill(symbol="BTCUSDT", side="buy", quantity="0.25", price="97000.2"),
        events.fill(symbol="BTCUSDT", side="sell", quantity="0.1", price="97000"),
        events.fill(symbol="ETHUSDT", side="sell", quantity="2", price="3333.33"),
        events.order(status="REJECTED", order_id="o-1"),
        events.order(status="REJECTED", order_id="o-1", redelivered=True),
        events.master_order(master_order_id="m-1", status="PROCESSING"),
        events.master_order(master_order_id="m-1", status="COMPLETED"),
        events.master_order(master_order_id="m-1", status="COMPLETED"),
        events.master_order(master_order_id="m-2", status="CANCELLED"),
        events.disconnected("it ended"),
        events.error("no permission"),
    ]


LINES: dict[Language, list[str]] = {
    "en": [
        "BTCUSDT: 3 fills, buy 0.75 (72750.1), sell 0.1 (9700)",
        "ETHUSDT: 1 fill, sell 2 (6666.66)",
        "2 master orders finished: 1 COMPLETED, 1 CANCELLED",
        "1 order rejected, 1 stream down, 1 error",
    ],
    "zh": [
        "BTCUSDT：3 笔成交，买入 0.75（72750.1），卖出 0.1（9700）",
        "ETHUSDT：1 笔成交，卖出 2（6666.66）",
        "2 个母单结束：1 已完成，1 已撤销",
        "1 笔订单被拒、1 次推送断开、1 个错误",
    ],
}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_day_is_counted_exactly_and_each_order_once(lang: Language) -> None:
    day = Day()
    for event in a_day(HOUR_AGO):
        day.add(event)
    assert day.lines(Texts(lang, None)) == LINES[lang]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_day_without_anything_has_a_line(lang: Language) -> None:
    assert len(Day().lines(Texts(lang, None))) == 1


def settings(receiver: Receiver, clock: str) -> dict[str, object]:
    return {
        "targets": [receiver.url],
        "rules": [{"when": ["gap"]}],
        "gather": "0.1s",
        "timezone": "UTC",
        "digest": clock,
    }


def told_before(folder: Path, day: str) -> None:
    (file,) = folder.rglob("messages.db")
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("INSERT OR REPLACE INTO facts VALUES ('digest', ?)", (day.encode(),))


def day_told(folder: Path) -> str:
    for file in folder.rglob("messages.db"):
        with closing(sqlite3.connect(file)) as database, suppress(sqlite3.OperationalError):
            found = database.execute("SELECT value FROM facts WHERE name = 'digest'").fetchone()
            return bytes(found[0]).decode() if found else ""
    return ""


def test_at_its_time_the_last_day_is_told_once(receiver: Receiver, tmp_path: Path) -> None:
    # Its time was a minute ago; the day of it may have been yesterday.
    at = datetime.fromtimestamp(NOW - 60, UTC)
    own, folder = settings(receiver, f"{at:%H:%M}"), tmp_path / "state"
    with PluginHost(Notify, own, state_dir=folder):
        wait_for(lambda: day_told(folder))
    assert receiver.tried == [], "what was before it was set is not told"
    told_before(folder, "2026-01-01")
    with PluginHost(Notify, own, state_dir=folder, history=a_day(HOUR_AGO)) as host:
        host.status = Status("1", 2, NOW, time.time(), "", connections=[], hosts=[])
        wait_for(lambda: receiver.taken and not waiting(folder))
        assert day_told(folder) == f"{at:%Y-%m-%d}"
    with PluginHost(Notify, own, state_dir=folder, history=a_day(HOUR_AGO)) as host:
        host.deliver(Events(start_ms=int(time.time() * 1000)).error("x"))
    (message,) = receiver.taken
    assert message.content["title"] == "qehost: 1 daily digest"
    assert message.text.splitlines()[1:] == [*LINES["en"], "All is well now"]


def test_one_that_is_too_late_is_left_out(receiver: Receiver, tmp_path: Path) -> None:
    at = datetime.fromtimestamp(NOW - 2 * 3600, UTC)
    own, folder = settings(receiver, f"{at:%H:%M}"), tmp_path / "state"
    with PluginHost(Notify, own, state_dir=folder):
        wait_for(lambda: day_told(folder))
    told_before(folder, "2026-01-01")
    with PluginHost(Notify, own, state_dir=folder, history=a_day(HOUR_AGO)):
        wait_for(lambda: day_told(folder) == f"{at:%Y-%m-%d}")
    assert receiver.tried == []
