"""A readable line for each event.

A line is a tuple of parts, each a text and a rich style, so that the plain form costs one join:
rich's markup would be too slow for thousands of messages a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TypeAlias

from qehost.blotter import MasterState
from qehost.errors import DecodeError, Error, GapError
from qehost.messages import (
    ConnectedEvent,
    DisconnectedEvent,
    Event,
    FillDetail,
    FillMessage,
    OrderDetail,
    OrderMessage,
)

from qehost_console.figures import EXACT, clean, clock, day, exact, per_cent, price, span
from qehost_console.palette import LOUD, QUIET, side_style, status_style

__all__ = [
    "Line",
    "connected_line",
    "day_line",
    "disconnected_line",
    "error_line",
    "fill_line",
    "master_line",
    "order_line",
    "plain",
    "status_line",
    "unknown_line",
]

Line: TypeAlias = tuple[tuple[str, str], ...]

_LONGEST_TEXT = 500
_ORIGINS = {
    "catch_up": "caught up over REST",
    "baseline": "as it was before the stream opened",
    "derived": "",
}


def plain(line: Line) -> str:
    """The line without its styles and trailing blanks."""
    return "".join([text for text, _ in line]).rstrip()


def day_line(at: int) -> Line:
    """The date above the first line of each day, and of each change of the clock's offset."""
    return ((day(at), "bold"),)


def master_line(master: MasterState, event: Event) -> Line:
    """A master order: what was ordered, and what of it is filled."""
    return (
        *_head(event.received_at, master.account, master.symbol, master.side),
        ("master  ", "bold"),
        (f"{master.status:<10}  ", status_style(master.status)),
        (_progress(master), ""),
        (_sentence(master.algorithm, master.duration and span(master.duration)), ""),
        (f"  {master.reason}" if master.reason else "", "red"),
        (f"  {master.id}", QUIET),
        _origin(event),
    )


def order_line(message: OrderMessage, detail: OrderDetail, event: Event) -> Line:
    """A child order: what was ordered, and what of it is filled."""
    filled = ""
    if detail.filled_quantity:
        filled = f", filled {exact(detail.filled_quantity)}"
        if detail.average_price:
            filled += f" at {price(detail.average_price)}"
    reason = clean(message.reason)
    status = clean(message.status)
    limit = f" at {price(detail.price)}" if detail.price else ""
    return (
        *_head(event.received_at, event.account, message.symbol, message.side),
        ("order   ", ""),
        (f"{status:<10}  ", status_style(status)),
        (f"{_amount(detail.quantity, detail.base_currency)}{limit}{filled}", ""),
        (_sentence(clean(message.price_type)), ""),
        (f"  {reason}" if reason else "", "red"),
        (f"  {clean(message.order_id)} of {clean(message.master_order_id)}", QUIET),
        _origin(event),
    )


def fill_line(message: FillMessage, detail: FillDetail, event: Event, quote: str) -> Line:
    """An execution: quantity, price and notional in `quote` (`""`: not known)."""
    notional = detail.notional
    if notional is None and detail.quantity is not None and detail.price is not None:
        notional = EXACT.multiply(detail.quantity, detail.price)
    worth = f" = {_amount(notional, quote)}" if notional is not None else ""
    return (
        *_head(event.received_at, event.account, message.symbol, message.side),
        ("fill    ", "bold green"),
        (f"{'':<10}  ", ""),
        (f"{exact(detail.quantity)} at {price(detail.price)}", "bold"),
        (worth, ""),
        (f"  {clean(message.order_id)} of {clean(message.master_order_id)}", QUIET),
        _origin(event),
    )


def status_line(status: str, event: Event) -> Line:
    """A status text of the venue."""
    return (*_head(event.received_at, event.account), ("status  ", ""), (_text(status), ""))


def connected_line(event: ConnectedEvent) -> Line:
    """A stream that was opened, and the time without a stream before."""
    facts = event.message
    gap = ""
    if facts.down_since and facts.up_at > facts.down_since:
        # Two clock times to look up the window in the venue's records, and its length.
        gap = (
            f"; nothing was heard for {(facts.up_at - facts.down_since) / 1e9:.1f} s "
            f"({clock(facts.down_since)} to {clock(facts.up_at)})"
        )
    tries = f" at attempt {facts.attempt}" if facts.attempt > 1 else ""
    return (
        *_head(event.received_at, event.account),
        ("CONNECTED", "bold green"),
        (f"  to {clean(facts.url)}{tries}", ""),
        (gap, "bold yellow"),
    )


def disconnected_line(reason: str, event: DisconnectedEvent) -> Line:
    """A stream that has ended, why, and when the last message came."""
    facts = event.message
    # 1000 is an orderly end, which qehost itself has usually asked for.
    style = "bold yellow" if facts.code == 1000 else LOUD
    heard = f"; last heard at {clock(facts.last_heard)}" if facts.last_heard else ""
    return (
        *_head(event.received_at, event.account),
        ("DISCONNECTED", style),
        (f"  {_text(reason)} (code {facts.code}){heard}", style),
    )


def error_line(error: Error, event: Event | None, at: int) -> Line:
    """An error; of a DecodeError with the text that could not be read.  `at` is epoch ns."""
    account = event.account if event is not None else ""
    raw = ""
    if isinstance(error, DecodeError):
        raw = error.raw or (event.raw if event is not None else "")
    word = "GAP" if isinstance(error, GapError) else "ERROR"
    return (
        *_head(at, account),
        (word, LOUD),
        (f"  {type(error).__name__}: {_text(str(error))}", LOUD),
        (f"  {_text(raw)}" if raw else "", QUIET),
    )


def unknown_line(event: Event) -> Line:
    """A message of a type that qehost does not know."""
    return (
        *_head(event.received_at, event.account),
        ("unknown ", "magenta"),
        (_text(event.raw), QUIET),
    )


def _head(at: int, account: str, symbol: str = "", side: str = "") -> Iterable[tuple[str, str]]:
    yield f"{clock(at)}  ", QUIET
    yield f"{clean(account):<8}  ", ""
    if symbol or side:
        yield f"{clean(symbol):<9} ", "bold"
        yield f"{clean(side).lower():<4}  ", side_style(side)


def _progress(master: MasterState) -> str:
    unit = master.quote if master.target_in_quote else master.base
    if master.target is None:
        return "" if master.done is None else f"{_amount(master.done, unit)} filled"
    text = f"{exact(master.done or Decimal(0))} of {_amount(master.target, unit)}"
    text += f" ({per_cent(master.share)})"
    return text + (f" at {price(master.average)}" if master.average else "")


def _amount(value: Decimal | None, unit: str) -> str:
    return f"{exact(value)} {clean(unit)}" if unit else exact(value)


def _sentence(*words: str | float) -> str:
    return "".join(f"  {word}" for word in words if word)


def _text(text: str) -> str:
    text = clean(text.strip())
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"


def _origin(event: Event) -> tuple[str, str]:
    words = [_ORIGINS.get(event.origin, "")] if event.origin != "stream" else []
    if event.stale:
        words.append("late")
    if event.redelivered:
        words.append("delivered again")
    text = ", ".join(word for word in words if word)
    return (f"  [{text}]" if text else "", "yellow")
