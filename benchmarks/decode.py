"""`python benchmarks/decode.py`: what decoding costs, in µs a message, in one process.

Outer and inner message together, from the text of a frame to a typed message, for each form; then
everything that the connection process does between socket and journal (`Pipeline.feed`: decoding,
duplicates, derived fills, events).  The peer knows nothing but decoding.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import corpus
import peer
from table import Row, show

from qehost import wire
from qehost.pipeline import Pipeline

BATCH = 64  # messages at a time for the pipeline, about as many as one read brings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=7, help="alternating runs (%(default)s)")
    parser.add_argument("--messages", type=int, default=10_000, help="a run (%(default)s)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    v2, v1, mixed = (
        [text.decode() for text in corpus.messages(options.messages, forms)]
        for forms in (("v2",), ("v1",), corpus.BOTH)
    )
    cases: list[tuple[str, Sequence[str], Callable[[Sequence[str]], object]]] = [
        ("decode V2", v2, _decode),
        ("decode V1", v1, _decode),
        ("decode mixed", mixed, _decode),
        ("Pipeline.feed mixed", mixed, _feed),
    ]
    rows = [Row(name, "µs/message", "less") for name, _, _ in cases]
    for _ in range(options.runs):
        for row, (_, texts, ours) in zip(rows, cases, strict=True):
            row.ours.append(_measure(ours, texts))
            if peer.version():
                row.peers.append(_measure(_decode_as_peer, texts))
    show(rows, options.json)


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
    main()
