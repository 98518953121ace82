"""The plugin's settings, as they stand under `[plugins.notify]`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from hashlib import blake2b
from string import Formatter
from typing import Annotated, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta
from qehost import Context, parse_duration
from qehost.errors import Error
from qehost.secret import Secret

from qehost_notify.hours import Quiet, time_of_day
from qehost_notify.notice import FIELDS, When
from qehost_notify.sending import reach
from qehost_notify.targets import Target, parse_target

__all__ = ["DEFAULT_RULE", "DIGEST", "NO_TARGETS", "Config", "Language", "Rule"]

REACH = 5.0
"""Seconds that a target's server has to take a connection."""
DIGEST = "digest"
"""The name of the digest's rule."""
NO_TARGETS = "there are no targets: messages go into the log alone"

Language: TypeAlias = Literal["en", "zh"]
Duration: TypeAlias = str


def _check(settings: msgspec.Struct, names: Iterable[str], read: Callable[[str], object]) -> None:
    """Read texts, so that what is wrong is told with its name."""
    for name in names:
        try:
            read(getattr(settings, name))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told, and to whom."""

    when: Annotated[
        list[When],
        Meta(
            min_length=1,
            description="fill, master_order, order, rejected, finished, stalled, disconnected, "
            "reconnected, error, dead_letter, gap, problem.",
        ),
    ]
    accounts: Annotated[list[str], Meta(description="Only these accounts; none: all.")] = []
    symbols: Annotated[list[str], Meta(description="Only these symbols; none: all.")] = []
    side: Annotated[Literal["", "buy", "sell"], Meta(description="Only this side.")] = ""
    status: Annotated[
        list[str], Meta(description="Of orders: only these of the venue's states; none: all.")
    ] = []
    notional: Annotated[
        Decimal,
        Meta(description="Only what is worth so much or more, in the quote currency."),
    ] = Decimal(0)
    every: Annotated[
        Duration, Meta(description="So long at least lies between two messages; they are merged.")
    ] = "10s"
    after: Annotated[
        Duration,
        Meta(description="Of disconnected: not before the stream was down for so long."),
    ] = "0s"
    silent: Annotated[
        Duration,
        Meta(description="Of stalled: nothing was heard of a master order at work for so long."),
    ] = "5m"
    quiet: Annotated[
        str, Meta(description="Hours in which nothing is sent, 22:00-07:00; it is told after them.")
    ] = ""
    template: Annotated[
        str, Meta(description="A line of text with fields, such as {symbol}; none: the usual one.")
    ] = ""
    targets: Annotated[
        list[int], Meta(description="Numbers of the targets, from 1; none: all of them.")
    ] = []

    def __post_init__(self) -> None:
        if not self.notional >= 0:
            raise ValueError("notional: expected 0 or more")
        _check(self, ("every", "after", "silent"), parse_duration)
        _check(self, ("quiet",) if self.quiet else (), Quiet.parse)
        try:
            names = [(name, spec) for _, name, spec, _ in Formatter().parse(self.template)]
        except ValueError as error:
            raise ValueError(f"template: {error}") from None
        for name, spec in names:
            if name is not None and (name not in FIELDS or spec):
                known = ", ".join(FIELDS)
                raise ValueError(f"template: {{{name}}} is none of its fields: {known}")

    def takes(
        self, account: str, symbol: str = "", side: str = "", worth: Decimal | None = None
    ) -> bool:
        """Whether it is about such a thing; what is not known is no reason for silence."""
        return (
            (not self.accounts or account in self.accounts or not account)
            and (not (self.symbols and symbol) or symbol.upper() in map(str.upper, self.symbols))
            and (not (self.side and side) or side.lower() == self.side)
            and (worth is None or worth >= self.notional)
        )

    @property
    def name(self) -> str:
        """It stays the same where the rule does, whatever stands around it."""
        return blake2b(msgspec.json.encode(self), digest_size=6).hexdigest()


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told of what."""

    targets: Annotated[
        list[Secret],
        Meta(
            description="Where to: https:// (a web hook), dingtalk://, wecom://, feishu://, "
            "lark://, telegram://, slack://; with qehost-notify[apprise] any URL of Apprise. Each "
            'is a secret: { env = "NAME" } or { file = "PATH" }.'
        ),
    ] = []
    rules: Annotated[
        list[Rule],
        Meta(
            description="What is told; none: rejected, finished, stalled, disconnected, "
            "reconnected, dead_letter, gap, problem, to all targets."
        ),
    ] = []
    digest: Annotated[
        str, Meta(description="When the last day is summed up, such as 18:00; none: never.")
    ] = ""
    digest_targets: Annotated[
        list[int], Meta(description="Of the digest: numbers of the targets; none: all of them.")
    ] = []
    lang: Annotated[Language, Meta(description="en or zh.")] = "en"
    timezone: Annotated[
        str, Meta(description="Of times in messages, quiet hours and digest; none: this machine's.")
    ] = ""
    stale: Annotated[
        Duration, Meta(description="What is older, or could not be sent for so long, is not told.")
    ] = "1h"
    gather: Annotated[
        Duration, Meta(description="A message waits for so long after the last thing it tells.")
    ] = "1s"
    down: Annotated[
        Duration, Meta(description="A stream that is down for so long is told (again).")
    ] = "60s"
    stuck: Annotated[
        Duration,
        Meta(description="A host process or plugin that stands still for so long is told."),
    ] = "30s"
    timeout: Annotated[
        float, Meta(gt=0, le=60, description="Seconds that a service has for its whole answer.")
    ] = 10.0

    def __post_init__(self) -> None:
        # msgspec shows the text of a ValueError with the setting's place: no URL is in it.
        places: dict[str, int] = {}
        for number, secret in enumerate(self.targets):
            try:
                name = parse_target(number + 1, secret).name
            except ValueError as error:
                raise ValueError(f"targets[{number}]: {error}") from None
            if (same := places.setdefault(name, number)) != number:
                raise ValueError(f"targets[{number}]: it is the same as targets[{same}]")
        wanting = {f"rules[{n}].targets": rule.targets for n, rule in enumerate(self.rules)}
        for place, wanted in {**wanting, "digest_targets": self.digest_targets}.items():
            for number in wanted:
                if not 1 <= number <= len(self.targets):
                    raise ValueError(
                        f"{place}: there is no target {number}: they are numbered from 1 to "
                        f"{len(self.targets)}"
                    )
        _check(self, ("stale", "gather", "down", "stuck"), parse_duration)
        _check(self, ("digest",) if self.digest else (), time_of_day)
        if self.timezone:
            try:
                ZoneInfo(self.timezone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(
                    "timezone: this machine has no such zone; Asia/Shanghai is one"
                ) from None

    def check(self, context: Context) -> str:
        """For `qehost check`: whether the targets can be reached.  Nothing is sent."""
        if not self.targets:
            return NO_TARGETS  # as it runs: a warning, and no reason against a start
        reached, wrong = [], []
        for target in self.parsed_targets():
            address = target.service.address
            if not address:  # of Apprise, which does not say where
                reached.append(f"{target.label} (not tried)")
            elif why := reach(address, REACH):
                wrong.append(f"{target.label}: {why}")
            else:
                reached.append(target.label)
        if wrong:
            raise Error("; ".join(wrong))
        return f"can be reached: {', '.join(reached)}; `qehost notify test` sends a message"

    def parsed_targets(self) -> list[Target]:
        return [parse_target(number, each) for number, each in enumerate(self.targets, 1)]

    def all_rules(self) -> list[Rule]:
        return self.rules or [DEFAULT_RULE]

    def zone(self) -> ZoneInfo | None:
        """None: this machine's."""
        return ZoneInfo(self.timezone) if self.timezone else None


DEFAULT_RULE = Rule(
    when=[
        "rejected",
        "finished",
        "stalled",
        "disconnected",
        "reconnected",
        "dead_letter",
        "gap",
        "problem",
    ]
)
"""What a person wants to know who has said nothing about it."""
