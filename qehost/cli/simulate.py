"""`qehost simulate`: the local venue by itself."""

from __future__ import annotations

import signal
import threading
from typing import Any

import click

from qehost.cli.failure import handle_errors
from qehost.cli.help import Command
from qehost.cli.options import fault_option
from qehost.cli.units import FiniteRange
from qehost.errors import Error
from qehost.simulator.faults import Fault, describe_faults
from qehost.simulator.server import StreamProtocol, Venue

__all__ = ["command"]


class _SimulateCommand(Command):
    """Adds the list of faults to the help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.section("Faults, each with its default"):
            formatter.write_dl(describe_faults())
        formatter.write_paragraph()
        formatter.write_text(
            "5s (also 250ms, 2m): again and again, that far apart.  5%: with that probability at "
            "each message or request.  For a stream the time counts from its opening."
        )


@click.command(
    "simulate",
    cls=_SimulateCommand,
    examples={
        "qehost simulate --rate 30": "a lively market",
        "qehost simulate --fault drop=10s": "whose stream ends again and again",
    },
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port for stream and REST; by default a free one.",
)
@click.option(
    "--rate",
    type=FiniteRange(0, 100_000),
    default=5.0,
    show_default=True,
    help="Messages per second for each account; 30 makes a lively picture.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="The same seed gives the same market and the same credentials.",
)
@click.option("--duration", type=FiniteRange(0), help="Seconds to run; by default for ever.")
@click.option(
    "--protocol",
    type=click.Choice(["v1", "v2", "mixed"]),
    default="v2",
    show_default=True,
    help="v2: V2 at /api/ws/v2, V1 at /api/ws.  v1: V1 at both.  mixed: both forms at both.",
)
@click.option(
    "--accounts",
    type=click.IntRange(1, 99),
    default=1,
    show_default=True,
    help="Users, each with credentials and a market of its own.",
)
@fault_option
@handle_errors
def command(
    host: str,
    port: int,
    rate: float,
    seed: int,
    duration: float | None,
    protocol: StreamProtocol,
    accounts: int,
    faults: list[Fault],
) -> None:
    """Run a local venue: stream and REST on one port, with a simulated market.

    Signatures are checked as the venue does.  Prints the addresses, the credentials and a command
    line that connects to it.  Ends with SIGTERM, Ctrl-C, or after --duration.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        venue = Venue(
            host=host,
            port=port,
            rate=rate,
            seed=seed,
            protocol=protocol,
            accounts=accounts,
            faults=faults,
            remember=0,
        )
    except OSError as error:
        raise Error(f"can't listen on {host} port {port}: {error}") from None
    with venue:
        _print_addresses(venue)
        stop.wait(duration)


def _print_addresses(venue: Venue) -> None:
    def line(name: str, value: Any) -> None:
        click.echo(f"{name:<12}{value}")

    line("stream", venue.ws_url)
    line("REST", venue.rest_url)
    for account in venue.accounts:
        if len(venue.accounts) > 1:
            click.echo(f"{account.user_id}:")
        line("API key", account.api_key)
        line("API secret", account.api_secret)
    click.echo(
        f"\nQEHOST_API_KEY={venue.api_key} QEHOST_API_SECRET={venue.api_secret} \\\n"
        f"  qehost run --ws-url {venue.ws_url} --rest-url {venue.rest_url}\n"
    )
