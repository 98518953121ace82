"""`python benchmark.py -c qehost.toml`: what a report of all that a journal has costs.

The journal is that of the first account; qehost's `benchmarks/history.py --folder` writes one.  Its
events are read and decoded alone first; then the figures are made of them; then the whole report is
made as HTML.  Times are of this process's CPU and of the wall.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Callable

import click
import qehost

from qehost_stats.page import as_html
from qehost_stats.reading import read_account
from qehost_stats.report import make

LAST = 2**62


@click.command(help=(__doc__ or "").partition("\n")[0])
@qehost.plugin_command("stats")
def main(context: qehost.Context) -> None:
    load = os.getloadavg()[0]
    click.echo(f"python {platform.python_version()}, cores {os.cpu_count()}, load {load:.1f}")
    account = context.accounts[0]
    kinds = [event.kind for event in context.history(account)]
    count = len(kinds)
    click.echo(f"{count:,} events, {kinds.count('fill'):,} of them fills")
    told("read and decoded", count, lambda: sum(1 for _ in context.history(account)))
    told("and the figures made", count, lambda: read_account(context, account, 0, LAST))

    def report() -> None:
        as_html(make(context, [account], 0, LAST, ask_venue=False))

    told("the whole report", count, report)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    click.echo(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.0f} MB")


def told(name: str, count: int, work: Callable[[], object]) -> None:
    cpu, wall = time.process_time(), time.monotonic()
    work()
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    click.echo(f"{name:<24}{cpu / count * 1e6:>6.1f} µs of CPU an event, {cpu:.1f} s; {wall:.1f} s")


if __name__ == "__main__":
    main()
