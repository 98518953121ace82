"""`python benchmarks`: the table of docs/performance.md, in under five minutes.

Throughput, latency, start, CPU time and memory of the whole program, alone and beside a slow
plugin; what grows with messages, plugins and accounts; each layer alone.  Where `qe-connector` is
installed, its figures on the same bytes stand beside ours, in turns.  See README.md.
"""

from __future__ import annotations

from accounts import Accounts
from blast import Server
from instrument import Instrument, Sizes, command
from layers import Layers
from memory import Checkpoint
from pipeline import Pipeline
from slow import Slow

from plugins import Plugins


def build(server: Server, sizes: Sizes) -> list[Instrument]:
    pipeline = Pipeline(server, sizes)
    return [
        pipeline,
        Slow(server, sizes, pipeline),
        Checkpoint(server, sizes),
        Plugins(server, sizes),
        Accounts(server, sizes),
        Layers(sizes),
    ]


if __name__ == "__main__":
    command(__doc__, build)
