"""From events to frames: the work of the page's thread.

Hooks only put events into the inbox.  All else happens here, in one thread, and needs no lock: it
takes events into the desk, and five times a second makes one frame of what has changed.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from pathlib import Path
from typing import TypeAlias

import msgspec
from qehost import Context
from qehost.errors import Error, HookError
from qehost.messages import AnyEvent

from qehost_dashboard.answers import encode
from qehost_dashboard.broadcast import Broadcast
from qehost_dashboard.desk import Changes, Desk
from qehost_dashboard.guard_audit import GuardAudit, Intent
from qehost_dashboard.health import Health, read_health
from qehost_dashboard.problems import of_hook

__all__ = ["Frame", "Inbox", "Publisher"]

PAUSE = 0.2
"""Seconds between two frames."""
BEAT = 1.0
"""Seconds after which there is a frame with the health of qehost, also where nothing changed."""
PAST = 100_000
"""Events of the journal that are read at the start, of all accounts together."""
SLICE = 0.01
"""Seconds after which other work of the thread has its turn."""

Inbox: TypeAlias = deque[AnyEvent | HookError]


class Frame(msgspec.Struct, omit_defaults=True):
    """What the stream sends, and what `GET /api/state` answers."""

    boot: str
    """Another one after each start: then what was known of earlier frames is void."""
    n: int
    """Frames are numbered without a gap."""
    now: int
    """The server's time, epoch ms."""
    whole: bool = False
    """Whether `changes` is all there is, and not what is new since the last frame."""
    loading: bool = False
    """Whether the past is still being read."""
    accounts: tuple[str, ...] = ()
    changes: Changes | None = None
    health: Health | None = None
    guard: list[Intent] | None = None


class Publisher:
    def __init__(self, context: Context, inbox: Inbox, clients: int) -> None:
        self.desk = Desk()
        self.broadcast = Broadcast(clients, self._event_of_all)
        self.health = Health()
        self._context = context
        self._inbox = inbox
        self._audit = GuardAudit(_guards_file(context))
        self._boot = secrets.token_hex(8)
        self._number = 0
        self._is_loading = True
        self._whole: tuple[int, bytes] = (-1, b"")

    def state(self) -> bytes:
        """All there is, as JSON, as of the last frame."""
        if self._whole[0] != self._number:
            frame = self._frame(
                whole=True,
                accounts=self._context.accounts,
                changes=self.desk.everything(),
                health=self.health,
                guard=self._audit.intents(),
            )
            self._whole = self._number, encode(frame)
        return self._whole[1]

    async def feed(self) -> None:
        """Take in the past, then what comes, for ever."""
        for account in self._context.accounts:
            await self.read_past(account)
        self._is_loading = False
        while True:
            begun = time.monotonic()
            while self._inbox:
                self._take(self._inbox.popleft())
                if time.monotonic() - begun > SLICE:
                    await asyncio.sleep(0)
                    begun = time.monotonic()
            await asyncio.sleep(PAUSE / 2)

    async def publish(self) -> None:
        """Send what has changed, for ever."""
        beat = 0.0
        while True:
            now = time.monotonic()
            is_beat = now >= beat
            if is_beat:
                beat = now + BEAT
            self._send(is_beat)
            await asyncio.sleep(PAUSE)

    def _send(self, is_beat: bool) -> None:
        guard = None
        if is_beat:
            self.health = read_health(self._context)
            guard = self._audit.read()
        changes = self.desk.changes()
        if not is_beat and changes is None:
            return
        self._number += 1
        health = self.health if is_beat else None
        frame = self._frame(changes=changes, health=health, guard=guard)
        self.broadcast.send(_as_event(encode(frame)))

    def _frame(
        self,
        *,
        changes: Changes | None,
        health: Health | None,
        guard: list[Intent] | None,
        whole: bool = False,
        accounts: tuple[str, ...] = (),
    ) -> Frame:
        return Frame(
            self._boot,
            self._number,
            time.time_ns() // 1_000_000,
            whole,
            self._is_loading,
            accounts,
            changes,
            health,
            guard,
        )

    def _event_of_all(self) -> bytes:
        return _as_event(self.state())

    def _take(self, item: AnyEvent | HookError) -> None:
        if isinstance(item, HookError):
            self.desk.note(of_hook(item, time.time_ns() // 1_000_000))
        elif not item.seq or item.seq > self.desk.seq(item.account):
            self._take_event(item)

    def _take_event(self, event: AnyEvent) -> None:
        try:
            self.desk.take(event)
        except Exception as error:  # a defect here must cost this event, not the page
            where = f"event {event.seq} of {event.account}"
            self._context.logger.exception("%s is not shown", where)
            self._context.problem("event", f"{where} is not shown: {error!r}")

    async def read_past(self, account: str) -> None:
        """What the journal has, and not more than half of the interpreter's time for it: hooks of
        other plugins want it, too."""
        try:
            last = next(iter(self._context.history(account, newest_first=True, limit=1)), None)
            after = 0 if last is None else last.seq - PAST // len(self._context.accounts)
            begun = time.monotonic()
            for event in self._context.history(account, after_seq=max(0, after)):
                self._take_event(event)
                spent = time.monotonic() - begun
                if spent > SLICE:
                    await asyncio.sleep(spent)
                    begun = time.monotonic()
        except Error as error:
            self._context.logger.warning(
                "account %s: what was before is not shown: %s", account, error
            )


def _guards_file(context: Context) -> Path | None:
    """Plugins' folders stand beside each other."""
    try:
        return context.state_dir.parent / "guard" / "audit.jsonl"
    except OSError:
        return None  # a full disk: the page shows the rest


def _as_event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"
