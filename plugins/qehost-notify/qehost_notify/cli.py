"""`qehost notify test` and `qehost notify messages`."""

from __future__ import annotations

import secrets
import sys
import time
from contextlib import closing
from datetime import datetime

import click
import qehost
from qehost.errors import Error

from qehost_notify.notice import Notice
from qehost_notify.post import History
from qehost_notify.services import Outgoing
from qehost_notify.settings import NO_TARGETS, Config
from qehost_notify.texts import Texts
from qehost_notify.worker import deliver

__all__ = ["command"]


@click.group()
def command() -> None:
    """Messages to people: try the targets, and see what was sent."""


@command.command()
@click.option("--target", "number", type=int, help="Only the one with this number, from 1.")
@qehost.plugin_command("notify")
def test(context: qehost.Context, number: int | None) -> None:
    """Send a test message to each target, and say what it answered.

    Ends with 1 where one did not take it.
    """
    config: Config = context.config
    if not config.targets:
        raise Error(NO_TARGETS)
    targets = [each for each in config.parsed_targets() if number in (None, each.number)]
    if not targets:
        raise Error("there is no such target: `targets` in the settings has them")
    now = time.time()
    texts = Texts(config.lang, config.zone())
    title, text = texts.test(), texts.line(_example(context, now))
    failed = False
    for target in targets:
        message = Outgoing(secrets.token_hex(16), title, text, {"fill": 1}, now, now)
        answer = deliver(target, message, config.timeout)
        failed |= answer.verdict != "sent"
        click.echo(f"{target.label:<12} {answer.verdict:<8} {answer.reason}".rstrip())
    sys.exit(1 if failed else 0)


@command.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@qehost.plugin_command("notify")
def messages(context: qehost.Context, limit: int) -> None:
    """Show the last messages, where they go, and what became of them.  `qehost run` may be
    running."""
    file = context.state_dir / "messages.db"
    if not file.exists():
        raise Error(f"no message was ever made: there is no {file}")
    config: Config = context.config
    texts = Texts(config.lang, config.zone())
    labels = {"log": "log", **{each.name: each.label for each in config.parsed_targets()}}
    with closing(History(file)) as history:
        for state, ended, answer, message in history.last(limit):
            clock = datetime.fromtimestamp(ended or message.made, config.zone())
            title = message.title or texts.title(message.content.kinds)
            where = labels.get(message.target, "(gone)")
            if not ended and message.tries:
                answer = f"tries: {message.tries}"
            click.echo(f"{clock:%m-%d %H:%M:%S}  {state:<8} {where:<12} {title}  {answer}".rstrip())


def _example(context: qehost.Context, now: float) -> Notice:
    facts = {
        "symbol": "BTCUSDT",
        "side": "buy",
        "quantity": "0.5",
        "price": "97000.1",
        "notional": "48500.05",
    }
    return Notice("fill", next(iter(context.accounts), "main"), now, facts)
