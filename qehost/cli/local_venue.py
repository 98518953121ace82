"""The local venue of `qehost run --simulate`, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qehost.errors import Error
from qehost.processes import spawn
from qehost.processes.logs import LogSettings, set_up
from qehost.secret import Secret

if TYPE_CHECKING:
    from qehost.simulator.faults import Fault

__all__ = ["main", "simulated_venue"]

START_TIMEOUT = 60.0


@contextmanager
def simulated_venue(log: LogSettings, faults: Sequence[Fault]) -> Iterator[dict[str, Any]]:
    """A venue that runs until the end of the block; yields the account settings for it."""
    process = spawn.start("simulator", __name__, (log, faults))
    try:
        if not process.pipe.poll(START_TIMEOUT):
            raise Error("the local venue did not start")
        try:
            settings: dict[str, Any] = process.pipe.recv()
        except EOFError:
            raise Error("the local venue did not start; the lines above say why") from None
        yield settings
    finally:
        process.kill()
        process.wait()
        process.close()


def main(log: LogSettings, faults: Sequence[Fault], parent: Any) -> None:
    """The venue's process."""
    from qehost.simulator.server import Venue

    set_up(log, "simulator")
    with Venue(rate=30.0, faults=faults, remember=0) as venue:
        parent.send(
            {
                "ws_url": venue.ws_url,
                "rest_url": venue.rest_url,
                "api_key": Secret(venue.api_key),
                "api_secret": Secret(venue.api_secret),
            }
        )
        # Until the parent kills this process, which also ends if the parent has died.
        parent.poll(None)
