"""qehost receives the push stream of Quantum Execute and hands every message to plugins.

The public names.  Each is imported from its module when it is first used, so that `import qehost`
costs a plugin or a command nothing that it does not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qehost.errors import (
        APIError,
        ClientError,
        Error,
        ParameterArgumentError,
        ParameterRequiredError,
        ParameterTypeError,
        ParameterValueError,
        ServerError,
        WebsocketClientError,
    )
    from qehost.hookspecs import hookimpl
    from qehost.host.context import Context
    from qehost.messages import (
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
    from qehost.service.client import WebSocketService
    from qehost.service.handlers import WebSocketEventHandlers

    __version__: str

__all__ = [
    "API",
    "APIError",
    "BaseThirdPartyMessage",
    "ClientError",
    "ClientMessageType",
    "ClientPushMessage",
    "Context",
    "Error",
    "Event",
    "FillDetail",
    "FillMessage",
    "MasterOrderDetail",
    "MasterOrderMessage",
    "OrderDetail",
    "OrderMessage",
    "ParameterArgumentError",
    "ParameterRequiredError",
    "ParameterTypeError",
    "ParameterValueError",
    "ServerError",
    "ThirdPartyMessageType",
    "WebSocketEventHandlers",
    "WebSocketService",
    "WebsocketClientError",
    "hookimpl",
]

_HOMES = {
    "API": "qehost.rest.api",
    "Context": "qehost.host.context",
    "WebSocketEventHandlers": "qehost.service.handlers",
    "WebSocketService": "qehost.service.client",
    "hookimpl": "qehost.hookspecs",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("qehost")
    if name not in __all__:
        raise AttributeError(f"module 'qehost' has no attribute {name!r}")
    home = _HOMES.get(name)
    if home is None:
        messages = import_module("qehost.messages")
        home = "qehost.messages" if hasattr(messages, name) else "qehost.errors"
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return __all__
