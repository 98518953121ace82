"""The plugin's settings, as they stand under `[plugins.guard]`."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta
from qehost import Context, parse_duration
from qehost.errors import Error

__all__ = ["CONDITIONS", "Action", "Condition", "Config", "Rule"]

Action: TypeAlias = Literal["warn", "pause", "cancel"]
Condition: TypeAlias = Literal[
    "rejects", "first_price_bps", "worst_price_bps", "slippage_bps", "notional", "silent", "down"
]
CONDITIONS: tuple[Condition, ...] = (
    "rejects",
    "first_price_bps",
    "worst_price_bps",
    "slippage_bps",
    "notional",
    "silent",
    "down",
)

Name: TypeAlias = Annotated[str, Meta(min_length=1)]
Duration: TypeAlias = Annotated[str, Meta(pattern=r"^\d+(\.\d+)?[smhd]$")]

REJECTS = 1_000
"""Rejected child orders that are kept of a master order."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One condition and what is done when it holds.

    Prices count against the order: higher for a buy, lower for a sell.
    """

    action: Action = "warn"
    name: Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*\Z")] = ""
    """Under which it is remembered what the rule has acted on; without it made of the condition
    and the action."""
    accounts: tuple[Name, ...] = ()
    symbols: tuple[Name, ...] = ()

    rejects: Annotated[int, Meta(ge=1, le=REJECTS)] | None = None
    """So many rejected child orders of a master order …"""
    within: Duration | None = None
    """… within this time."""
    first_price_bps: Decimal | None = None
    """The latest fill or child order is so far beyond the first fill's price."""
    worst_price_bps: Decimal | None = None
    """The latest fill or child order is so far beyond the order's `worst_price`."""
    slippage_bps: Decimal | None = None
    """The average price is so far beyond the first fill's."""
    notional: Decimal | None = None
    """The fills of a symbol in an account are worth more, in the quote currency and a UTC day."""
    silent: Duration | None = None
    """Nothing is heard of a master order in PROCESSING for so long, while the stream is up."""
    down: Duration | None = None
    """The stream of the account is down for so long."""

    def __post_init__(self) -> None:
        given = [each for each in CONDITIONS if getattr(self, each) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"a rule has one condition of {', '.join(CONDITIONS)}: found {found}")
        if (self.within is None) != (self.rejects is None):
            raise ValueError('rejects and within belong together: rejects = 3, within = "60s"')
        for each in ("within", "silent", "down"):
            if getattr(self, each) is not None and not parse_duration(getattr(self, each)):
                raise ValueError(f"{each} must be more than nothing")
        limit = getattr(self, given[0])
        if isinstance(limit, Decimal) and not limit.is_finite():
            raise ValueError(f"{given[0]} must be a finite number")
        if self.notional is not None and self.notional < 0:
            raise ValueError("notional must not be negative")

    @property
    def condition(self) -> Condition:
        return next(each for each in CONDITIONS if getattr(self, each) is not None)

    @property
    def label(self) -> str:
        """Its name, given or made."""
        return self.name or f"{self.condition}-{self.action}"

    def covers(self, account: str, symbol: str) -> bool:
        """Whether it is for orders of this account and symbol."""
        return (not self.accounts or account in self.accounts) and (
            not self.symbols or symbol.upper() in {each.upper() for each in self.symbols}
        )


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that warn, pause or cancel."""

    armed: Annotated[
        bool, Meta(description="false: a dry run, which only says what it would do.")
    ] = False
    max_age: Annotated[
        Duration,
        Meta(description="What was received longer ago than this is no reason to act."),
    ] = "60s"
    settle: Annotated[
        Duration,
        Meta(
            description="After a call without an answer: so long it may still be on its way, "
            "before it is sent again."
        ),
    ] = "10s"
    rules: Annotated[
        tuple[Rule, ...],
        Meta(
            description="Each a [[plugins.guard.rules]] with one condition (rejects and within, "
            "first_price_bps, worst_price_bps, slippage_bps, notional, silent, down) and an action "
            "(warn, pause, cancel); name, accounts and symbols if wanted."
        ),
    ] = ()

    def __post_init__(self) -> None:
        if not parse_duration(self.max_age):
            raise ValueError("max_age must be more than nothing: nothing would ever be news")
        if not parse_duration(self.settle):
            raise ValueError("settle must be more than nothing: calls would follow without a pause")
        twice = [name for name, n in Counter(r.label for r in self.rules).items() if n > 1]
        if twice:
            raise ValueError(f"rules: several are called {twice[0]}: give each a name of its own")

    def unknown_accounts(self, context: Context) -> str:
        """What is wrong with the rules' accounts; "" if all is well."""
        unknown = {name for r in self.rules for name in r.accounts} - set(context.accounts)
        if not unknown:
            return ""
        return f"there is no account {min(unknown)}: {', '.join(context.accounts)}"

    def check(self, context: Context) -> str:
        """For `qehost check`: what is well.  Raises what is not."""
        if unknown := self.unknown_accounts(context):
            raise Error(unknown)
        if not self.rules:
            return "there are no [[plugins.guard.rules]]: nothing is watched"
        state = "armed" if self.armed else "a dry run"
        return f"{state}: {', '.join(rule.label for rule in self.rules)}"
