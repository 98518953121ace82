"""What people read, in English and Chinese.  No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from string import Formatter

from qehost_notify.notice import FIELDS, Notice, one_line
from qehost_notify.settings import Language

__all__ = ["KINDS", "Texts"]

LONGEST = 300
"""Characters of a line: some services take 2,000 bytes, and the other lines are to be seen, too."""

KINDS: dict[Language, dict[str, tuple[str, str]]] = {
    "en": {
        "fill": ("fill", "fills"),
        "master_order": ("master order update", "master order updates"),
        "order": ("child order update", "child order updates"),
        "rejected": ("order rejected", "orders rejected"),
        "finished": ("master order finished", "master orders finished"),
        "stalled": ("master order silent", "master orders silent"),
        "disconnected": ("stream down", "times stream down"),
        "reconnected": ("stream back", "times stream back"),
        "error": ("error", "errors"),
        "dead_letter": ("plugin with dead letters", "times dead letters"),
        "gap": ("gap", "gaps"),
        "problem": ("problem", "problems"),
        "digest": ("daily digest", "daily digests"),
    },
    "zh": {
        "fill": ("笔成交", "笔成交"),
        "master_order": ("条母单更新", "条母单更新"),
        "order": ("条子单更新", "条子单更新"),
        "rejected": ("笔订单被拒", "笔订单被拒"),
        "finished": ("个母单结束", "个母单结束"),
        "stalled": ("个母单无消息", "个母单无消息"),
        "disconnected": ("次推送断开", "次推送断开"),
        "reconnected": ("次推送恢复", "次推送恢复"),
        "error": ("个错误", "个错误"),
        "dead_letter": ("条死信提醒", "条死信提醒"),
        "gap": ("处消息缺口", "处消息缺口"),
        "problem": ("个问题", "个问题"),
        "digest": ("份每日摘要", "份每日摘要"),
    },
}
"""Things of a kind: of one, of several."""

_ZH = {
    "buy": "买入",
    "sell": "卖出",
    "NEW": "新建",
    "WAITING": "等待中",
    "PROCESSING": "执行中",
    "PAUSED": "已暂停",
    "CANCELLED": "已撤销",
    "COMPLETED": "已完成",
    "COMPLETED_WITHTAIL": "已完成（有尾量）",
    "REJECTED": "被拒",
    "EXPIRED": "已过期",
    "PLACED": "已挂单",
    "FILLED": "全部成交",
    "CANCELACK": "撤单已受理",
    "CANCEL_REJECTED": "撤单被拒",
}

_PROBLEMS: dict[Language, dict[str, str]] = {
    "en": {
        "refused": "plugin {plugin} could not be loaded: {reason}",
        "down": "plugin {plugin} is off, its process is not there: {reason}",
        "waiting": "plugin {plugin} has been waiting for {duration}, its events wait: {reason}",
        "starting": "plugin {plugin} has not started for {duration}",
        "told": "plugin {plugin}: {reason}",
        "stuck": "host process {process} stands still: "
        "{hook} of plugin {plugin}{at} for {duration}",
        "behind": "host process {process} is behind: events waiting: {count}, for {duration}",
        "unprotected": "what is received is not being journalled",
        "supervisor": "qehost's supervisor has not written its status for {duration}",
    },
    "zh": {
        "refused": "插件 {plugin} 无法加载：{reason}",
        "down": "插件 {plugin} 已停，其进程不在：{reason}",
        "waiting": "插件 {plugin} 已等待 {duration}，消息在排队：{reason}",
        "starting": "插件 {plugin} 已 {duration}未能启动",
        "told": "插件 {plugin}：{reason}",
        "stuck": "宿主进程 {process} 卡住：插件 {plugin} 的 {hook}{at}，已 {duration}",
        "behind": "宿主进程 {process} 落后 {count} 条消息，已 {duration}",
        "unprotected": "收到的消息未写入日志文件",
        "supervisor": "qehost 监管进程已 {duration}未更新状态",
    },
}


class _Gaps(dict[str, str]):
    """The facts of a thing; what it has not is empty."""

    def __missing__(self, name: str) -> str:
        return ""


class Texts:
    """Lines and titles in one language and one time zone."""

    def __init__(self, lang: Language, zone: tzinfo | None) -> None:
        self.lang = lang
        self._zone = zone

    def line(self, notice: Notice, template: str = "") -> str:
        """A thing that happened, in one line."""
        clock = f"{datetime.fromtimestamp(notice.happened, self._zone):%H:%M:%S}"
        facts = _Gaps(notice.facts)
        if "duration" in facts:
            facts["duration"] = self.duration(float(facts["duration"]))
        facts["account"], facts["time"] = notice.account, clock
        facts["what"] = self.what([(notice.when, 1)])
        if template:
            known = _Gaps({name: facts[name] for name in FIELDS})
            made = Formatter().vformat(template, (), known)
        else:
            told = (
                self._english(notice, facts) if self.lang == "en" else self._chinese(notice, facts)
            )
            made = " ".join(part for part in (clock, notice.account, told) if part)
        line = one_line(made)
        return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"

    def what(self, kinds: Sequence[tuple[str, int]]) -> str:
        """`3 orders rejected, 1 gap`."""
        parts = []
        for kind, count in kinds:
            one, many = KINDS[self.lang].get(kind, (kind, kind))
            parts.append(f"{count:,} {one if count == 1 else many}")
        return (", " if self.lang == "en" else "、").join(parts)

    def title(self, kinds: Mapping[str, int]) -> str:
        """Robots of DingTalk may demand a word that is in every message: `qehost` is."""
        ordered = sorted(kinds.items(), key=lambda each: -each[1])
        return (
            f"qehost: {self.what(ordered)}"
            if self.lang == "en"
            else f"qehost：{self.what(ordered)}"
        )

    def more(self, count: int) -> str:
        return f"… {count:,} more …" if self.lang == "en" else f"…… 另有 {count:,} 条 ……"

    def again(self) -> str:
        if self.lang == "en":
            return "(perhaps told before: the answer to it was not seen)"
        return "（可能已发过：未收到上次的回执）"

    def test(self) -> str:
        """Of a message that tries a target."""
        if self.lang == "en":
            return "qehost: a test, this is what a fill looks like"
        return "qehost：测试消息，成交通知的样子如下"

    def side(self, side: str) -> str:
        return side if self.lang == "en" else _ZH.get(side, side)

    def status(self, status: str) -> str:
        return status if self.lang == "en" else _ZH.get(status.upper(), status)

    def duration(self, seconds: float) -> str:
        """With one unit, two from an hour on."""
        total = round(seconds)
        s, m, h, d = (
            (" s", " min", " h", " d") if self.lang == "en" else (" 秒", " 分钟", " 小时", " 天")
        )
        if total < 120:
            return f"{total}{s}"
        if total < 7200:
            return f"{total // 60}{m}"
        if total < 172_800:
            return f"{total // 3600}{h} {total % 3600 // 60}{m}"
        return f"{total // 86_400}{d} {total % 86_400 // 3600}{h}"

    # --- one thing --------------------------------------------------------------------------------

    def _english(self, notice: Notice, facts: _Gaps) -> str:
        reason = f": {facts['reason']}" if facts["reason"] else ""
        order = "Master order" if facts["of"] == "master_order" else "Child order"
        standing = f"{_deal(facts)}{_filled_en(facts)}"
        match notice.when:
            case "fill":
                worth = f" ({facts['notional']})" if facts["notional"] else ""
                return f"Fill {_deal(facts)}{worth}"
            case "rejected":
                return f"{order} rejected {_deal(facts)}{reason}{_id(facts)}"
            case "stalled":
                return f"Master order silent for {facts['duration']} {standing}{_id(facts)}"
            case "finished" | "master_order" | "order":
                return f"{order} {facts['status']} {standing}{reason}{_id(facts)}"
            case "disconnected":
                time = f" for {facts['duration']}" if facts["duration"] else ""
                return f"Stream down{time}{reason}"
            case "reconnected":
                return f"Stream back after {facts['duration']}"
            case "error":
                return f"Error{reason}"
            case "gap":
                return f"Events may be missing{reason}"
            case "dead_letter":
                counts = f"{facts['count']} new, {facts['all']} in all"
                return f"Plugin {facts['plugin']} has dead letters: {counts}"
            case "problem":
                text = _PROBLEMS["en"][facts["code"]].format_map(facts)
                return f"{'Over' if facts['over'] else 'Problem'}: {text}"

    def _chinese(self, notice: Notice, facts: _Gaps) -> str:
        reason = f"，原因：{facts['reason']}" if facts["reason"] else ""
        order = "母单" if facts["of"] == "master_order" else "子单"
        status = self.status(facts["status"])
        facts["side"] = self.side(facts["side"])
        standing = f"{_deal(facts)}{_filled_zh(facts)}"
        match notice.when:
            case "fill":
                worth = f"（金额 {facts['notional']}）" if facts["notional"] else ""
                return f"成交 {_deal(facts)}{worth}"
            case "rejected":
                return f"{order}被拒 {_deal(facts)}{reason}{_id_zh(facts)}"
            case "stalled":
                return f"母单已 {facts['duration']}无消息 {standing}{_id_zh(facts)}"
            case "finished" | "master_order" | "order":
                return f"{order}{status} {standing}{reason}{_id_zh(facts)}"
            case "disconnected":
                time = f"，已 {facts['duration']}" if facts["duration"] else ""
                return f"推送已断开{time}{reason}"
            case "reconnected":
                return f"推送已恢复，中断 {facts['duration']}"
            case "error":
                return f"错误：{facts['reason']}"
            case "gap":
                return f"可能缺失消息：{facts['reason']}"
            case "dead_letter":
                return f"插件 {facts['plugin']}：新增 {facts['count']} 条死信，共 {facts['all']} 条"
            case "problem":
                text = _PROBLEMS["zh"][facts["code"]].format_map(facts)
                return f"{'已恢复' if facts['over'] else '问题'}：{text}"


def _deal(facts: _Gaps) -> str:
    """`BTCUSDT buy 0.5 @ 97000`"""
    quantity = facts["quantity"] or " ".join(
        part for part in (facts["notional"], facts["quote"]) if part
    )
    parts = [facts["symbol"], facts["side"], quantity]
    if facts["price"]:
        parts.append(f"@ {facts['price']}")
    return " ".join(part for part in parts if part)


def _filled_en(facts: _Gaps) -> str:
    if not facts["filled"]:
        return ""
    return f", filled {facts['filled']}" + (f" @ {facts['average']}" if facts["average"] else "")


def _filled_zh(facts: _Gaps) -> str:
    if not facts["filled"]:
        return ""
    average = f"，均价 {facts['average']}" if facts["average"] else ""
    return f"，已成交 {facts['filled']}{average}"


def _id(facts: _Gaps) -> str:
    return f" ({facts['master_order_id']})" if facts["master_order_id"] else ""


def _id_zh(facts: _Gaps) -> str:
    return f"（母单 {facts['master_order_id']}）" if facts["master_order_id"] else ""
