"""The messages that everything is measured with: a market's updates as the venue writes them.

Two users' markets, one told in V2 and one in V1, take turns.  So there are about as many bytes of
each, master orders, child orders and (V1) fills in the proportions of a day's trading, and a
message has 670 bytes in the mean.  The same seed gives the same bytes.

A block of them can be repeated without end.  Each repetition has ids of its own and goes on where
the clock of the last one ended, so that a receiver takes no message for one that it knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count

from qehost.simulator.connection import text_frame
from qehost.simulator.encode import MessageVersion, outer, pushes
from qehost.simulator.market import Market

__all__ = ["BLOCK", "BOTH", "Frames", "messages", "status_frame"]

BOTH: Sequence[MessageVersion] = ("v2", "v1")
OPENED = 1_712_345_000  # epoch seconds
STEP_MS = 7  # between two updates, on the market's clock
BLOCK = 50_000
"""Messages before they are repeated."""
REPEATED_AFTER = 36_000
"""Seconds of the market's clock from one repetition to the next: whole hours and whole thousands,
so that a repetition differs in two strings only, which keep their length."""


def messages(total: int, forms: Sequence[MessageVersion] = BOTH, seed: int = 1) -> list[bytes]:
    """`total` outer messages, each with an id of its own; up to `BLOCK`."""
    if total > BLOCK:
        raise ValueError(f"there are {BLOCK} messages before they are repeated")
    opened = OPENED * 1000
    markets = [(form, Market(seed, opened, user)) for user, form in enumerate(forms)]
    result: list[bytes] = []
    for number in count(1):
        form, market = markets[number % len(markets)]
        update = market.step(opened + number * STEP_MS)
        texts = pushes(update, f"{opened}-{number}", f"user-{form}", form)
        result += [text for _, text in texts]
        if len(result) >= total:
            break
    return result[:total]


class Frames:
    """The mixed messages without end, each as a frame of the stream.  `block`: repeat so many."""

    def __init__(self, block: int = BLOCK) -> None:
        self._block = [text_frame(text) for text in messages(block)]

    def single(self, begin: int, total: int) -> list[bytes]:
        """Frames number `begin` and following."""
        return [frame for part in self._parts(begin, total, 1) for frame in part]

    def joined(self, begin: int, total: int, size: int) -> list[bytes]:
        """The same in pieces of about `size` bytes, whole frames each."""
        each = max(1, size * len(self._block) // sum(map(len, self._block)))
        return [b"".join(part) for part in self._parts(begin, total, each)]

    def _parts(self, begin: int, total: int, each: int) -> Iterator[list[bytes]]:
        end = begin + total
        while begin < end:
            repetition, at = divmod(begin, len(self._block))
            part = self._block[at : at + min(each, end - begin)]
            begin += len(part)
            yield [_repeated(b"".join(part), repetition)] if repetition else part


def _repeated(text: bytes, repetition: int) -> bytes:
    old, new = _ids_and_hour(0), _ids_and_hour(repetition)
    return text.replace(old[0], new[0]).replace(old[1], new[1])


def _ids_and_hour(repetition: int) -> tuple[bytes, bytes]:
    """What all ids and epoch times of a repetition begin with, and the hour of its other times."""
    opened = OPENED + repetition * REPEATED_AFTER
    hour = datetime.fromtimestamp(opened, UTC).strftime("%Y-%m-%dT%H")
    return str(opened // 1000).encode(), hour.encode()


def status_frame(text: str, message_id: str) -> bytes:
    """A status message, by which a receiver knows that something has ended."""
    return text_frame(outer("status", message_id, "", text))
