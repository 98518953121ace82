"""A plugin for qehost that sends every fill over a connection that it keeps, by asyncio."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta
from qehost import Context, Retry
from qehost.messages import FillDetail, FillEvent, FillMessage

__all__ = ["Plugin"]


class Plugin:
    """Sends each fill as a line of JSON, and waits for the answer, a line as well.

    While it waits, the other plugins of its process get their events.
    """

    class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        """The settings under [plugins.example]."""

        host: Annotated[str, Meta(description="Where fills are sent to.")] = "127.0.0.1"
        port: Annotated[int, Meta(ge=1, le=65_535, description="Its port.")] = 9009

    def __init__(self, config: Config) -> None:
        self.config = config
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def on_start(self, context: Context) -> None:
        """Called once, before any event; again, later, after a `Retry`."""
        self.context = context
        await self.connect()

    async def on_fill(self, message: FillMessage, detail: FillDetail, event: FillEvent) -> None:
        """A child order was filled, wholly or in part: one call for each increase."""
        line = {
            # By these three the receiver recognizes what comes again.
            "account": event.account,
            "order_id": message.order_id,
            "filled": detail.cum_quantity,
            "symbol": message.symbol,
            "side": message.side,
            "quantity": detail.quantity,
            "price": detail.price,
        }
        reader, writer = await self.connect()
        answer = b""
        try:
            writer.write(msgspec.json.encode(line) + b"\n")
            await writer.drain()
            answer = await reader.readline()
        except OSError as error:
            raise Retry(reason=str(error)) from error
        finally:
            # Also where qehost has cancelled this call, since it took too long: an answer that
            # comes late must not be taken for the next one's.
            if not answer:
                self.close()
        if not answer:
            raise Retry(reason="the connection was closed without an answer")

    async def on_stop(self, reason: str) -> None:
        """Called once, after the last event."""
        self.close()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection, opened if there is none.  Raises `Retry`."""
        if self.reader is None or self.writer is None:
            try:
                self.reader, self.writer = await asyncio.open_connection(
                    self.config.host, self.config.port
                )
            except OSError as error:
                raise Retry(reason=str(error)) from error
            self.context.logger.info("connected to %s:%d", self.config.host, self.config.port)
        return self.reader, self.writer

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None
