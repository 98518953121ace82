"""`python benchmarks/dispatch.py`: what calling the plugins costs, in µs an event.

The product's loop, with the progress file and the time of each call, beside
pluggy's own call of the same implementations, and beside calling their functions and nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from types import ModuleType

from qehost.host.dispatch import HOOKS
from qehost.host.loading import Plugins, implementations
from qehost.host.registry import Registry
from qehost.messages import StatusEvent
from qehost.storage.progress import CallRecorder, ProgressMemory

EVENT = StatusEvent(1, "main", "m1", 0, "stream", False, "", "up")
BATCH = [EVENT] * 64
BATCHES = 500


@dataclass
class Cost:
    """µs an event for a number of plugins: the median of all runs."""

    plugins: int
    qehost: float
    pluggy: float
    bare: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=7, help="alternating runs (%(default)s)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    costs = [measure(count, options.runs) for count in (1, 3, 10)]
    if options.json:
        json.dump([asdict(cost) for cost in costs], sys.stdout, indent=2)
        print()
        return
    print("plugins    qehost    pluggy  bare calls   qehost / pluggy")
    for cost in costs:
        figures = f"{cost.qehost:9.2f} {cost.pluggy:9.2f} {cost.bare:11.2f}"
        print(f"{cost.plugins:7} {figures} {cost.qehost / cost.pluggy:17.2f}")


def measure(count: int, runs: int) -> Cost:
    registry = Registry()
    names = [f"plugin{number}" for number in range(count)]
    for name in names:
        registry.add(_plugin(), name, "")
    progress = CallRecorder(ProgressMemory(), names, tuple(HOOKS), ("main",))
    plugins = Plugins((), dict.fromkeys(names), implementations(registry))
    dispatcher = plugins.dispatcher(progress=progress)
    call = registry.hook.on_status
    functions = [found.function for found in registry.implementations("on_status")]

    def by_pluggy() -> None:
        for event in BATCH:
            call(status=event.message, event=event)

    def bare() -> None:
        for event in BATCH:
            for function in functions:
                function(event.message, event)

    ways = (lambda: dispatcher.deliver(BATCH), by_pluggy, bare)
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(runs):
        for way, times in zip(ways, taken, strict=True):
            times.append(_per_event(way))
    return Cost(count, *(median(times) for times in taken))


def _plugin() -> ModuleType:
    plugin = ModuleType("plugin")
    exec("def on_status(status, event): pass", vars(plugin))
    return plugin


def _per_event(way: Callable[[], None]) -> float:
    begin = time.perf_counter()
    for _ in range(BATCHES):
        way()
    return (time.perf_counter() - begin) * 1e6 / (BATCHES * len(BATCH))


if __name__ == "__main__":
    main()
