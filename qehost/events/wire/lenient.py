"""The careful way of reading a JSON object: one field at a time, whatever its form.

It takes everything that a decoder of this venue must take (a number as text or as a number, an
integer as `1719999999000.0`, a boolean as `1`, any field missing, null or empty, or under another
name).  A field that can't be read costs that field: it has its default, and is named.  What is
filled are the same structs as those of the fast way.

Values are kept as pieces of the JSON text until their reader looks at them.  So no number goes
through a float by accident, and a deeply nested value costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from types import NoneType
from typing import Any, TypeAlias, TypeVar

import msgspec

from qehost.events.times import MILLISECONDS_FROM, MILLISECONDS_TO, epoch_ms
from qehost.events.wire import raw_json
from qehost.events.wire.aliases import ALIASES
from qehost.events.wire.values import (
    Digits,
    Flag,
    Float,
    FractionalSeconds,
    Millis,
    MillisOrZero,
    Moment,
    Number,
    Seconds,
    Unreadable,
    Whole,
    number,
)

__all__ = ["Fields", "build", "camel_case", "field", "fields_of", "text"]

Fields: TypeAlias = Mapping[str, msgspec.Raw]
"""A JSON object: each field's value as a piece of JSON text."""

T = TypeVar("T")

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING = msgspec.json.Decoder(str)

# Builds decimals without rounding and without a raise: an exponent below what `decimal` can hold
# (10 to the power of −10¹⁸) ends at zero, as it does for the float.
_UNROUNDED = Context(prec=MAX_PREC, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])


def fields_of(data: str | bytes) -> Fields:
    """The fields of a JSON object.  Raises ValueError, with a text that says why, for all else."""
    try:
        return _OBJECT.decode(data)
    except msgspec.ValidationError:
        raise ValueError("not a JSON object") from None
    except RecursionError:
        why = "nested too deeply"
    except (msgspec.DecodeError, UnicodeError) as error:
        why = f"not valid JSON: {error}"
    # What is wrong may be within one field.
    try:
        pieces = raw_json.fields(data if isinstance(data, str) else data.decode())
        return {name: msgspec.Raw(piece) for name, piece in pieces.items()}
    except (ValueError, RecursionError):
        raise ValueError(why) from None


def build(
    cls: type[T],
    fields: Fields,
    faults: list[Unreadable] | None = None,
    names: Mapping[str, str] | None = None,
) -> T:
    """A struct from a JSON object; what can't be read of it is added to `faults`.

    `names` gives the JSON name of each attribute that is to be read; without it every attribute is
    read from its encoded name.
    """
    values = {}
    for attribute, key, read in _plan(cls):
        if names is not None:
            if attribute not in names:
                continue
            key = names[attribute]
        key, value = _named(fields, key)
        if not value:
            continue
        try:
            values[attribute] = read(key, value)
        except Unreadable as error:
            if error.rest is not None:
                values[attribute] = error.rest
            if faults is not None:
                faults.append(error)
    return cls(**values)


def field(fields: Fields, name: str) -> str:
    """A field as text, `""` where there is none."""
    return text(fields[name]) if name in fields else ""


def _named(fields: Fields, key: str) -> tuple[str, str]:
    """The name that a field has here, and its value as text."""
    for name in (key, *ALIASES.get(key, ())):
        if value := field(fields, name):
            return name, value
    return key, ""


def text(raw: msgspec.Raw) -> str:
    """Any value as text: a string's content, `""` for null, otherwise the JSON as it stands.

    A string that has no meaning (half of a surrogate pair) stays as its JSON, too.
    """
    json = bytes(raw)
    if json[:1] == b'"':
        try:
            return _STRING.decode(json)
        except (msgspec.DecodeError, UnicodeError):
            return json.decode()
    return "" if json == b"null" else json.decode()


def camel_case(name: str) -> str:
    """`created_at` → `createdAt`"""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


# --- readers: (name of the field, its value as text) → value; "" is a value that was not sent ----


def _text(key: str, value: str) -> str:
    return "" if value in ("{}", "[]") else value


def _digits(key: str, value: str) -> str:
    if value:
        _float(key, value)
    return value


def _float(key: str, value: str) -> float:
    if not value:
        return 0.0
    try:
        return number(value)
    except ValueError:
        raise Unreadable(key, value, "is no number") from None


def _decimal(key: str, value: str) -> Decimal | None:
    if not value:
        return None
    _float(key, value)
    return _UNROUNDED.create_decimal(value.strip())


def _whole(key: str, value: str) -> int | None:
    exact = _decimal(key, value)
    if exact is None:
        return None
    # What is written as a float is one, as msgspec sees it, as long as floats are exact.
    if not value.strip().lstrip("+-").isdecimal() and abs(nearest := float(value)) <= 2**53:
        exact = Decimal(nearest)
    # The size before int(): 1E+300 as an int has 301 digits.
    if exact.adjusted() > 18 or exact != (whole := int(exact)) or not -(2**63) <= whole < 2**63:
        raise Unreadable(key, value, "is no whole number of 64 bits")
    return whole


def _integer(key: str, value: str) -> int:
    return _whole(key, value) or 0


def _flag(key: str, value: str) -> bool | None:
    if not value:
        return None
    match value.strip().lower():
        case "true" | "1" | "yes" | "y":
            return True
        case "false" | "0" | "-0" | "no" | "n":
            return False
        case _:
            raise Unreadable(key, value, "is neither true nor false")


def _boolean(key: str, value: str) -> bool:
    return _flag(key, value) or False


def _epoch_ms(key: str, value: str) -> int:
    try:
        return epoch_ms(value.strip())
    except ValueError:
        raise Unreadable(key, value, "is no time") from None


def _moment(key: str, value: str) -> str:
    _epoch_ms(key, value)
    return value.strip()


def _whole_epoch_ms(key: str, value: str) -> int | None:
    """A field that is documented as a number of milliseconds."""
    whole = _whole(key, value)
    return None if whole is None else epoch_ms(str(whole))


def _millis(key: str, value: str) -> int:
    whole = _whole_or_none(key, value)
    if whole is not None and MILLISECONDS_FROM <= whole < MILLISECONDS_TO:
        return whole
    return _epoch_ms(key, value)


def _seconds(key: str, value: str) -> int:
    whole = _whole_or_none(key, value)
    if whole is not None and 0 <= whole < MILLISECONDS_FROM:
        return whole
    return _epoch_ms(key, value) // 1000


def _whole_or_none(key: str, value: str) -> int | None:
    try:
        return _whole(key, value)
    except Unreadable:
        return None


def _fractional_seconds(key: str, value: str) -> float:
    try:
        seconds = number(value)
    except ValueError:
        seconds = -1.0
    return seconds if 0 <= seconds < MILLISECONDS_FROM else _epoch_ms(key, value) / 1000


def _amounts(key: str, value: str) -> dict[str, Decimal]:
    try:
        amounts = fields_of(value)
    except ValueError:
        raise Unreadable(key, value, "is no object of numbers") from None
    read: dict[str, Decimal] = {}
    fault: Unreadable | None = None
    for name, amount in amounts.items():
        try:
            each = _decimal(f"{key}.{name}", text(amount))
        except Unreadable as error:
            fault = error
        else:
            if each is not None:
                read[name] = each
    if fault is not None:
        raise Unreadable(fault.field, fault.value, fault.why, read)
    return read


def _float_amounts(key: str, value: str) -> dict[str, float]:
    try:
        return {name: float(amount) for name, amount in _amounts(key, value).items()}
    except Unreadable as error:
        raise Unreadable(error.field, error.value, error.why, {}) from None


_Reader: TypeAlias = Callable[[str, str], Any]

_READERS: list[tuple[Any, _Reader]] = [
    (str, _text),
    (Digits, _digits),
    (Float, _float),
    (Number, _float),
    (Moment, _moment),
    (Millis, _millis),
    (MillisOrZero, _millis),
    (Seconds, _seconds),
    (FractionalSeconds, _fractional_seconds),
    (Whole, _integer),
    (bool, _boolean),
    (Flag, _boolean),
    (dict[str, Float], _float_amounts),
    (Decimal | None, _decimal),
    (int | None, _whole),
    (bool | None, _flag),
    (dict[str, Decimal], _amounts),
]

_plans: dict[type, list[tuple[str, str, _Reader]]] = {}


def _plan(cls: type) -> list[tuple[str, str, _Reader]]:
    """Attribute, JSON name and reader of each field of a struct; the type decides on the reader."""
    if cls not in _plans:
        _plans[cls] = [
            (field.name, field.encode_name, _reader(field))
            for field in msgspec.structs.fields(cls)
            if field.type not in (None, NoneType)
        ]
    return _plans[cls]


def _reader(field: msgspec.structs.FieldInfo) -> _Reader:
    if field.type == int | None and field.name in _TIMES:
        return _TIMES[field.name]
    return next(read for type_, read in _READERS if type_ == field.type)


_TIMES: dict[str, _Reader] = {
    "order_created_time": _epoch_ms,
    "fill_time": _epoch_ms,
    "start_time_ms": _whole_epoch_ms,
    "finished_ms": _whole_epoch_ms,
}
"""Fields of the details that are times, of the same type as those that are not."""
