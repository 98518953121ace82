"""`python benchmarks/plugins.py`: 1, 3 and 10 plugins, in the whole program and without it.

The first plugin is the recorder, which notes the time of each call; the hooks of the others do
nothing.  The dispatcher alone stands beside pluggy's own call of the same hooks (`dispatch.py`).
"""

from __future__ import annotations

import dispatch
from bench import running
from blast import Server
from instrument import Sizes, command
from programs import Qehost
from table import Row

__all__ = ["PLUGINS", "Plugins"]

PLUGINS = (1, 3, 10)
SECTION = "plugins"


class Plugins:
    def __init__(self, server: Server, sizes: Sizes) -> None:
        self._server = server
        self._sizes = sizes

        def rows(name: str, unit: str) -> dict[int, Row]:
            return {n: Row(SECTION, f"{_of(n)}: {name}", unit, "less", n) for n in PLUGINS}

        self._rate = rows("throughput", "messages/s")
        for row in self._rate.values():
            row.better = "more"
        self._cpu = rows("CPU of a message, host process", "µs")
        self._alone = rows("an event in the dispatcher alone", "µs")
        self._pluggy = rows("an event by pluggy's own call", "µs")

    @property
    def rows(self) -> list[Row]:
        found = (self._rate, self._cpu, self._alone, self._pluggy)
        return [row for rows in found for row in rows.values()]

    def run(self, number: int) -> None:
        for count in PLUGINS:
            with running(self._server, Qehost, trivial=count - 1) as bench:
                taken = bench.blast(self._sizes.messages)
            self._rate[count].ours.append(taken.rate)
            if "host" in taken.cpu:
                self._cpu[count].ours.append(taken.cpu["host"])
            cost = dispatch.measure(count, 1)
            self._alone[count].ours.append(cost.qehost)
            self._pluggy[count].ours.append(cost.pluggy)


def _of(count: int) -> str:
    return f"{count} plugin{'s' if count > 1 else ''}"


if __name__ == "__main__":
    command(__doc__, lambda server, sizes: [Plugins(server, sizes)])
