"""The local venue that `qehost run --simulate` starts, in a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qehost import children
from qehost.errors import Error
from qehost.logs import LogSettings
from qehost.secret import Secret

if TYPE_CHECKING:
    from qehost.simulator.faults import Fault

__all__ = ["main", "simulated_venue"]

START_TIMEOUT = 20.0


@contextmanager
def simulated_venue(log: LogSettings, faults: Sequence[Fault]) -> Iterator[dict[str, Any]]:
    """A venue for as long as the block runs; yields the account settings that lead to it."""
    ours, theirs = multiprocessing.Pipe()
    process = children.start("simulator", __name__, log, faults, theirs)
    theirs.close()
    try:
        if not ours.poll(START_TIMEOUT):
            raise Error("the local venue did not start")
        try:
            settings: dict[str, Any] = ours.recv()
        except EOFError:
            raise Error("the local venue did not start; the lines above say why") from None
        yield settings
    finally:
        process.kill()
        process.join()
        ours.close()


def main(log: LogSettings, faults: Sequence[Fault], parent: Any) -> None:
    """The venue's process."""
    from qehost.simulator.server import Venue

    children.enter("simulator", log)
    with Venue(rate=30.0, faults=faults, remember=0) as venue:
        parent.send(
            {
                "ws_url": venue.ws_url,
                "rest_url": venue.rest_url,
                "api_key": Secret(venue.api_key),
                "api_secret": Secret(venue.api_secret),
            }
        )
        # The parent kills this process when it is done, and the lifeline does if it died.
        parent.poll(None)
