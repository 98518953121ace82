"""What the status says that no event does: a stream that stays down, a host process that stands
still, a plugin that is off.  No I/O.

It is looked at by the sender's thread: the hooks of a host that stands still could not tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
from qehost import parse_duration

from qehost_notify.notice import Notice, When
from qehost_notify.settings import Rule

if TYPE_CHECKING:
    from qehost import HostState, PluginState, Status

__all__ = ["Condition", "Memory", "Watch", "conditions"]

SHORT = 5.0
"""Seconds that what a restart or a reload brings with it may last."""
SUPERVISOR = 10.0
"""Seconds; the supervisor writes its status once a second."""
SUPERVISOR_STUCK = "supervisor"
NEVER = float("inf")


class Condition(msgspec.Struct, frozen=True):
    """Something that is so, since `since` (epoch seconds), and is told when it has lasted for
    `patience` seconds."""

    key: str
    when: When
    since: float
    patience: float
    facts: dict[str, str]
    account: str = ""


class Told(msgspec.Struct, frozen=True):
    """A condition that a rule has told, so that its end is told, too."""

    rule: str
    condition: Condition


class Memory(msgspec.Struct):
    """What is remembered over a restart, so that nothing is told anew."""

    told: dict[str, Told] = {}
    dead_letters: dict[str, int] = {}
    begun: bool = False


class Watch:
    """Compares what is with what was told."""

    def __init__(self, plugin: str, rules: Sequence[Rule], down: float, stuck: float) -> None:
        self._plugin = plugin
        self._rules = rules
        self._down, self._stuck = down, stuck

    def look(self, status: Status, memory: Memory, now: float) -> list[tuple[str, Notice]]:
        """What is to be told now, by the rule's name.  `memory` is changed."""
        if status.ended:
            return []
        found: list[tuple[str, Notice]] = []
        there = {
            each.key: each
            for each in conditions(status, self._down, self._stuck, now)
            if each.facts.get("plugin") != self._plugin or each.facts.get("code") != "told"
        }
        for rule in self._rules:
            for each in there.values():
                name = f"{rule.name} {each.key}"
                if name not in memory.told and _wanted(rule, each, now):
                    memory.told[name] = Told(rule.name, each)
                    found.append((rule.name, _notice(each, now)))
        for name, told in list(memory.told.items()):
            # While the supervisor is stuck the status says nothing of the others.
            if told.condition.key not in there and SUPERVISOR_STUCK not in there:
                del memory.told[name]
                if told.condition.when == "problem":  # the end of the others is an event
                    over = msgspec.structs.replace(
                        told.condition, facts={**told.condition.facts, "over": "yes"}
                    )
                    found.append((told.rule, _notice(over, now)))
        found += self._dead_letters(status, memory, now)
        memory.begun = True
        return found

    def problems(self, status: Status, now: float) -> list[Notice]:
        """All that is wrong now."""
        return [
            _notice(each, now)
            for each in conditions(status, self._down, self._stuck, now)
            if now - each.since >= each.patience
        ]

    def _dead_letters(
        self, status: Status, memory: Memory, now: float
    ) -> Iterator[tuple[str, Notice]]:
        for host in status.hosts:
            for plugin in host.plugins:
                count = plugin.dead_letters + plugin.dropped_letters
                # A process that is starting has not counted them yet.
                if plugin.state != "running" and count == 0:
                    continue
                known = memory.dead_letters.get(plugin.name, 0 if memory.begun else count)
                memory.dead_letters[plugin.name] = count
                if count <= known:
                    continue
                facts = {
                    "plugin": plugin.name,
                    "process": host.name,
                    "count": str(count - known),
                    "all": str(count),
                }
                for rule in self._rules:
                    if "dead_letter" in rule.when:
                        yield rule.name, Notice("dead_letter", "", now, facts)


def conditions(status: Status, down: float, stuck: float, now: float) -> Iterator[Condition]:
    """All that is not as it should be."""
    age = now - status.written_at
    if age > SUPERVISOR:
        yield Condition(
            SUPERVISOR_STUCK,
            "problem",
            status.written_at,
            SUPERVISOR,
            {"code": "supervisor", "duration": f"{age:.0f}"},
        )
        return  # what else it says is no longer so
    for link in status.connections:
        if link.state != "connected":
            since = link.down_since or link.since
            facts = {"reason": link.why, "duration": f"{now - since:.0f}"}
            key = f"down {link.account} {since:.0f}"
            yield Condition(key, "disconnected", since, down, facts, link.account)
        elif not link.protected:
            key = f"unprotected {link.account}"
            facts = {"code": "unprotected"}
            yield Condition(key, "problem", status.written_at, 0.0, facts, link.account)
    for host in status.hosts:
        yield from _of_host(host, stuck, now)
        for plugin in host.plugins:
            yield from _of_plugin(host, plugin, stuck, now)


def _of_host(host: HostState, stuck: float, now: float) -> Iterator[Condition]:
    patience = stuck
    if (call := host.call) is not None and call.took >= stuck:
        patience = NEVER  # that it is behind is no news then
        facts = {
            "code": "stuck",
            "process": host.name,
            "plugin": call.plugin,
            "hook": call.hook,
            "at": f" ({call.account} #{call.seq})" if call.seq else "",
            "duration": f"{call.took:.0f}",
        }
        key = f"stuck {host.name} {call.plugin} {call.hook} {call.account} {call.seq}"
        yield Condition(key, "problem", now - call.took, stuck, facts)
    behind = max(host.cursors, key=lambda each: each.lag, default=None)
    if behind is not None and behind.lag_events and behind.lag >= stuck:
        facts = {
            "code": "behind",
            "process": host.name,
            "count": str(behind.lag_events),
            "duration": f"{behind.lag:.0f}",
        }
        yield Condition(f"behind {host.name}", "problem", now - behind.lag, patience, facts)


def _of_plugin(
    host: HostState, plugin: PluginState, stuck: float, now: float
) -> Iterator[Condition]:
    facts = {"plugin": plugin.name, "process": host.name}
    patience = {"refused": 0.0, "down": SHORT, "waiting": stuck, "starting": stuck}
    if plugin.state in patience:
        since = plugin.since or now
        facts |= {
            "code": plugin.state,
            "reason": plugin.why,
            "duration": f"{now - since:.0f}",
        }
        # Where a process dies again and again, its start is not the end of it.
        state = "down" if plugin.state == "starting" else plugin.state
        key = f"plugin {plugin.name} {state}"
        yield Condition(key, "problem", since, patience[plugin.state], facts)
    for each in plugin.problems:
        told = {"code": "told", "plugin": plugin.name, "reason": each.text}
        yield Condition(f"told {plugin.name} {each.key}", "problem", each.since, 0.0, told)


def _wanted(rule: Rule, condition: Condition, now: float) -> bool:
    if condition.when not in rule.when or not rule.takes(condition.account):
        return False
    patience = condition.patience
    if condition.when == "disconnected":
        patience = parse_duration(rule.after) or patience
    return now - condition.since >= patience


def _notice(condition: Condition, now: float) -> Notice:
    return Notice(condition.when, condition.account, now, condition.facts)
