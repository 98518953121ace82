"""The venue's V2 objects as dataclasses, under the names of its client.

Dictionaries do everywhere as well.  Source of names and fields: the venue's client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, ClassVar, Self, TypeAlias

from qehost.rest.checks import MAX_PAGE_SIZE
from qehost.rest.parameters import CORE, CREATE, UPDATE, checked
from qehost.rest.signing import plain_number

__all__ = [
    "PAGE_SIZE_MAX",
    "BatchCancelV2FailedItem",
    "BatchCancelV2Reply",
    "CreateMasterOrderV2Reply",
    "CreateMasterOrderV2Request",
    "DecimalLike",
    "ExchangeApiListV2Reply",
    "ExchangeApiV2Info",
    "MasterOrderActionV2Reply",
    "MasterOrderListV2Reply",
    "MasterOrderV2Info",
    "OrderFillListV2Reply",
    "OrderFillV2Info",
    "UpdateMasterOrderV2Request",
]

DecimalLike: TypeAlias = str | int | float | Decimal
PAGE_SIZE_MAX = MAX_PAGE_SIZE


# --- requests ------------------------------------------------------------------------------------


@dataclass
class CreateMasterOrderV2Request:
    """What `create_master_order_v2` takes."""

    apiKeyId: str = ""
    exchange: str = ""
    marketType: str = ""
    symbol: str = ""
    side: str = ""
    algorithm: str = ""
    executionDurationSeconds: int | None = None
    startTimeMs: int | None = None
    totalQuantity: DecimalLike | None = None
    orderNotional: DecimalLike | None = None
    marginType: str | None = None
    reduceOnly: bool | None = None
    isMargin: bool | None = None
    worstPrice: DecimalLike | None = None
    triggerPrice: DecimalLike | None = None
    maxTriggerWaitSecs: float | None = None
    mustComplete: bool | None = None
    makerRateLimit: DecimalLike | None = None
    povLimit: DecimalLike | None = None
    povMinLimit: DecimalLike | None = None
    upTolerance: DecimalLike | None = None
    lowTolerance: DecimalLike | None = None
    strictUpBound: bool | None = None
    tailOrderProtection: bool | None = None
    enableMake: bool | None = None
    isTargetPosition: bool | None = None
    clientOrderId: str | None = None
    notes: str | None = None
    triggerPrice1: DecimalLike | None = None
    maxTriggerWaitTimeoutAction: int | None = None

    def to_payload(self) -> dict[str, Any]:
        """As it is sent: decimals as text, without what was left out."""
        given = {name: value for name, value in vars(self).items() if name not in CORE or value}
        return checked(given, CREATE)


@dataclass
class UpdateMasterOrderV2Request:
    """What `update_master_order_v2` takes."""

    totalQuantity: DecimalLike | None = None
    orderNotional: DecimalLike | None = None
    upTolerance: DecimalLike | None = None
    lowTolerance: DecimalLike | None = None
    enableMake: bool | None = None
    makerRateLimit: DecimalLike | None = None
    strictUpBound: bool | None = None
    povLimit: DecimalLike | None = None
    povMinLimit: DecimalLike | None = None
    tailOrderProtection: bool | None = None
    mustComplete: bool | None = None
    executionDurationSeconds: int | None = None
    worstPrice: DecimalLike | None = None

    def to_payload(self) -> dict[str, Any]:
        """As it is sent: decimals as text, without what was left out."""
        return checked(vars(self), UPDATE)


# --- replies -------------------------------------------------------------------------------------


class _Reply:
    item: ClassVar[type[_Reply] | None] = None
    """What each entry of a list in the reply is."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From a dictionary of the venue; what it does not have is None, what it has more is left
        out."""
        found = {}
        for each in fields(cls):  # type: ignore[arg-type]  # each subclass is a dataclass
            value = data.get(each.name)
            if value is not None:
                found[each.name] = cls._read(str(each.type), value)
        return cls(**found)

    @classmethod
    def _read(cls, kind: str, value: Any) -> Any:
        if kind.startswith("list") and cls.item:
            return [cls.item.from_dict(each) for each in value]
        if kind.startswith("int"):
            try:
                return int(value)
            except (TypeError, ValueError):
                return value
        if kind.startswith("str") and isinstance(value, int | float | Decimal):
            return plain_number(value)
        return value


class _Bound(_Reply):
    """With the id of an exchange account, which had other names earlier."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        found = super().from_dict(data)
        key = data.get("apiKeyId") or data.get("apiKeyUuid") or data.get("id")
        for name in ("apiKeyId", "apiKeyUuid", "id"):
            if getattr(found, name, "") is None:
                setattr(found, name, key)
        return found


@dataclass
class ExchangeApiV2Info(_Bound):
    """An exchange account that is bound to the user."""

    apiKeyId: str | None = None
    apiKeyUuid: str | None = None
    id: str | None = None
    createdAt: str | None = None
    accountName: str | None = None
    exchange: str | None = None
    apiKey: str | None = None
    status: str | None = None
    isValid: bool | None = None
    isTradingEnabled: bool | None = None
    isDefault: bool | None = None
    isPm: bool | None = None


@dataclass
class MasterOrderV2Info(_Bound):
    """A master order."""

    createdAt: str | None = None
    updatedAt: str | None = None
    masterOrderId: str | None = None
    clientOrderId: str | None = None
    apiKeyId: str | None = None
    apiKeyUuid: str | None = None
    tradingAccount: str | None = None
    exchange: str | None = None
    marketType: str | None = None
    category: str | None = None
    symbol: str | None = None
    baseCurrency: str | None = None
    quoteCurrency: str | None = None
    side: str | None = None
    marginType: str | None = None
    reduceOnly: bool | None = None
    isMargin: bool | None = None
    algorithm: str | None = None
    totalQuantity: str | None = None
    orderNotional: str | None = None
    startTimeMs: int | None = None
    executionDurationSeconds: int | None = None
    worstPrice: str | None = None
    mustComplete: bool | None = None
    makerRateLimit: str | None = None
    povLimit: str | None = None
    povMinLimit: str | None = None
    upTolerance: str | None = None
    lowTolerance: str | None = None
    strictUpBound: bool | None = None
    tailOrderProtection: bool | None = None
    enableMake: bool | None = None
    isTargetPosition: bool | None = None
    notes: str | None = None
    status: str | None = None
    rejectReason: str | None = None
    finishedMs: int | None = None
    cumFilledQty: str | None = None
    cumFilledNotional: str | None = None
    avgFilledPrice: str | None = None
    makerRate: str | None = None
    completedQuantity: str | None = None
    commission: dict[str, str] | None = None
    triggerPrice: str | None = None
    triggerPrice1: str | None = None
    maxTriggerWaitSecs: float | None = None
    maxTriggerWaitTimeoutAction: int | None = None


@dataclass
class OrderFillV2Info(_Reply):
    """A child order with its fills."""

    id: str | None = None
    orderCreatedTime: str | None = None
    masterOrderId: str | None = None
    exchange: str | None = None
    category: str | None = None
    symbol: str | None = None
    side: str | None = None
    filledNotional: str | None = None
    filledQuantity: str | None = None
    averagePrice: str | None = None
    price: str | None = None
    status: str | None = None
    rejectReason: str | None = None
    baseCurrency: str | None = None
    quoteCurrency: str | None = None
    orderType: str | None = None
    orderId: str | None = None
    quantity: str | None = None
    createdAt: str | None = None
    updatedAt: str | None = None


@dataclass
class _Page(_Reply):
    items: list[Any] = field(default_factory=list)
    total: int = 0
    page: int = 0
    pageSize: int = 0


@dataclass
class ExchangeApiListV2Reply(_Page):
    item = ExchangeApiV2Info

    items: list[ExchangeApiV2Info] = field(default_factory=list)


@dataclass
class MasterOrderListV2Reply(_Page):
    item = MasterOrderV2Info

    items: list[MasterOrderV2Info] = field(default_factory=list)


@dataclass
class OrderFillListV2Reply(_Page):
    item = OrderFillV2Info

    items: list[OrderFillV2Info] = field(default_factory=list)


@dataclass
class CreateMasterOrderV2Reply(_Reply):
    masterOrderId: str | None = None
    status: str | None = None
    clientOrderId: str | None = None


@dataclass
class MasterOrderActionV2Reply(_Reply):
    success: bool | None = None
    message: str | None = None


@dataclass
class BatchCancelV2FailedItem(_Reply):
    masterOrderId: str | None = None
    reason: str | None = None


@dataclass
class BatchCancelV2Reply(_Reply):
    item = BatchCancelV2FailedItem

    successCount: int = 0
    failedOrders: list[BatchCancelV2FailedItem] = field(default_factory=list)
