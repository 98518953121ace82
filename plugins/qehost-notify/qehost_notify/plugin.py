"""The hooks: what rules tell goes into the outbox, and a thread sends it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from qehost import Context, Retry, parse_duration
from qehost.messages import AnyEvent

from qehost_notify.matching import Matcher
from qehost_notify.notice import Notice
from qehost_notify.outbox import Outbox
from qehost_notify.sender import Sender
from qehost_notify.settings import NO_TARGETS
from qehost_notify.settings import Config as Settings
from qehost_notify.silence import Silence

__all__ = ["Notify"]

AGAIN = 5.0
"""Seconds until an outbox that can't be written is tried again."""
AT_THE_END = 3.0
"""Seconds in which `on_stop` sends what is due: all plugins together have ten."""
BACKLOG = 200_000
"""Notices that wait for the sender; with more of them the events wait in the journal."""


class Notify:
    """Tells people, and holds no hook up for it."""

    Config: ClassVar[type[Settings]] = Settings

    def __init__(self, config: Settings) -> None:
        self.config = config

    def on_start(self, context: Context) -> None:
        self._context = context
        rules = self.config.all_rules()
        self._matcher = Matcher(rules, parse_duration(self.config.stale))
        self._silence = Silence(rules, time.time())
        if self._silence:
            for account in context.accounts:  # the states of the orders that are open
                self._silence.add(context.history(account, since=timedelta(seconds=1)))
        file = context.state_dir / "outbox.db"
        self._outbox = Outbox(file)
        self._last = self._outbox.last()
        self._sender = Sender(context, file, self._last, context.state_dir / "messages.db")
        self._sender.start()
        if not self.config.targets:
            context.logger.warning(NO_TARGETS)

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        if self._silence:
            self._silence.add(events)
        found = list(self._matcher.matches(events, time.time()))
        if found:
            self._put(found)

    def on_tick(self, now: float) -> None:
        if self._silence and (found := list(self._silence.look(now))):
            self._put(found)
        try:
            self._outbox.forget(self._sender.taken)
        except sqlite3.Error as error:
            raise Retry(AGAIN, f"the outbox can't be written: {error}") from error

    def on_stop(self, reason: str) -> None:
        self._sender.stop(AT_THE_END)
        self._outbox.close()

    def _put(self, found: Sequence[tuple[str, Notice]]) -> None:
        if self._last - self._sender.taken > BACKLOG:
            raise Retry(AGAIN, "the sender does not get to taking what is in the outbox")
        try:
            self._last = self._outbox.put(found)
        except sqlite3.Error as error:
            raise Retry(AGAIN, f"the outbox can't be written: {error}") from error
