"""The messages that everything is measured with: a market's updates as the venue writes them.

Two users' markets, one told in V2 and one in V1, take turns.  So there are about as many bytes of
each, master orders, child orders and (V1) fills in the proportions of a day's trading, and a
message has 670 bytes in the mean.  The same seed gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from qehost.simulator.connection import text_frame
from qehost.simulator.encode import Form, outer, pushes
from qehost.simulator.market import Market

__all__ = ["BOTH", "frames", "messages", "status_frame"]

BOTH: Sequence[Form] = ("v2", "v1")
OPENED_MS = 1_760_000_000_000
STEP_MS = 7  # between two updates, on the market's clock


def messages(total: int, forms: Sequence[Form] = BOTH, seed: int = 1) -> list[bytes]:
    """`total` outer messages, each with an id of its own."""
    markets = [(form, Market(seed, OPENED_MS, user)) for user, form in enumerate(forms)]
    result: list[bytes] = []
    for number in count(1):
        form, market = markets[number % len(markets)]
        update = market.step(OPENED_MS + number * STEP_MS)
        texts = pushes(update, f"{OPENED_MS:x}-{number}", f"user-{form}", form)
        result += [text for _, text in texts]
        if len(result) >= total:
            break
    return result[:total]


def frames(total: int) -> list[bytes]:
    """The mixed messages, each as a frame of the stream."""
    return [text_frame(text) for text in messages(total)]


def status_frame(text: str, message_id: str) -> bytes:
    """A status message, by which a receiver knows that something has ended."""
    return text_frame(outer("status", message_id, "", text))
