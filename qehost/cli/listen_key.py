"""`qehost listen-key`: make a listen key and print it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from qehost import config
from qehost.cli.failure import failing_clearly
from qehost.cli.settings_file import config_option
from qehost.errors import ConfigError
from qehost.rest.account import account_api
from qehost.settings import AccountSettings

__all__ = ["command"]


@click.command()
@config_option
@click.option("--account", "name", metavar="NAME", help="Which one, where there are several.")
@click.option("--rest-url", metavar="URL", help="Where REST is.")
@click.option("--protocol", type=click.Choice(["v2", "v1"]), help="The stream's version.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with the end in seconds.")
@failing_clearly
def command(
    config_file: Path | None,
    name: str | None,
    rest_url: str | None,
    protocol: str | None,
    as_json: bool,
) -> None:
    """Make a listen key with the account's credentials and print it.

    This ends the key that the user had before, and the stream that uses it.  `qehost run` makes and
    renews keys itself: this is for other programs.

    The key goes to standard output, everything else to standard error.
    """
    flags = {"rest_url": rest_url, "protocol": protocol}
    name, account = _chosen(config.load(config_file, flags).settings.accounts, name)
    api = account_api(account)
    if not api.has_credentials:
        mistake = (
            f"accounts.{name}: no credentials to make a key with: set api_key and api_secret "
            "(QEHOST_API_KEY, QEHOST_API_SECRET)"
        )
        raise ConfigError([mistake])
    try:
        made = api.create_listen_key(account.protocol)
    finally:
        api.close()
    end = (
        datetime.fromtimestamp(made.expire_at, UTC).isoformat(sep=" ").replace("+00:00", " UTC")
        if made.expire_at
        else "at a time that the venue does not say"
    )
    if as_json:
        click.echo(
            json.dumps({"account": name, "listen_key": made.key, "expire_at": made.expire_at})
        )
    else:
        click.echo(made.key)
        click.echo(f"It is good until {end}; the key from before has ended.", err=True)


def _chosen(accounts: dict[str, AccountSettings], name: str | None) -> tuple[str, AccountSettings]:
    if name is None and len(accounts) == 1:
        return next(iter(accounts.items()))
    names = ", ".join(accounts)
    if name is None:
        raise click.UsageError(f"which account? Name it with --account: {names}")
    if name not in accounts:
        raise click.UsageError(f"there is no account {name}: {names}")
    return name, accounts[name]
