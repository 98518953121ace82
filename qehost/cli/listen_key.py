"""`qehost listen-key`: make a listen key and print it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from qehost import config
from qehost.cli.elapsed import elapsed
from qehost.cli.failure import handle_errors
from qehost.cli.help import Command
from qehost.cli.options import config_option, insecure_option, protocol_option, rest_url_option
from qehost.cli.units import format_utc
from qehost.config.settings import AccountSettings
from qehost.errors import ConfigError
from qehost.processes.account_api import account_api
from qehost.processes.escape import visible
from qehost.rest import make_listen_key

__all__ = ["command"]


@click.command(
    cls=Command,
    examples={
        "qehost listen-key --json": "with the time of its end",
    },
)
@config_option
@click.option("--account", "name", metavar="NAME", help="Which one, where there are several.")
@rest_url_option
@insecure_option
@protocol_option
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object, with the end as epoch seconds."
)
@handle_errors
@elapsed()
def command(
    config_file: Path | None,
    name: str | None,
    rest_url: str | None,
    protocol: str | None,
    insecure: bool | None,
    as_json: bool,
) -> None:
    """Make a listen key with the account's credentials and print it.

    This ends the key that the user had before, and the stream that uses it.  `qehost run` makes and
    renews keys itself: this is for other programs.

    The key goes to standard output, everything else to standard error.
    """
    flags = {"rest_url": rest_url, "protocol": protocol, "insecure": insecure}
    name, account = _choose_account(config.load(config_file, flags).settings.accounts, name)
    api = account_api(account)
    if not api.has_credentials:
        mistake = (
            f"accounts.{name}: no credentials to make a key with: set api_key and api_secret "
            "(QEHOST_API_KEY, QEHOST_API_SECRET)"
        )
        raise ConfigError([mistake])
    try:
        created = make_listen_key(api, account.protocol)
    finally:
        api.close()
    at = created.expire_at
    end = format_utc(at) if at else "a time that the venue does not say"
    if as_json:
        click.echo(
            json.dumps(
                {
                    "account": name,
                    "listen_key": created.key.reveal(),
                    "expire_at": created.expire_at,
                }
            )
        )
    else:
        click.echo(visible(created.key.reveal()))
        click.echo(f"It is good until {end}; the key from before has ended.", err=True)


def _choose_account(
    accounts: dict[str, AccountSettings], name: str | None
) -> tuple[str, AccountSettings]:
    if name is None and len(accounts) == 1:
        return next(iter(accounts.items()))
    names = ", ".join(accounts)
    if name is None:
        raise click.UsageError(f"which account? Name it with --account: {names}")
    if name not in accounts:
        raise click.UsageError(f"there is no account {name}: {names}")
    return name, accounts[name]
