"""A message that waits to be sent, and when its turn is.  No I/O.

There are at most two for a rule and a target: one that is being sent, or of which it is not known
whether it was, and one that takes in what happens meanwhile.  So a flood, or a service that is down
for an hour, makes no more messages than a quiet day.
"""

from __future__ import annotations

import secrets
from datetime import tzinfo
from typing import Literal, TypeAlias

import msgspec
from qehost import parse_duration

from qehost_notify.hours import Quiet
from qehost_notify.services import Outgoing
from qehost_notify.settings import Rule
from qehost_notify.texts import Texts

__all__ = ["SHOWN", "Content", "Message", "State"]

SHOWN = 5
"""Things that a message tells one by one, besides the last one; all are counted."""
PATIENCE = 5
"""A message waits for so many times `gather` at most."""

State: TypeAlias = Literal["new", "sending", "sent", "stale", "dropped"]


class Content(msgspec.Struct):
    """What is to be told: counts by kind, the first lines and the last one, and when the first and
    the last thing happened (epoch seconds)."""

    kinds: dict[str, int]
    lines: list[str]
    last_line: str
    first: float
    last: float

    @property
    def count(self) -> int:
        return sum(self.kinds.values())

    def add(self, more: Content) -> None:
        for kind, count in more.kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + count
        self.lines += more.lines[: max(0, SHOWN - len(self.lines))]
        self.last_line = more.last_line
        self.first = min(self.first, more.first)
        self.last = max(self.last, more.last)

    def text(self, texts: Texts) -> str:
        lines = list(self.lines)
        if (left := self.count - len(lines)) > 1:
            lines.append(texts.more(left - 1))
        if left > 0:
            lines.append(self.last_line)
        return "\n".join(lines)


class Message(msgspec.Struct):
    """Times are epoch seconds.  One with a `key` is frozen: it is sent as it is, also again."""

    rule: str
    target: str
    made: float
    content: Content
    due: float = 0.0
    fresh: float = 0.0
    """When something was put into it last, or when it was first allowed to be sent."""
    id: int = 0
    state: State = "new"
    tries: int = 0
    is_doubtful: bool = False
    """Whether it may have arrived: then it stays as it is until it is answered."""
    key: str = ""
    title: str = ""
    text: str = ""

    def gather(
        self, rule: Rule, gather: float, last_sent: float, now: float, zone: tzinfo | None
    ) -> None:
        """Say when it is to be sent, since something was just put into it."""
        gathered = min(now + gather, self.made + PATIENCE * gather)
        # Never before a back-off.
        due = max(gathered, last_sent + parse_duration(rule.every), self.due)
        self.due = Quiet.parse(rule.quiet).until(due, zone) if rule.quiet else due
        self.fresh = max(now, self.due)

    def freeze(self, texts: Texts) -> None:
        """Give it its text, and the key by which a service can tell that it comes again."""
        self.key = secrets.token_hex(16)
        self.title, self.text = texts.title(self.content.kinds), self.content.text(texts)

    def thaw(self) -> None:
        """It did not arrive: it may take in more."""
        self.key = self.title = self.text = ""

    def outgoing(self, texts: Texts) -> Outgoing:
        content = self.content
        text = f"{self.text}\n{texts.again()}" if self.is_doubtful else self.text
        return Outgoing(self.key, self.title, text, content.kinds, content.first, content.last)
