"""A plugin for qehost that pauses a master order whose child orders are rejected."""

from __future__ import annotations

from collections import deque
from typing import Annotated

import msgspec
from msgspec import Meta
from qehost import Context
from qehost.errors import RestError
from qehost.messages import MasterOrderEvent, MasterOrderMessage, OrderEvent, OrderMessage

__all__ = ["Plugin"]

ENDED = {"CANCELLED", "COMPLETED", "COMPLETED_WITHTAIL", "REJECTED", "EXPIRED"}

Name = tuple[str, str]
"""The account and the master order's id."""


class Plugin:
    """Pauses each master order once, at most, and only what happens now makes it do so."""

    class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        """The settings under [plugins.example]."""

        rejects: Annotated[
            int, Meta(ge=1, description="So many rejected child orders pause their master order")
        ] = 3
        within: Annotated[float, Meta(gt=0, description="within so many seconds.")] = 60.0
        armed: Annotated[
            bool, Meta(description="false: a dry run, which only logs what it would do.")
        ] = False

    def __init__(self, config: Config) -> None:
        self.config = config
        self.rejected: dict[Name, deque[int]] = {}
        self.acted_on: set[Name] = set()

    def on_start(self, context: Context) -> None:
        self.context = context
        if not self.config.armed:
            context.logger.warning("a dry run: nothing is paused until armed = true")

    def on_order(self, message: OrderMessage, event: OrderEvent) -> None:
        """A child order is new or has changed."""
        # What was read over REST is no news, and what comes again after a crash may have been
        # acted on: both are never a reason to act.
        if message.status != "REJECTED" or event.origin != "stream" or event.redelivered:
            return
        name = event.account, message.master_order_id
        if name in self.acted_on:
            return
        times = self.rejected.setdefault(name, deque(maxlen=self.config.rejects))
        times.append(event.received_at)
        if len(times) == times.maxlen and times[-1] - times[0] <= self.config.within * 1e9:
            self.acted_on.add(name)
            self.pause(name, f"{len(times)} rejected child orders")

    def on_master_order(self, message: MasterOrderMessage, event: MasterOrderEvent) -> None:
        """A master order is new or has changed."""
        if message.status in ENDED:
            name = event.account, message.master_order_id
            self.rejected.pop(name, None)
            self.acted_on.discard(name)

    def pause(self, name: Name, why: str) -> None:
        account, master_order_id = name
        log = self.context.logger
        if not self.config.armed:
            log.warning("%s: would be paused: %s", master_order_id, why)
            return
        api = self.context.api(account)
        try:
            reply = api.pause_master_order_v2(master_order_id, reason=why)
            outcome = "paused" if reply["success"] else f"not paused: {reply['message']}"
        except RestError as error:
            outcome = f"not paused: {error}"
            if error.outcome_unknown:
                # Never send it again unasked: it may have been done.
                outcome = self.asked(name)
        log.warning("%s: %s: %s", master_order_id, why, outcome)

    def asked(self, name: Name) -> str:
        """What became of an action whose answer was lost."""
        account, master_order_id = name
        try:
            status = self.context.api(account).master_order(master_order_id).status
        except RestError as error:
            return f"it is not known whether it is paused: {error}"
        return "paused" if status == "PAUSED" else f"not paused, it is {status}"
