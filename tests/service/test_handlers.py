"""What can be a handler."""

from __future__ import annotations

from typing import Any

import pytest

from qehost import WebSocketEventHandlers
from qehost.errors import (
    ParameterArgumentError,
)


@pytest.mark.parametrize("handler", ["a text", lambda: None])
def test_handlers_that_could_never_work_are_refused(service, handler):
    if callable(handler):

        async def handler() -> None:
            pass

    with pytest.raises(ParameterArgumentError, match="on_fill"):
        service.set_handlers(WebSocketEventHandlers(on_fill=handler))


# --- documented names ---------------------------------------------------------------------------


def test_event_handlers_are_a_dataclass_of_eight_optional_handlers() -> None:
    assert WebSocketEventHandlers() == WebSocketEventHandlers(None, None, None, None)
    handlers: Any = WebSocketEventHandlers(on_fill=print)
    assert handlers.on_fill is print
    assert handlers.on_order is None
