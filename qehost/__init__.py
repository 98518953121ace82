"""qehost receives the push stream of Quantum Execute and hands every message to plugins.

The public names.  Each is imported from its module when it is first used, so that `import qehost`
costs a plugin or a command nothing that it does not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qehost.cli.plugin_command import plugin_command, plugin_folder
    from qehost.cli.units import TIME
    from qehost.config.durations import parse_duration
    from qehost.errors import (
        APIError,
        ClientError,
        Error,
        EventsRefused,
        ParameterArgumentError,
        ParameterRequiredError,
        ParameterTypeError,
        ParameterValueError,
        Retry,
        ServerError,
        WebsocketClientError,
    )
    from qehost.hookspecs import Context, hookimpl
    from qehost.messages import (
        FINAL_STATUSES,
        BaseThirdPartyMessage,
        ClientMessageType,
        ClientPushMessage,
        Event,
        FillDetail,
        FillMessage,
        MasterOrderDetail,
        MasterOrderMessage,
        OrderDetail,
        OrderMessage,
        ThirdPartyMessageType,
    )
    from qehost.rest.api import API
    from qehost.rest.enums import (
        MASTER_ORDER_STATUSES_V2,
        Algorithm,
        Category,
        Exchange,
        MarginType,
        MarketType,
        MasterOrderStatus,
        MasterOrderStatusV2,
        OrderSide,
        StrategyType,
        TradingPairMarketType,
    )
    from qehost.rest.venue_types import (
        PAGE_SIZE_MAX,
        BatchCancelV2FailedItem,
        BatchCancelV2Reply,
        CreateMasterOrderV2Reply,
        CreateMasterOrderV2Request,
        DecimalLike,
        ExchangeApiListV2Reply,
        ExchangeApiV2Info,
        MasterOrderActionV2Reply,
        MasterOrderListV2Reply,
        MasterOrderV2Info,
        OrderFillListV2Reply,
        OrderFillV2Info,
        UpdateMasterOrderV2Request,
    )
    from qehost.service.client import WebSocketService
    from qehost.service.handlers import WebSocketEventHandlers
    from qehost.storage.export.parquet_table import ParquetTable
    from qehost.storage.status import (
        CallStatus,
        ConnectionState,
        CursorState,
        HostState,
        PluginProblem,
        PluginState,
        ProcessUsage,
        ReloadState,
        Status,
        UnreadableJournal,
    )

    __version__: str

__all__ = [
    "API",
    "FINAL_STATUSES",
    "MASTER_ORDER_STATUSES_V2",
    "PAGE_SIZE_MAX",
    "TIME",
    "APIError",
    "Algorithm",
    "BaseThirdPartyMessage",
    "BatchCancelV2FailedItem",
    "BatchCancelV2Reply",
    "CallStatus",
    "Category",
    "ClientError",
    "ClientMessageType",
    "ClientPushMessage",
    "ConnectionState",
    "Context",
    "CreateMasterOrderV2Reply",
    "CreateMasterOrderV2Request",
    "CursorState",
    "DecimalLike",
    "Error",
    "Event",
    "EventsRefused",
    "Exchange",
    "ExchangeApiListV2Reply",
    "ExchangeApiV2Info",
    "FillDetail",
    "FillMessage",
    "HostState",
    "MarginType",
    "MarketType",
    "MasterOrderActionV2Reply",
    "MasterOrderDetail",
    "MasterOrderListV2Reply",
    "MasterOrderMessage",
    "MasterOrderStatus",
    "MasterOrderStatusV2",
    "MasterOrderV2Info",
    "OrderDetail",
    "OrderFillListV2Reply",
    "OrderFillV2Info",
    "OrderMessage",
    "OrderSide",
    "ParameterArgumentError",
    "ParameterRequiredError",
    "ParameterTypeError",
    "ParameterValueError",
    "ParquetTable",
    "PluginProblem",
    "PluginState",
    "ProcessUsage",
    "ReloadState",
    "Retry",
    "ServerError",
    "Status",
    "StrategyType",
    "ThirdPartyMessageType",
    "TradingPairMarketType",
    "UnreadableJournal",
    "UpdateMasterOrderV2Request",
    "WebSocketEventHandlers",
    "WebSocketService",
    "WebsocketClientError",
    "hookimpl",
    "parse_duration",
    "plugin_command",
    "plugin_folder",
]

_HOMES = {
    "API": "qehost.rest.api",
    "Context": "qehost.hookspecs",
    "ParquetTable": "qehost.storage.export.parquet_table",
    "WebSocketEventHandlers": "qehost.service.handlers",
    "WebSocketService": "qehost.service.client",
    "hookimpl": "qehost.hookspecs",
    "TIME": "qehost.cli.units",
    "parse_duration": "qehost.config.durations",
    "plugin_command": "qehost.cli.plugin_command",
    "plugin_folder": "qehost.cli.plugin_command",
}
# Where the others are looked for, in this order.
_MODULES = (
    "qehost.messages",
    "qehost.errors",
    "qehost.rest.venue_types",
    "qehost.rest.enums",
    "qehost.storage.status",
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("qehost")
    if name not in __all__:
        raise AttributeError(f"module 'qehost' has no attribute {name!r}")
    homes = (_HOMES[name],) if name in _HOMES else _MODULES
    module = next(found for home in homes if hasattr(found := import_module(home), name))
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return __all__
