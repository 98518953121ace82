"""The sender: takes what hooks have left, watches the status, has messages sent.

It runs in a thread of its own, and is the only one that writes its file.  A message goes
new → sending → sent, and each step is on the disk before the next one is taken.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic, sleep, time

import msgspec
from qehost import Context, parse_duration
from qehost.errors import Error

from qehost_notify.digest import Digest
from qehost_notify.log_service import LogService
from qehost_notify.mailing import Mailing
from qehost_notify.message import SHOWN, Content
from qehost_notify.notice import Notice
from qehost_notify.outbox import Inbox
from qehost_notify.post import Post
from qehost_notify.settings import DIGEST, Config
from qehost_notify.targets import Target
from qehost_notify.texts import Texts
from qehost_notify.watching import Memory, Watch
from qehost_notify.worker import Answered, Worker

__all__ = ["Sender"]

TAKE = 0.2
"""Seconds between two looks into the outbox: hooks want the interpreter, too."""
LOOK = 1.0
"""Seconds between two looks at the status."""
CHECKPOINT = 10.0


class Sender:
    """The thread."""

    def __init__(self, context: Context, outbox: Path, last: int, file: Path) -> None:
        """`last` is the number of the last notice that is in the outbox now."""
        self._context = context
        config: Config = context.config
        self._config = config
        self._outbox, self._last, self._file = outbox, last, file
        self._texts = Texts(config.lang, config.zone())
        self._stale = parse_duration(config.stale)
        down, stuck = parse_duration(config.down), parse_duration(config.stuck)
        self._watch = Watch(context.plugin, config.all_rules(), down, stuck)
        self._digest = Digest(context, self._watch)
        self._answers: SimpleQueue[Answered] = SimpleQueue()
        self._unsettled: list[Answered] = []
        self._flying: dict[str, int] = {}
        targets = config.parsed_targets() or [Target(0, "log", LogService(context.logger))]
        self._targets = {target.name: target for target in targets}
        self._workers: dict[str, Worker] = {}
        self._failing: set[str] = set()
        self._until = float("inf")
        self.taken = 0
        """The last notice that was taken; read by the hooks' thread."""
        self._thread = threading.Thread(target=self._work, name="notify", daemon=True)

    def start(self) -> None:
        for name, target in self._targets.items():
            self._workers[name] = Worker(name, target, self._config.timeout, self._answers)
        self._thread.start()

    def stop(self, patience: float) -> None:
        """Send what is due, within so many seconds; what is left is sent at the next start."""
        self._until = monotonic() + patience
        self._thread.join(patience + 0.5)

    # --- the thread -------------------------------------------------------------------------------

    def _work(self) -> None:
        while monotonic() < self._until:
            try:
                with closing(Post(self._file)) as post, closing(Inbox(self._outbox)) as inbox:
                    self._context.problem("outbox", "")
                    self._rounds(post, inbox)
                break
            except (sqlite3.Error, OSError) as error:  # a full disk, a folder that is gone
                self._context.problem("outbox", f"messages can't be kept, nothing is sent: {error}")
            except Exception as error:  # a sender that died would tell nobody of it
                self._context.problem("outbox", f"the sender failed: {type(error).__name__}")
                self._context.logger.exception("the sender failed, and begins anew")
            sleep(LOOK)
        for worker in self._workers.values():
            worker.end()

    def _rounds(self, post: Post, inbox: Inbox) -> None:
        """Until the end, or until the file can't be written."""
        warn = self._context.logger.warning
        mailing = Mailing(post, self._config, self._targets, self._flying.values(), warn)
        # Where the outbox is another one than before, its numbers may begin anew.
        self.taken = min(int(post.fact("taken") or 0), max(self._last, self.taken))
        next_look = next_checkpoint = 0.0
        while True:
            is_ending = self._until != float("inf")
            self._settle(mailing)
            self._take(post, inbox, mailing)
            now = monotonic()
            if now >= next_look and not is_ending:
                next_look = now + LOOK
                self._look(post, mailing)
            if now >= next_checkpoint:
                next_checkpoint = now + CHECKPOINT
                inbox.checkpoint()
            for message in mailing.begin(time(), self._flying, hurry=is_ending):
                self._flying[message.target] = message.id
                self._workers[message.target].post(message.id, message.outgoing(self._texts))
            if is_ending and (not self._flying or now >= self._until):
                return
            with suppress(Empty):
                self._unsettled.append(self._answers.get(timeout=TAKE))

    def _settle(self, mailing: Mailing) -> None:
        """Write down what services have answered, before anything else."""
        while self._unsettled:
            target, number, answer = self._unsettled[0]
            wrong = mailing.answered(number, answer, time())
            self._unsettled.pop(0)
            self._flying.pop(target, None)
            self._note(self._targets[target].label, wrong)

    def _note(self, key: str, wrong: str) -> None:
        """Have the status say what is wrong, and that it is over."""
        if wrong or key in self._failing:
            self._context.problem(key, wrong)
        (self._failing.add if wrong else self._failing.discard)(key)

    def _take(self, post: Post, inbox: Inbox, mailing: Mailing) -> None:
        """Merge what hooks have left into messages."""
        last = inbox.last()
        if last <= self.taken:
            return
        now = time()
        with post.changes():
            for each in inbox.arrived(self.taken, last, now - self._stale, SHOWN):
                mailing.add(
                    each.rule, self._content(mailing, each.rule, each.notices, each.kinds), now
                )
            post.set_fact("taken", str(last).encode())
        self.taken = last

    def _look(self, post: Post, mailing: Mailing) -> None:
        """Tell what the status says, and the digest, when it is its time."""
        now = time()
        if self._config.digest and (told := self._digest.due(post.fact("digest").decode(), now)):
            day, content = told
            with post.changes():
                if content is not None:
                    mailing.add(DIGEST, content, now)
                post.set_fact("digest", day.encode())
        try:
            status = self._context.status()
        except Error as error:
            self._note("status", f"what the status says can't be told: {error}")
            return
        self._note("status", "")
        if status is None:
            return
        before = post.fact("memory")
        memory = msgspec.msgpack.decode(before, type=Memory) if before else Memory()
        found = self._watch.look(status, memory, now)
        if (after := msgspec.msgpack.encode(memory)) != before:
            with post.changes():
                for rule, notice in found:
                    mailing.add(rule, self._content(mailing, rule, [notice]), now)
                post.set_fact("memory", after)

    def _content(
        self,
        mailing: Mailing,
        rule: str,
        notices: list[Notice],
        kinds: dict[str, int] | None = None,
    ) -> Content:
        """What these say, the first and the last of so many by kind."""
        template = mailing.rule(rule).template
        lines = [self._texts.line(notice, template) for notice in notices]
        times = [notice.happened for notice in notices]
        kinds = kinds or {notice.when: 1 for notice in notices}
        return Content(kinds, lines[:SHOWN], lines[-1], min(times), max(times))
