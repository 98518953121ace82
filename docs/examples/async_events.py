"""With asyncio: the first ten fills, then the end.

API_KEY=… API_SECRET=… python async_events.py
"""

import asyncio
import os
from contextlib import aclosing

from qehost import API, WebSocketService
from qehost.messages import ConnectedEvent, DisconnectedEvent, ErrorEvent, FillEvent


async def main() -> None:
    api = API(
        os.environ["API_KEY"],
        os.environ["API_SECRET"],
        base_url=os.environ.get("REST_URL", "https://testapi.quantumexecute.com"),
    )
    service = WebSocketService(api, os.environ.get("WS_URL", "wss://test.quantumexecute.com"))
    fills = 0
    # aclosing: the stream is closed as soon as the block is left, not when the loop ends.
    async with aclosing(service.events()) as events:
        async for event in events:
            match event:
                case FillEvent(message=fill):
                    print(f"{fill.side} {fill.filled_qty:g} {fill.symbol} at {fill.fill_price:g}")
                    fills += 1
                case ErrorEvent(message=problem):
                    print(f"error: {problem.text}")
                case ConnectedEvent() | DisconnectedEvent():
                    print(event.kind)
            if fills == 10:
                break


asyncio.run(main())
