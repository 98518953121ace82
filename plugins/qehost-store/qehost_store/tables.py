"""The tables, and the two types that lose nothing: exact decimals and moments in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine

__all__ = [
    "EXACT",
    "MASTER_ORDER_FIELDS",
    "MOMENT",
    "ORDER_FIELDS",
    "commissions",
    "connections",
    "cursors",
    "daily_fills",
    "decimal_text",
    "fills",
    "master_orders",
    "metadata",
    "moment_text",
    "orders",
    "problems",
    "refused",
    "schema_version",
    "writers",
]

PLAIN_EXPONENT = 40
"""A decimal beyond that is written with an exponent: 1E+5000 would be a page of zeros."""


def decimal_text(value: Decimal) -> str:
    text = str(value)
    if "E" in text and abs(value.adjusted()) <= PLAIN_EXPONENT:
        return format(value, "f")
    return text


def moment_text(value: datetime) -> str:
    """Of a moment in UTC, as SQLAlchemy writes it."""
    return value.isoformat(" ", "microseconds").removesuffix("+00:00")


class _DecimalText(TypeDecorator[Decimal]):
    """A decimal as text.  SQLite's own numbers are floats: 0.1 would not come back as it was."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else decimal_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class _UtcText(TypeDecorator[datetime]):
    """A moment in UTC.  SQLite drops the offset of a time without converting it."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


# NUMERIC without a precision keeps every digit; with one, PostgreSQL rounds in silence.
EXACT: TypeEngine[Any] = Numeric().with_variant(_DecimalText(), "sqlite")
MOMENT: TypeEngine[Any] = DateTime(timezone=True).with_variant(_UtcText(), "sqlite")

# The fields of qehost's details, under their own names.  They are written down here, since a
# column that is to be added needs a migration.
_TYPES: dict[str, TypeEngine[Any]] = {
    "text": Text(),
    "exact": EXACT,
    "int": BigInteger(),
    "bool": Boolean(),
}
MASTER_ORDER_FIELDS = {
    **dict.fromkeys(
        [
            "created_at",
            "updated_at",
            "master_order_id",
            "client_order_id",
            "api_key_id",
            "trading_account",
            "exchange",
            "market_type",
            "category",
            "symbol",
            "base_currency",
            "quote_currency",
            "side",
            "margin_type",
            "algorithm",
            "notes",
            "status",
            "reject_reason",
            "max_trigger_wait_timeout_action",
        ],
        "text",
    ),
    **dict.fromkeys(
        [
            "total_quantity",
            "order_notional",
            "worst_price",
            "maker_rate_limit",
            "pov_limit",
            "pov_min_limit",
            "up_tolerance",
            "low_tolerance",
            "cum_filled_qty",
            "cum_filled_notional",
            "avg_filled_price",
            "maker_rate",
            "completed_quantity",
            "trigger_price",
            "trigger_price1",
        ],
        "exact",
    ),
    **dict.fromkeys(
        ["start_time_ms", "execution_duration_seconds", "finished_ms", "max_trigger_wait_secs"],
        "int",
    ),
    **dict.fromkeys(
        [
            "reduce_only",
            "is_margin",
            "must_complete",
            "strict_up_bound",
            "tail_order_protection",
            "enable_make",
            "is_target_position",
        ],
        "bool",
    ),
}
"""Without `commission`, which is a table."""
ORDER_FIELDS = {
    **dict.fromkeys(
        [
            "id",
            "master_order_id",
            "exchange",
            "category",
            "symbol",
            "side",
            "status",
            "reject_reason",
            "base_currency",
            "quote_currency",
            "order_type",
            "order_id",
            "created_at",
            "updated_at",
        ],
        "text",
    ),
    **dict.fromkeys(
        ["filled_notional", "filled_quantity", "average_price", "price", "quantity"], "exact"
    ),
    "order_created_time": "int",
}

metadata = MetaData()


def _key(name: str, kind: TypeEngine[Any] | None = None) -> Column[Any]:
    return Column(name, kind or Text(), primary_key=True, autoincrement=False)


def _details(fields: dict[str, str], keys: tuple[str, ...]) -> list[Column[Any]]:
    return [Column(name, _TYPES[kind]) for name, kind in fields.items() if name not in keys]


def _state() -> list[Column[Any]]:
    """Which event a state is from, and when it was so."""
    return [
        Column("changed_ms", BigInteger()),
        Column("changed_at", MOMENT),
        Column("first_seq", BigInteger(), nullable=False),
        Column("last_seq", BigInteger(), nullable=False),
        *_event(),
    ]


def _event() -> list[Column[Any]]:
    return [
        Column("journal_id", Text(), nullable=False),
        Column("origin", Text(), nullable=False),
        *_received(),
    ]


def _received() -> list[Column[Any]]:
    # A time stamp has microseconds.
    return [Column("received_at", MOMENT), Column("received_at_ns", BigInteger())]


master_orders = Table(
    "master_orders",
    metadata,
    _key("account"),
    _key("master_order_id"),
    *_details(MASTER_ORDER_FIELDS, ("master_order_id",)),
    *_state(),
)
commissions = Table(
    "commissions",
    metadata,
    _key("account"),
    _key("master_order_id"),
    _key("currency"),
    Column("amount", EXACT),
)
orders = Table(
    "orders",
    metadata,
    _key("account"),
    _key("master_order_id"),
    _key("id"),
    *_details(ORDER_FIELDS, ("master_order_id", "id")),
    # What its rows of `fills` add up to; a notional that is not known for each is NULL.
    Column("fills_quantity", EXACT, nullable=False),
    Column("fills_notional", EXACT),
    *_state(),
    # Another order than the primary key's, in whose place PostgreSQL would use it.
    Index("orders_by_order_id", "order_id", "master_order_id", "account"),
)
fills = Table(
    "fills",
    metadata,
    _key("account"),
    _key("master_order_id"),
    _key("id"),
    # `cum_quantity` as text; of a pushed fill of V1, which has none, its message_id.
    _key("name"),
    Column("order_id", Text()),
    Column("symbol", Text()),
    Column("category", Text()),
    Column("side", Text()),
    Column("price", EXACT),
    Column("quantity", EXACT, nullable=False),
    Column("notional", EXACT),
    Column("cum_quantity", EXACT),
    Column("fill_time", BigInteger()),
    Column("filled_at", MOMENT),
    Column("message_id", Text()),
    # `fill`: told as a fill.  `order`: what an order's state has beyond the fills that were told.
    Column("source", Text(), nullable=False),
    Column("seq", BigInteger(), nullable=False),
    *_event(),
    Index("fills_by_time", "filled_at"),
)
daily_fills = Table(
    "daily_fills",
    metadata,
    _key("account"),
    _key("day", Date()),
    _key("symbol"),
    _key("category"),
    _key("side"),
    Column("fills", BigInteger(), nullable=False),
    Column("quantity", EXACT, nullable=False),
    Column("notional", EXACT, nullable=False),
    # Of the fills whose notional is known.
    Column("priced_quantity", EXACT, nullable=False),
)
connections = Table(
    "connections",
    metadata,
    _key("account"),
    _key("journal_id"),
    _key("seq", BigInteger()),
    Column("kind", Text(), nullable=False),
    Column("url", Text()),
    Column("attempt", BigInteger()),
    Column("reason", Text()),
    Column("code", BigInteger()),
    # Epoch nanoseconds.
    Column("down_since", BigInteger()),
    Column("up_at", BigInteger()),
    Column("up_since", BigInteger()),
    Column("last_heard", BigInteger()),
    *_received(),
)
problems = Table(
    "problems",
    metadata,
    _key("account"),
    _key("journal_id"),
    _key("seq", BigInteger()),
    Column("code", Text(), nullable=False),
    Column("text", Text()),
    Column("facts", Text()),
    *_received(),
)
cursors = Table(
    "cursors",
    metadata,
    _key("account"),
    # One row for each journal that is written from: the last event that is in the database.
    _key("journal_id"),
    Column("seq", BigInteger(), nullable=False),
    Column("updated_at", MOMENT),
)
writers = Table(
    "writers",
    metadata,
    _key("account"),
    # One more with each transaction: what another process has written in between is noticed by it.
    Column("version", BigInteger(), nullable=False),
    # Whether some of its orders have no `id`, as those of V1.
    Column("has_v1", Boolean(), nullable=False),
)
refused = Table(
    "refused",
    metadata,
    _key("account"),
    _key("journal_id"),
    _key("seq", BigInteger()),
    Column("kind", Text()),
    Column("reason", Text()),
    *_received(),
)
schema_version = Table(
    "schema_version",
    metadata,
    _key("version", Integer()),
    Column("applied_at", MOMENT),
)
