"""The careful way of reading a JSON object: one field at a time, whatever its form.

It takes everything that a decoder of this venue must take (a number as text or as a number, an
integer as `1719999999000.0`, a boolean as `1`, any field missing, null or empty), and it says which
field it was that can't be read.  It fills the same structs as the fast way.

Values are kept as pieces of the JSON text until their reader looks at them.  So no number goes
through a float by accident, and a deeply nested value costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any, TypeAlias, TypeVar

import msgspec

from qehost.times import created_ms
from qehost.wire.shapes import Digits, Flag, Float, Integer, Number, Unreadable, Whole, number

__all__ = ["Fields", "build", "camel_case", "fields_of", "text"]

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
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except msgspec.ValidationError:
        raise ValueError("not a JSON object") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ValueError(f"not valid JSON: {error}") from None


def build(cls: type[T], fields: Fields, names: Mapping[str, str] | None = None) -> T:
    """A struct from a JSON object.

    `names` gives the JSON name of each attribute that is to be read; without it every attribute is
    read from its encoded name.  Raises Unreadable for the first field that can't be read.
    """
    values = {}
    for attribute, key, read in _plan(cls):
        if names is not None:
            if attribute not in names:
                continue
            key = names[attribute]
        if key in fields:
            values[attribute] = read(key, text(fields[key]))
    return cls(**values)


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
    return value


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
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise Unreadable(key, value, "is neither true nor false")


def _boolean(key: str, value: str) -> bool:
    return _flag(key, value) or False


def _moment(key: str, value: str) -> int | None:
    if not value:
        return None
    try:
        return created_ms(value)
    except ValueError:
        raise Unreadable(key, value, "is no time") from None


def _amounts(key: str, value: str) -> dict[str, Decimal]:
    if not value:
        return {}
    try:
        amounts = fields_of(value)
    except ValueError:
        raise Unreadable(key, value, "is no object of numbers") from None
    read = {name: _decimal(f"{key}.{name}", text(amount)) for name, amount in amounts.items()}
    return {name: amount for name, amount in read.items() if amount is not None}


def _float_amounts(key: str, value: str) -> dict[str, float]:
    return {name: float(amount) for name, amount in _amounts(key, value).items()}


_Reader: TypeAlias = Callable[[str, str], Any]

_READERS: list[tuple[Any, _Reader]] = [
    (str, _text),
    (Digits, _digits),
    (Float, _float),
    (Number, _float),
    (Integer, _integer),
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
            (field.name, field.encode_name, _reader(field)) for field in msgspec.structs.fields(cls)
        ]
    return _plans[cls]


def _reader(field: msgspec.structs.FieldInfo) -> _Reader:
    if field.name == "order_created_time" and field.type == int | None:
        return _moment
    return next(read for type_, read in _READERS if type_ == field.type)
