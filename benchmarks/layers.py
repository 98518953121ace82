"""`python benchmarks/layers.py`: each layer alone, in µs of CPU a message, in one process.

The mixed messages go the whole way, batch by batch as the socket brings them under load, and each
step is timed by itself: from the bytes of the stream to the call of a plugin with empty hooks.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import corpus
import peer
from instrument import Sizes, command
from programs import TRIVIAL
from table import Row

from qehost.config.settings import ConnectionSettings, HostSettings
from qehost.connection.frames import FrameParser
from qehost.connection.stream import READ_SIZE
from qehost.events import wire
from qehost.events.codec import decode_events, encode_events, first_seq, last_seq
from qehost.events.pipeline import Pipeline
from qehost.host.delivery import SLICE
from qehost.host.dispatch import HOOKS, Dispatcher
from qehost.host.loading import Plugins, implementations
from qehost.host.registry import Registry
from qehost.processes.queue import BatchReader, BatchWriter
from qehost.storage.journal import Journal
from qehost.storage.progress import CallRecorder, ProgressMemory

__all__ = ["Layers"]

SECTION = "layers"
CONNECTION = ("frames", "decode", "orders and duplicates", "encode", "journal", "queue")
HOST = ("build events", "dispatch")
WHOLE = "text to message"
MESSAGES = 20_000


class Layers:
    def __init__(self, sizes: Sizes) -> None:
        messages = min(MESSAGES, sizes.messages)
        self._messages = messages
        self._reads = corpus.Frames(messages).joined(0, messages, READ_SIZE)
        self._texts = [text.decode() for text in corpus.messages(messages)]
        names = (*CONNECTION, *HOST, "sum of the layers", WHOLE)
        self._rows = {name: Row(SECTION, name, "µs", "less") for name in names}

    @property
    def rows(self) -> list[Row]:
        return list(self._rows.values())

    def run(self, number: int) -> None:
        with tempfile.TemporaryDirectory(prefix="qehost-benchmark-") as folder:
            costs = _one_way(self._reads, Path(folder))
        costs["sum of the layers"] = sum(costs.values())
        costs[WHOLE] = _each(wire.decode, self._texts)
        for name, seconds in costs.items():
            self._rows[name].ours.append(seconds * 1e6 / self._messages)
        if peer.version():
            theirs = _each(peer.decode, self._texts)
            self._rows[WHOLE].peers.append(theirs * 1e6 / self._messages)


def _one_way(reads: Sequence[bytes], folder: Path) -> dict[str, float]:
    """Seconds in each layer."""
    costs: dict[str, float] = defaultdict(float)
    parser = FrameParser(ConnectionSettings().max_message)
    pipeline = Pipeline("main")
    dispatcher = _dispatcher()
    reading, writing = multiprocessing.Pipe(duplex=False)
    reader, writer = BatchReader(reading), BatchWriter(writing, HostSettings().queue_bytes)

    def timed(layer: str, work: Callable[..., Any], *arguments: Any) -> Any:
        begun = time.thread_time()
        result = work(*arguments)
        costs[layer] += time.thread_time() - begun
        return result

    with Journal(folder) as journal:
        begun = time.process_time(), time.thread_time()
        for read in reads:
            texts = timed("frames", parser.feed, read)
            timed("decode", _glance, texts)
            at = time.time_ns()
            records = timed("orders and duplicates", pipeline.feed, texts, at)
            batch = timed("encode", encode_events, records)
            span = first_seq(records[0]), last_seq(records[-1])
            timed("journal", journal.append, batch, *span, at, at)
            timed("queue", writer.offer, batch, span[1])
            for arrived in timed("queue", reader.read):
                events = timed("build events", decode_events, *reversed(arrived))
                timed("dispatch", _dispatch, dispatcher, events)
        whole, this_thread = time.process_time(), time.thread_time()
        # What the journal's second thread has done in the meantime.
        costs["journal"] += (whole - begun[0]) - (this_thread - begun[1])
    writer.close()
    reader.close()
    costs["orders and duplicates"] -= costs["decode"]  # feeding decodes, too
    return {name: costs[name] for name in (*CONNECTION, *HOST)}


def _glance(texts: Sequence[str]) -> None:
    """What the connection process has to know of each text."""
    for text in texts:
        wire.glance(text)


def _dispatch(dispatcher: Dispatcher, events: Sequence[Any]) -> None:
    for start in range(0, len(events), SLICE):
        dispatcher.deliver(events[start : start + SLICE])


def _dispatcher() -> Dispatcher:
    """With one plugin whose hooks do nothing."""
    plugin = ModuleType("trivial")
    exec(TRIVIAL, vars(plugin))
    registry = Registry()
    registry.add(plugin, "trivial", "")
    plugins = Plugins((), {"trivial": None}, implementations(registry))
    return plugins.dispatcher(
        progress=CallRecorder(ProgressMemory(), ("trivial",), tuple(HOOKS), ("main",))
    )


def _each(work: Callable[[str], object], texts: Sequence[str]) -> float:
    """Seconds of CPU."""
    begun = time.thread_time()
    for text in texts:
        work(text)
    return time.thread_time() - begun


if __name__ == "__main__":
    command(__doc__, lambda _, sizes: [Layers(sizes)])
