"""`python benchmarks/decode.py`: what decoding costs, in µs a message, in one process.

Outer and inner message together, from the text of a frame to a typed message, for each version;
then everything that the connection process does between socket and journal (`Pipeline.feed`:
decoding, duplicates, derived fills), for each form of the wire.  The peer knows nothing but
decoding.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import corpus
import peer
from instrument import Sizes, command
from table import Row

from qehost.events import wire
from qehost.events.pipeline import Pipeline

__all__ = ["Decode"]

SECTION = "decoding"
BATCH = 64  # messages at a time for the pipeline
MESSAGES = 10_000


class Decode:
    def __init__(self, sizes: Sizes) -> None:
        total = min(MESSAGES, sizes.messages)
        texts = {
            form: [text.decode() for text in corpus.messages(total, form)] for form in corpus.FORMS
        }
        self._cases: list[tuple[Row, Sequence[str], Callable[[Sequence[str]], object]]] = [
            (Row(SECTION, f"{name} {form}", "µs", "less"), texts[form], work)
            for name, forms, work in (
                ("decode", ("V2", "V1", corpus.MIXED), _decode),
                ("Pipeline.feed", corpus.FORMS, _feed),
            )
            for form in forms
        ]

    @property
    def rows(self) -> list[Row]:
        return [row for row, _, _ in self._cases]

    def run(self, number: int) -> None:
        for row, texts, work in self._cases:
            row.ours.append(_measure(work, texts))
            if peer.version():
                row.peers.append(_measure(_decode_as_peer, texts))


def _measure(work: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    begin = time.perf_counter()
    work(texts)
    return (time.perf_counter() - begin) * 1e6 / len(texts)


def _decode(texts: Sequence[str]) -> None:
    decode = wire.decode
    for text in texts:
        decode(text)


def _feed(texts: Sequence[str]) -> None:
    pipeline = Pipeline("main")
    for at in range(0, len(texts), BATCH):
        pipeline.feed(texts[at : at + BATCH], 1)


def _decode_as_peer(texts: Sequence[str]) -> None:
    decode = peer.decode
    for text in texts:
        decode(text)


if __name__ == "__main__":
    command(__doc__, lambda _, sizes: [Decode(sizes)])
