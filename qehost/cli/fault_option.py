"""`--fault`, for every command that starts a local venue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from qehost.simulator.faults import Fault

__all__ = ["fault_option"]


def _parsed(_: click.Context, __: click.Parameter, specs: tuple[str, ...]) -> list[Fault]:
    if not specs:
        return []
    # Imported only now: the simulator is not needed for a run against a real venue.
    from qehost.simulator.faults import parse

    try:
        return [parse(spec) for spec in specs]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


fault_option = click.option(
    "--fault",
    "faults",
    callback=_parsed,
    multiple=True,
    metavar="NAME[=WHEN]",
    help="A fault of the local venue, such as drop=5s; may be given several times. "
    "`qehost simulate --help` lists them.",
)
