"""The hooks: what a plugin may implement.  Each docstring is the hook's contract.

A plugin is a module, an object or a class with functions of these names.  A function declares the
arguments it wants, by name and in any order, and leaves out the rest::

    def on_fill(message):
        print(message.symbol, message.filled_qty, message.fill_price)

`@qehost.hookimpl` is only needed for its options (`tryfirst`, `trylast`, `optionalhook`).

What holds for every hook:

* **Process and thread.**  Hooks run in the host process, in its main thread, one at a time.
  Nothing a hook does can delay a heartbeat: the socket lives in another process.
* **Order.**  Events come in the order of `seq` for each account.  Plugins are called in their
  configured `order`, then by name, within `tryfirst` and `trylast`.
* **At least once.**  Without a crash exactly once; after one an event may come again, and is then
  marked `redelivered`.
* **A raise** is logged with plugin, hook and event, reaches `on_error` of the other plugins, and
  costs them nothing: they still get the event.  The raising plugin goes on with the next event.
* **Messages are immutable**, so no plugin can change what the next one sees.
* A hook that takes long delays the plugins that share its process; see `process` in the settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

from qehost.messages import (
    AnyEvent,
    ClientPushMessage,
    ConnectedEvent,
    DisconnectedEvent,
    ErrorEvent,
    Event,
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderDetail,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderDetail,
    OrderEvent,
    OrderMessage,
    StatusEvent,
)

if TYPE_CHECKING:
    from qehost.errors import Error
    from qehost.host.context import Context

__all__ = ["PROJECT", "VERSION", "hookimpl", "hookspec"]

PROJECT = "qehost"
"""pluggy's project name, and the entry-point group in which plugins are found."""

VERSION = "0.1"
"""The version of this set of hooks: the qehost that last added one, or an argument.

Within it nothing is taken away.  What will go is marked (`warn_on_impl`, `warn_on_impl_args`) for
one minor version at least, and every plugin that uses it is named until then.
"""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def on_start(context: Context) -> None:
    """Called once, before any event, in every new host process (so again after a restart).

    `context` gives the account names, the plugin's name and settings, a state folder of its own, a
    logger, a way to ask qehost to stop, and `api(account)`: the signed REST client.  A plugin whose
    `on_start` raises is reported and gets no further calls in this process; with `--strict` the
    program does not start.

    Since 0.1.
    """


@hookspec
def on_stop(reason: str) -> None:
    """Called once, after the last event, when the host process ends in an orderly way.

    `reason` is a short text: `stopped by SIGTERM`, `--duration reached`, …  The whole of draining
    and `on_stop` shares `host.drain_timeout` (seconds); what takes longer is cut off.  It is not
    called when the process is killed.

    Since 0.1.
    """


@hookspec
def on_connected(event: ConnectedEvent) -> None:
    """The stream of an account is open.  `event.message` holds the window that was not heard.

    Since 0.1.
    """


@hookspec
def on_disconnected(reason: str, event: DisconnectedEvent) -> None:
    """The stream of an account has ended.  `reason` says how; `event.message` since when.

    Since 0.1.
    """


@hookspec
def on_master_order(
    message: MasterOrderMessage, detail: MasterOrderDetail, event: MasterOrderEvent
) -> None:
    """A master order is new or has changed.

    `message` has the documented fields (floats); `detail` every field of the venue with exact
    decimals.  `detail` is decoded only if some plugin asks for it.

    Since 0.1.
    """


@hookspec
def on_order(message: OrderMessage, detail: OrderDetail, event: OrderEvent) -> None:
    """A child order is new or has changed; it carries its running fill.

    `detail` as for `on_master_order`.

    Since 0.1.
    """


@hookspec
def on_fill(message: FillMessage, detail: FillDetail, event: FillEvent) -> None:
    """A child order was filled, wholly or in part: one call for each increase.

    In V2 the venue pushes no fills; they are derived from the child order's update, come right
    after it, and have `event.origin == "derived"`.  `detail` has the exact decimals.

    Since 0.1.
    """


@hookspec
def on_status(status: str, event: StatusEvent) -> None:
    """The venue sent a status text.

    Since 0.1.
    """


@hookspec
def on_error(error: Error, event: ErrorEvent | Event | None) -> None:
    """Something went wrong; `error` is an exception of `qehost.errors`.

    * `VenueError`: the venue sent an error message.
    * `DecodeError`: a message could not be read; `error.raw` is its text.  The stream goes on.
    * `ConnectError`, `HandshakeError`, `ListenKeyError`, `GapError`: the connection; it goes on.
    * `HookError`: another plugin raised; `event` is the event at which it did, or None outside one.

    A raise in `on_error` is logged and goes no further.

    Since 0.1.
    """


@hookspec
def on_raw_message(message: ClientPushMessage, event: AnyEvent) -> None:
    """Every message of the stream as it came, also of unknown types, before its typed hook.

    Not called for what did not come over the stream (caught up over REST, derived), nor for text
    that is no outer message at all: that reaches `on_error`.

    Since 0.1.
    """


@hookspec
def on_batch(events: Sequence[AnyEvent]) -> None:
    """Several events at once, for sinks that write many in one go; after their typed hooks.

    The cursor moves past these events only after the call has returned, so what a sink has not
    written comes again after a crash.  Events of all kinds, at least one, in the order of `seq`.

    Since 0.1.
    """


@hookspec
def on_tick(now: float) -> None:
    """About once a second, whether events come or not.  `now` is epoch seconds.

    Since 0.1.
    """
