"""What people read, in both languages."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from qehost_notify.notice import Notice, When
from qehost_notify.settings import Language
from qehost_notify.texts import KINDS, Texts

AT = 1_764_300_000.0  # 2025-11-28 03:20:00 UTC
ORDER = {"symbol": "BTCUSDT", "side": "buy", "quantity": "0.5", "master_order_id": "m-1"}
FILL = {"symbol": "BTCUSDT", "side": "sell", "quantity": "0.5", "price": "97000.1"}

LINES: list[tuple[When, dict[str, str], str, str]] = [
    (
        "fill",
        {**FILL, "notional": "48500.05"},
        "Fill BTCUSDT sell 0.5 @ 97000.1 (48500.05)",
        "成交 BTCUSDT 卖出 0.5 @ 97000.1（金额 48500.05）",
    ),
    (
        "rejected",
        {**ORDER, "of": "order", "price": "97000", "reason": "no balance"},
        "Child order rejected BTCUSDT buy 0.5 @ 97000: no balance (m-1)",
        "子单被拒 BTCUSDT 买入 0.5 @ 97000，原因：no balance（母单 m-1）",
    ),
    (
        "finished",
        {**ORDER, "of": "master_order", "status": "COMPLETED", "filled": "0.5", "average": "97"},
        "Master order COMPLETED BTCUSDT buy 0.5, filled 0.5 @ 97 (m-1)",
        "母单已完成 BTCUSDT 买入 0.5，已成交 0.5，均价 97（母单 m-1）",
    ),
    (
        "stalled",
        {**ORDER, "of": "master_order", "duration": "300"},
        "Master order silent for 5 min BTCUSDT buy 0.5 (m-1)",
        "母单已 5 分钟无消息 BTCUSDT 买入 0.5（母单 m-1）",
    ),
    (
        "disconnected",
        {"reason": "reset", "duration": "61"},
        "Stream down for 61 s: reset",
        "推送已断开，已 61 秒，原因：reset",
    ),
    (
        "reconnected",
        {"duration": "7260"},
        "Stream back after 2 h 1 min",
        "推送已恢复，中断 2 小时 1 分钟",
    ),
    ("gap", {"reason": "x"}, "Events may be missing: x", "可能缺失消息：x"),
    (
        "dead_letter",
        {"plugin": "store", "count": "2", "all": "5"},
        "Plugin store has dead letters: 2 new, 5 in all",
        "插件 store：新增 2 条死信，共 5 条",
    ),
    (
        "problem",
        {"code": "down", "plugin": "store", "reason": "signal SIGKILL"},
        "Problem: plugin store is off, its process is not there: signal SIGKILL",
        "问题：插件 store 已停，其进程不在：signal SIGKILL",
    ),
    (
        "problem",
        {
            "code": "stuck",
            "process": "main",
            "plugin": "store",
            "hook": "on_fill",
            "at": " (main #7)",
            "duration": "31",
        },
        "Problem: host process main stands still: on_fill of plugin store (main #7) for 31 s",
        "问题：宿主进程 main 卡住：插件 store 的 on_fill (main #7)，已 31 秒",
    ),
    (
        "problem",
        {"code": "unprotected", "over": "yes"},
        "Over: what is received is not being journalled",
        "已恢复：收到的消息未写入日志文件",
    ),
]


@pytest.mark.parametrize(("when", "facts", "english", "chinese"), LINES)
def test_a_line(when: When, facts: dict[str, str], english: str, chinese: str) -> None:
    for lang, expected in (("en", english), ("zh", chinese)):
        texts = Texts(lang, ZoneInfo("Asia/Shanghai"))  # type: ignore[arg-type]
        told = texts.line(Notice(when, "main", AT, facts))
        assert told == f"11:20:00 main {expected}"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_kind_has_a_line_whatever_is_known_of_it(lang: Language) -> None:
    texts = Texts(lang, None)
    for when in KINDS[lang]:
        facts = {"code": "stuck"} if when == "problem" else {}
        assert texts.line(Notice(when, "main", AT, facts))  # type: ignore[arg-type]
    assert KINDS["en"].keys() == KINDS["zh"].keys()


def test_a_title_has_the_counts_the_largest_first() -> None:
    kinds = {"gap": 1, "rejected": 1200}
    assert Texts("en", None).title(kinds) == "qehost: 1,200 orders rejected, 1 gap"
    assert Texts("zh", None).title(kinds) == "qehost：1,200 笔订单被拒、1 处消息缺口"


def test_the_venues_words_stay_one_line_and_are_no_template() -> None:
    facts = {**ORDER, "of": "order", "reason": "a\nb {symbol}"}
    told = Texts("en", None).line(Notice("rejected", "main", AT, facts))
    assert "a b {symbol}" in told
    assert "\n" not in told


def test_a_line_is_cut_so_that_others_are_seen_too() -> None:
    told = Texts("en", None).line(Notice("gap", "main", AT, {"reason": "x" * 5000}))
    assert (len(told), told[-2:]) == (300, "x…")
