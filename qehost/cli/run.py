"""`qehost run`: receive the stream and hand every message to the plugins."""

from __future__ import annotations

import logging
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import click
from msgspec.structs import replace

from qehost import config
from qehost.cli.failure import failing_clearly
from qehost.control import ConnectionTask, HostTask
from qehost.errors import ConfigError
from qehost.host.finding import Candidate, find
from qehost.logs import LogSettings, secrets_of, set_up
from qehost.settings import PluginSettings, Settings
from qehost.state import StateFolder
from qehost.supervisor import Supervisor, place_cursors

__all__ = ["command"]

log = logging.getLogger("qehost.run")

NO_CREDENTIALS = (
    "no credentials: set QEHOST_API_KEY and QEHOST_API_SECRET in the environment, "
    "or QEHOST_LISTEN_KEY for a listen key made elsewhere"
)
LEVELS = ("debug", "info", "warning", "error", "critical")


@click.command()
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The settings' file (TOML).",
)
@click.option(
    "-p",
    "specs",
    multiple=True,
    metavar="SPEC",
    help="NAME or MODULE[:ATTR] adds a plugin, no:NAME blocks one. May be repeated.",
)
@click.option("--simulate", is_flag=True, help="Run against a local venue, started with it.")
@click.option("--state-dir", type=click.Path(file_okay=False), help="Where the journal is kept.")
@click.option("--ws-url", metavar="URL", help="Where the stream is.")
@click.option("--rest-url", metavar="URL", help="Where REST is.")
@click.option("--protocol", type=click.Choice(["v2", "v1"]), help="The stream's version.")
@click.option(
    "--listen-key",
    metavar="KEY",
    help="A listen key made elsewhere. It shows in the list of processes: "
    "prefer QEHOST_LISTEN_KEY in the environment.",
)
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="End after this time, in an orderly way.",
)
@click.option(
    "--give-up-after",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="End (exit 5) when there was no connection for so long; by default never.",
)
@click.option("--strict", is_flag=True, help="Don't start (exit 3) if a plugin can't be used.")
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True)
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@failing_clearly
def command(
    file: Path | None,
    specs: tuple[str, ...],
    simulate: bool,
    duration: float | None,
    give_up_after: float | None,
    strict: bool,
    log_level: str,
    log_format: Literal["text", "json"],
    **flags: Any,
) -> None:
    """Receive the stream and hand every message to the plugins.

    Ends with 0 when it was asked to (SIGTERM, Ctrl-C, --duration), 2 for a wrong command line, 3 if
    it could not start, 4 if the settings are invalid, 5 if it gave up.
    """
    with ExitStack() as stack:
        log_settings = LogSettings(log_level, log_format)
        if simulate:
            from qehost.cli.simulated import simulated_venue

            flags.update(stack.enter_context(simulated_venue(log_settings)))
            if flags["state_dir"] is None:
                # Simulated events have no place among the real ones.
                flags["state_dir"] = stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="qehost-simulated-")
                )
        loaded = config.load(file, flags)
        settings = loaded.settings
        if give_up_after is not None:
            connection = replace(settings.connection, give_up_after=give_up_after)
            settings = replace(settings, connection=connection)
        candidates = find(specs, settings.plugins)
        for name, account in settings.accounts.items():
            if not account.listen_key and not account.api_key:
                raise ConfigError([f"accounts.{name}: {NO_CREDENTIALS}"])
        log_settings = LogSettings(log_level, log_format, secrets_of(settings.accounts))
        set_up(log_settings, "supervisor")
        for warning in loaded.warnings:
            log.warning("%s", warning)
        folder = StateFolder(Path(settings.state_dir))
        stack.callback(folder.lock().release)
        hosts = _host_tasks(candidates, settings, list(specs), strict, log_settings)
        for host in hosts:
            place_cursors(folder, host.name, host.accounts)
        supervisor = Supervisor(
            [_connection_task(name, settings, log_settings) for name in settings.accounts],
            hosts,
            drain_timeout=settings.host.drain_timeout,
            duration=duration,
        )
        exit_code = supervisor.run()
    sys.exit(exit_code)


def _connection_task(account: str, settings: Settings, log: LogSettings) -> ConnectionTask:
    return ConnectionTask(
        account=account,
        settings=settings.accounts[account],
        connection=settings.connection,
        journal=settings.journal,
        host=settings.host,
        state_dir=settings.state_dir,
        log=log,
    )


def _host_tasks(
    candidates: list[Candidate],
    settings: Settings,
    specs: list[str],
    strict: bool,
    log: LogSettings,
) -> list[HostTask]:
    """One task for each process that a plugin is to run in; the common one is always there."""
    names = {c.settings.process for c in candidates if c.wanted == "yes"}
    names.add(PluginSettings().process)
    return [
        HostTask(
            name=name,
            accounts=list(settings.accounts),
            specs=specs,
            plugins=settings.plugins,
            host=settings.host,
            journal=settings.journal,
            state_dir=settings.state_dir,
            strict=strict,
            log=log,
            account_settings=settings.accounts,
        )
        for name in sorted(names)
    ]
