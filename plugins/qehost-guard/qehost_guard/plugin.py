"""The hooks: events and the clock go through the rules, and what they find becomes an intent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from typing import ClassVar

from qehost import Context, parse_duration
from qehost.errors import Error
from qehost.messages import AnyEvent

from qehost_guard.acting import Actor
from qehost_guard.audit import Audit
from qehost_guard.intents import Intent, Intents, State
from qehost_guard.rules import Finding, Watch
from qehost_guard.settings import Config as Settings
from qehost_guard.switch import Switch

__all__ = ["Guard"]

ASKED_AGAIN = 1.0
"""Seconds after which the table is asked again whether a rule has acted on an order."""
REMEMBERED = 10_000
AT_THE_END = 2.0
"""Seconds for which `on_stop` waits for a call."""


class Guard:
    """Warns, pauses or cancels by rules; a dry run until it is armed."""

    Config: ClassVar[type[Settings]] = Settings

    def __init__(self, config: Settings) -> None:
        self._config = config
        self._rules = {rule.label: rule for rule in config.rules}
        self._lock = threading.Lock()  # of the watch, which the actor asks
        self._asked: dict[tuple[str, str, str], float] = {}  # on the monotonic clock
        self._unwritten: dict[tuple[str, str, str], Finding] = {}

    def on_start(self, context: Context) -> None:
        self._context = context
        self._watch = Watch(self._config.rules, parse_duration(self._config.max_age))
        for account in context.accounts:
            for event in context.history(account):
                self._watch.add(event)
        folder = context.state_dir
        self._switch = Switch(folder)
        with ExitStack() as opened:
            self._intents = opened.enter_context(closing(Intents(folder / "guard.db")))
            audit = opened.enter_context(closing(Audit(folder / "audit.jsonl", self._intents)))
            audit.restore()
            opened.pop_all()  # from here on they are the actor's to close
        settle = parse_duration(self._config.settle)
        self._actor = Actor(context, self, self._intents, audit, settle)
        self._actor.start()
        self._told_disarmed = False
        self._tell_switch()
        # The other rules are needed all the same.
        context.problem("accounts", self._config.unknown_accounts(context))
        if not self._config.armed:
            context.logger.warning("a dry run: nothing is paused or cancelled until armed = true")

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        for event in events:
            with self._lock:
                found = self._watch.take(event, _now())
            self._intend(found)

    def on_tick(self, now: float) -> None:
        self._tell_switch()
        unwritten, self._unwritten = self._unwritten, {}
        with self._lock:
            found = self._watch.tick(round(now * 1000), self._context.accounts)
            found += [each for each in unwritten.values() if self._watch.holds(each, _now())]
        self._intend(found)
        if unwritten and not self._unwritten:
            self._context.problem("table", "")

    def on_stop(self, reason: str) -> None:
        self._actor.stop(AT_THE_END)

    # --- for the actor's thread --------------------------------------------------------------

    def still(self, intent: Intent) -> bool:
        """Whether the intent's rule still holds; not if it is no longer in the settings."""
        rule = self._rules.get(intent.rule)
        if rule is None or rule.action != intent.action or not self._config.armed:
            return False
        with self._lock:
            return self._watch.still(rule, intent.account, intent.master_order_id, _now())

    def is_level(self) -> bool:
        """Whether the hooks are not behind the stream."""
        with self._lock:
            return self._watch.is_level(_now())

    def was_paused(self, intent: Intent) -> bool:
        """Whether the stream has told the order as PAUSED since the first call."""
        with self._lock:
            return self._watch.paused_since(
                intent.account, intent.master_order_id, intent.first_call
            )

    # --- inside ------------------------------------------------------------------------------

    def _intend(self, findings: Iterable[Finding]) -> None:
        for found in findings:
            state: State = "intent"
            if found.rule.action == "warn":
                state = "done"
            elif not self._config.armed:
                state = "dry"
            elif self._switch.is_disarmed:
                continue  # what holds when it is armed again is found then
            # A rule that holds does so at each event, and the table is on a disk.
            name = (found.account, found.master_order_id, found.rule.label)
            if self._unwritten:
                self._unwritten[name] = found  # the table is tried once in a tick
                continue
            now = time.monotonic()
            if now - self._asked.get(name, -ASKED_AGAIN) < ASKED_AGAIN:
                continue
            if len(self._asked) >= REMEMBERED:
                self._asked.clear()
            self._asked[name] = now
            try:
                intent = self._intents.add(found, state, armed=self._config.armed)
            except Error as error:
                # An event that failed would not come again.
                self._unwritten[name] = found
                del self._asked[name]
                self._context.problem("table", f"nothing can be done: {error}")
                continue
            if intent is None:
                continue
            self._actor.take(intent)
            if state == "intent":
                continue
            what = "" if state == "done" else f", would {intent.action}"
            self._context.logger.warning(
                "%s (%s): rule %s%s: %s",
                intent.master_order_id,
                intent.account,
                intent.rule,
                what,
                intent.reason,
            )

    def _tell_switch(self) -> None:
        is_disarmed = self._switch.is_disarmed
        if is_disarmed != self._told_disarmed:
            self._told_disarmed = is_disarmed
            text = "disarmed: no rule acts until `qehost guard arm`" if is_disarmed else ""
            self._context.problem("disarmed", text)


def _now() -> int:
    return time.time_ns() // 1_000_000
