"""Which message is sent when, and what its answer makes of it.

All changes are in the file before they count, so after any failure the file says how things stand.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator
from copy import deepcopy
from datetime import tzinfo

from qehost import parse_duration

from qehost_notify.message import Content, Message, State
from qehost_notify.post import Post
from qehost_notify.services import Answer
from qehost_notify.settings import DEFAULT_RULE, DIGEST, Config, Rule
from qehost_notify.targets import Target
from qehost_notify.texts import Texts

__all__ = ["Mailing"]

LONGEST = 60.0
"""Seconds of back-off at most."""
REFUSED = 5.0
"""Seconds until a message is tried again that a service refused, or that may have arrived; twice as
long each time: people should not get it too often."""
LONGEST_REFUSED = 300.0


class Mailing:
    """The messages that have not ended.  `flying` are those that a worker has now."""

    def __init__(
        self,
        post: Post,
        config: Config,
        targets: dict[str, Target],
        flying: Collection[int],
        tell: Callable[[str], None],
    ) -> None:
        """`tell` is given what was not sent, for the log."""
        self._tell = tell
        self._post, self._targets = post, targets
        self._rules = {rule.name: rule for rule in config.all_rules()}
        self._rules[DIGEST] = Rule(when=[], every="0s", targets=config.digest_targets)
        self._zone: tzinfo | None = config.zone()
        self._texts = Texts(config.lang, self._zone)
        self._gather, self._stale = parse_duration(config.gather), parse_duration(config.stale)
        self._not_before: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._open = post.open_messages()
        for message in self._open:
            if message.state == "sending" and message.id not in flying:
                message.state, message.is_doubtful = "new", True

    def rule(self, name: str) -> Rule:
        """Of a rule that has been changed meanwhile, what is left is told to all targets."""
        return self._rules.get(name, DEFAULT_RULE)

    def add(self, name: str, more: Content, now: float) -> None:
        """Put something into the messages of a rule.  In a transaction of the file's."""
        rule = self.rule(name)
        for target, settings in self._targets.items():
            if rule.targets and settings.number not in rule.targets:
                continue
            message = self._waiting(name, target)
            if message is None:
                message = Message(name, target, now, deepcopy(more))
                self._open.append(message)
            else:
                message.content.add(more)
            last_sent = self._post.last_sent(name, target)
            message.gather(rule, self._gather, last_sent, now, self._zone)
            self._post.save(message)

    def begin(self, now: float, busy: Collection[str], hurry: bool) -> Iterator[Message]:
        """The messages whose turn it is, each for a target that is not busy; they are marked as
        being sent.  In a `hurry` nothing waits for more to come."""
        self._end_the_old(now)
        slack = 5 * self._gather if hurry else 0.0
        chosen: dict[str, Message] = {}
        pairs: set[tuple[str, str]] = set()
        for message in self._open:
            pair, target = (message.rule, message.target), message.target
            is_first = pair not in pairs  # the one that waits for it takes in more
            pairs.add(pair)
            if (
                is_first
                and message.state == "new"
                and target not in busy
                and message.due <= now + slack
                and self._not_before.get(target, 0.0) <= now
                and (target not in chosen or message.due < chosen[target].due)
            ):
                chosen[target] = message
        for message in chosen.values():
            if not message.key:
                message.freeze(self._texts)
            message.tries += 1
            message.state = "sending"
            with self._post.changes():
                self._post.save(message)
            yield message

    def answered(self, number: int, answer: Answer, now: float) -> str:
        """Note what became of a message; what is wrong with its target, or ""."""
        message = next((each for each in self._open if each.id == number), None)
        if message is None:  # its file was taken away
            return ""
        target = self._targets[message.target]
        with self._post.changes():
            if answer.verdict == "sent":
                self._post.finish(message, "sent", answer.reason, now)
            else:
                self._put_back(message, answer, now)
        if answer.verdict == "sent":
            self._open.remove(message)
            self._failures.pop(message.target, None)
            self._not_before[message.target] = now + target.service.pace
            return ""
        failures = self._failures[message.target] = self._failures.get(message.target, 0) + 1
        wait = answer.after
        if wait is None:
            wait = target.service.pace if answer.verdict == "refused" else _back_off(failures)
        self._not_before[message.target] = now + wait
        return f"{target.label}: {answer.reason}"

    # --- parts of these ---------------------------------------------------------------------------

    def _waiting(self, rule: str, target: str) -> Message | None:
        """The message that takes in more."""
        for message in self._open:
            if (message.rule, message.target, message.key) == (rule, target, ""):
                return message
        return None

    def _put_back(self, message: Message, answer: Answer, now: float) -> None:
        message.state = "new"
        if answer.verdict == "later":
            message.due = now + (answer.after or 0.0)  # also after a restart
        else:
            message.due = now + min(LONGEST_REFUSED, REFUSED * 2 ** min(message.tries - 1, 10))
        message.is_doubtful |= answer.verdict == "unknown"
        if not message.is_doubtful:
            # It is not there for certain: what came meanwhile goes along with it.
            later = self._waiting(message.rule, message.target)
            message.thaw()
            if later is not None:
                message.content.add(later.content)
                message.fresh = max(message.fresh, later.fresh)
                self._open.remove(later)
                self._post.remove(later)
        self._post.save(message)

    def _end_the_old(self, now: float) -> None:
        """End what is too old, and what is for a target that there is no more."""
        for message in [each for each in self._open if each.state == "new"]:
            state: State
            if message.target not in self._targets:
                state, why = "dropped", "its target is not in the settings any more"
            elif now > message.fresh + self._stale:
                state, why = "stale", "its target took none for too long"
            else:
                continue
            with self._post.changes():
                self._post.finish(message, state, why, now)
            self._open.remove(message)
            title = message.title or self._texts.title(message.content.kinds)
            self._tell(f"{title}: not sent, {why}")


def _back_off(failures: int) -> float:
    """Seconds, a little different each time, so that not all come back at once."""
    return min(LONGEST, 2.0 ** min(failures - 1, 10)) * random.uniform(0.8, 1.2)
