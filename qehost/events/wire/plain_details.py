"""The fast way to an order's exact figures: for V2's objects as the venue documents them.

Texts are texts, decimals and 64-bit integers plain digits in texts.  Whatever is otherwise is left
to the careful way (`lenient`), and both give equal results.  No I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, DecimalException
from typing import Literal, TypeAlias, TypeVar

import msgspec

from qehost.events.times import MILLISECONDS_FROM, MILLISECONDS_TO, epoch_ms, made_ms
from qehost.events.wire.aliases import refusing_aliases
from qehost.events.wire.values import PLAIN_DIGITS
from qehost.messages import MasterOrderDetail, OrderDetail

__all__ = ["has_empty", "master_order_detail", "order_detail"]

T = TypeVar("T", bound=msgspec.Struct)
Setting = TypeVar("Setting")

_Flag: TypeAlias = bool | Literal[""]
_FEW_DIGITS = 10**15
_SETTINGS_KEPT = 4096
_FLAGS: dict[_Flag, bool | None] = {"": None, False: False, True: True}
_OTHER_NAMES = ("type", "master_order_id", "order_id", "client_id")
"""What an object has that may not be one of V2's."""


class _Order(msgspec.Struct, rename="camel", gc=False):
    id: str = ""
    order_created_time: str = ""
    master_order_id: str = ""
    exchange: str = ""
    market_type: str = ""
    category: str = ""
    symbol: str = ""
    side: str = ""
    filled_notional: str = ""
    filled_quantity: str = ""
    average_price: str = ""
    price: str = ""
    status: str = ""
    reject_reason: str = ""
    base_currency: str = ""
    quote_currency: str = ""
    order_type: str = ""
    order_id: str = ""
    quantity: str = ""
    created_at: str = ""
    updated_at: str = ""


class _MasterOrder(msgspec.Struct, rename="camel", gc=False):
    created_at: str = ""
    updated_at: str = ""
    master_order_id: str = ""
    client_order_id: str = ""
    api_key_id: str = ""
    trading_account: str = ""
    exchange: str = ""
    market_type: str = ""
    category: str = ""
    symbol: str = ""
    base_currency: str = ""
    quote_currency: str = ""
    side: str = ""
    margin_type: str = ""
    reduce_only: _Flag = ""
    is_margin: _Flag = ""
    algorithm: str = ""
    total_quantity: str = ""
    order_notional: str = ""
    start_time_ms: str = ""
    execution_duration_seconds: int | str = ""
    worst_price: str = ""
    must_complete: _Flag = ""
    maker_rate_limit: str = ""
    pov_limit: str = ""
    pov_min_limit: str = ""
    up_tolerance: str = ""
    low_tolerance: str = ""
    strict_up_bound: _Flag = ""
    tail_order_protection: _Flag = ""
    enable_make: _Flag = ""
    is_target_position: _Flag = ""
    notes: str = ""
    status: str = ""
    reject_reason: str = ""
    finished_ms: str = ""
    cum_filled_qty: str = ""
    cum_filled_notional: str = ""
    avg_filled_price: str = ""
    maker_rate: str = ""
    completed_quantity: str = ""
    commission: dict[str, str] = {}
    trigger_price: str = ""
    trigger_price1: str = ""
    max_trigger_wait_secs: int | str = ""
    max_trigger_wait_timeout_action: int | str = ""


def _decoder(cls: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(refusing_aliases(cls, *_OTHER_NAMES))


_decode_order = _decoder(_Order).decode
_decode_master_order = _decoder(_MasterOrder).decode
_REFUSED = (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError, DecimalException)


def order_detail(text: str) -> OrderDetail | None:
    """The detail of an inner object; None where that is for the careful way."""
    try:
        order = _decode_order(text)
        notional, filled = order.filled_notional, order.filled_quantity
        average, price, quantity = order.average_price, order.price, order.quantity
        if (
            not order.master_order_id
            or not _are_plain(f"{notional}{filled}{average}{price}{quantity}")
            or has_empty(text)
        ):
            return None
        created = order.order_created_time
        return OrderDetail(
            order.id,
            made_ms[created] if created else None,
            order.master_order_id,
            order.exchange,
            order.category or order.market_type,
            order.symbol,
            order.side,
            Decimal(notional) if notional else None,
            Decimal(filled) if filled else None,
            Decimal(average) if average else None,
            Decimal(price) if price else None,
            order.status,
            order.reject_reason,
            order.base_currency,
            order.quote_currency,
            order.order_type,
            order.order_id,
            Decimal(quantity) if quantity else None,
            order.created_at,
            order.updated_at,
        )
    except _REFUSED:
        return None


def master_order_detail(text: str) -> MasterOrderDetail | None:
    """The detail of an inner object; None where that is for the careful way."""
    try:
        order = _decode_master_order(text)
        filled, notional = order.cum_filled_qty, order.cum_filled_notional
        average, completed = order.avg_filled_price, order.completed_quantity
        maker_rate, fees = order.maker_rate, order.commission
        if (
            not order.master_order_id
            or not _are_plain(
                f"{filled}{notional}{average}{completed}{maker_rate}{''.join(fees.values())}"
            )
            or has_empty(text)
        ):
            return None
        return MasterOrderDetail(
            order.created_at,
            order.updated_at,
            order.master_order_id,
            order.client_order_id,
            order.api_key_id,
            order.trading_account,
            order.exchange,
            order.market_type,
            order.category or order.market_type,
            order.symbol,
            order.base_currency,
            order.quote_currency,
            order.side,
            order.margin_type,
            _FLAGS[order.reduce_only],
            _FLAGS[order.is_margin],
            order.algorithm,
            _settings[order.total_quantity],
            _settings[order.order_notional],
            _moments[order.start_time_ms],
            _whole(order.execution_duration_seconds),
            _settings[order.worst_price],
            _FLAGS[order.must_complete],
            _settings[order.maker_rate_limit],
            _settings[order.pov_limit],
            _settings[order.pov_min_limit],
            _settings[order.up_tolerance],
            _settings[order.low_tolerance],
            _FLAGS[order.strict_up_bound],
            _FLAGS[order.tail_order_protection],
            _FLAGS[order.enable_make],
            _FLAGS[order.is_target_position],
            order.notes,
            order.status,
            order.reject_reason,
            _moments[order.finished_ms],
            Decimal(filled) if filled else None,
            Decimal(notional) if notional else None,
            Decimal(average) if average else None,
            Decimal(maker_rate) if maker_rate else None,
            Decimal(completed) if completed else None,
            {name: Decimal(fee) for name, fee in fees.items() if fee} if fees else {},
            _settings[order.trigger_price],
            _settings[order.trigger_price1],
            _whole(order.max_trigger_wait_secs),
            str(order.max_trigger_wait_timeout_action),
        )
    except _REFUSED:
        return None


def _are_plain(digits: str) -> bool:
    """Whether figures, one behind the other, are few plain digits.  A figure of them may still be
    no number: `Decimal` says so."""
    return not digits or (
        len(digits) <= PLAIN_DIGITS
        and digits.isascii()
        and digits.replace(".", "").replace("-", "").isdecimal()
    )


class _Settings(dict[str, Setting]):
    """What a master order was given, by how it is written: those of all its updates are the same.
    Raises what `read` raises."""

    def __init__(self, read: Callable[[str], Setting]) -> None:
        self._read = read

    def __missing__(self, text: str) -> Setting:
        if len(self) >= _SETTINGS_KEPT:
            self.clear()
        made = self[text] = self._read(text)
        return made


def _figure(text: str) -> Decimal | None:
    """Raises ValueError for what is not plain."""
    if not _are_plain(text):
        raise ValueError(text)
    return Decimal(text) if text else None


def has_empty(text: str) -> bool:
    """Whether a text of the object may be one that the careful way takes for nothing."""
    return _holds(text, "{", '"{}"') or _holds(text, "[", '"[]"')


def _holds(text: str, bracket: str, empty: str) -> bool:
    # Of one character, which is rare, the place is found in a tenth of the time.
    place = text.find(bracket, 1)
    while place > 0:
        if text.startswith(empty, place - 1):
            return True
        place = text.find(bracket, place + 1)
    return False


def _whole(value: int | str) -> int | None:
    """Raises ValueError for all but few plain digits."""
    if type(value) is int:
        if 0 <= value < _FEW_DIGITS:
            return value
        raise ValueError(value)
    if value == "":
        return None
    text = str(value)
    if len(text) > 15 or not text.isascii() or not text.isdecimal():
        raise ValueError(text)
    return int(text)


def _moment(text: str) -> int | None:
    """A time that is documented as a number of milliseconds.  Raises ValueError."""
    whole = _whole(text)
    if not whole or MILLISECONDS_FROM <= whole < MILLISECONDS_TO:
        return whole
    return epoch_ms(str(whole))


_settings = _Settings(_figure)
_moments = _Settings(_moment)
