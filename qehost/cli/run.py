"""`qehost run`: receive the stream and hand every message to the plugins."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from qehost import config
from qehost.cli.checks.accounts import account_mistakes
from qehost.cli.debugging import log_aside
from qehost.cli.failure import handle_errors
from qehost.cli.help import Command
from qehost.cli.options import (
    config_option,
    describe_config,
    fault_option,
    insecure_option,
    protocol_option,
    rest_url_option,
    specs_option,
    state_dir_option,
    ws_url_option,
)
from qehost.cli.simulated_state import announced
from qehost.cli.tasks import RunOptions, SettingsReloader, connection_tasks, host_tasks
from qehost.cli.units import FiniteRange
from qehost.errors import ConfigError
from qehost.processes.logs import LogSettings, secrets_in, set_up, write_without_waiting
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.service_manager import ServiceManager
from qehost.supervisor.signals import Signals
from qehost.supervisor.supervisor import Supervisor

__all__ = ["command"]

log = logging.getLogger("qehost.run")

LEVELS = ("debug", "info", "warning", "error", "critical")


@click.command(
    cls=Command,
    examples={
        "qehost run --simulate": "a local venue, no account needed",
        "qehost run -p my_alerts.py --watch": "a plugin that you are writing",
        "qehost run -c qehost.toml": "the accounts of this file",
    },
)
@config_option
@specs_option
@click.option("--simulate", is_flag=True, help="Run against a local venue, started with it.")
@fault_option
@state_dir_option
@ws_url_option
@rest_url_option
@insecure_option
@protocol_option
@click.option(
    "--listen-key",
    metavar="KEY",
    help="A listen key made elsewhere. It shows in the list of processes: "
    "prefer QEHOST_LISTEN_KEY in the environment.",
)
@click.option(
    "--duration",
    type=FiniteRange(min=0, min_open=True),
    metavar="SECONDS",
    help="End after this time, in an orderly way.",
)
@click.option(
    "--give-up-after",
    type=FiniteRange(min=0, min_open=True),
    metavar="SECONDS",
    help="End (exit 5) when no account had a connection for so long; by default never.",
)
@click.option("--strict", is_flag=True, help="Don't start (exit 3) if a plugin can't be used.")
@click.option(
    "--debug-plugin",
    "debugged",
    default="",
    metavar="NAME",
    help="Run this plugin in a process of its own on this terminal: breakpoint() and Ctrl-C open "
    "the debugger.",
)
@click.option(
    "--watch",
    is_flag=True,
    help="Reload when a file of a plugin changes. A mistake changes nothing.",
)
@click.option("--log-level", type=click.Choice(LEVELS), help="From which level on.  [info]")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="[text]")
@click.pass_obj
@handle_errors
def command(
    signals: Signals,
    /,
    config_file: Path | None,
    specs: tuple[str, ...],
    simulate: bool,
    faults: list[Any],
    duration: float | None,
    strict: bool,
    debugged: str,
    watch: bool,
    **flags: Any,
) -> None:
    """Receive the stream and hand every message to the plugins.

    Ends with 0 when it was asked to (SIGTERM, Ctrl-C, --duration), 2 for a wrong command line, 3 if
    it could not start, 4 if the settings are invalid, 5 if it gave up.
    """
    if faults and not simulate:
        raise click.UsageError("--fault is for the local venue: it needs --simulate")
    manager = ServiceManager(os.environ)
    # Before anything can fail, since the reader of the log may expect JSON.
    section = config.try_load(config_file, flags).loaded.settings.log
    set_up(log_settings := LogSettings(section.level, section.format), "supervisor")
    temporary = ""
    with ExitStack() as stack:
        if simulate:
            from qehost.cli.local_venue import simulated_venue

            venue = simulated_venue(log_settings, faults)
            flags.update(stack.enter_context(venue))
            if flags["state_dir"] is None:
                # Simulated events must not be mixed with real ones.
                temporary = stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="qehost-simulated-")
                )
                stack.enter_context(announced(temporary))
                flags["state_dir"] = temporary
        loaded = config.load(config_file, flags)
        settings = loaded.settings
        log_settings = LogSettings(
            settings.log.level, settings.log.format, secrets_in(settings.accounts.values())
        )
        options = RunOptions(specs, strict, debugged, watch)
        hosts = host_tasks(settings, options, log_settings)
        # If a child process failed for them later, it would be started again and again.
        if mistakes := account_mistakes(loaded):
            raise ConfigError(mistakes)
        if debugged:
            stack.enter_context(log_aside(debugged, Path(settings.state_dir)))
            signals.interruptible = False
        set_up(log_settings, "supervisor")
        write_without_waiting()
        log.info("%s", describe_config(config_file))
        if simulate:
            until = ", until this run ends" if temporary else ""
            log.info("the state is in %s%s", settings.state_dir, until)
        for warning in loaded.warnings:
            log.warning("%s", warning)
        folder = StateFolder(Path(settings.state_dir))
        lock = folder.lock()
        stack.callback(lock.release)
        supervisor = Supervisor(
            connection_tasks(settings, log_settings),
            hosts,
            drain_timeout=settings.host.drain_timeout,
            signals=signals,
            manager=manager,
            lock=lock,
            duration=duration,
            reread=SettingsReloader(config_file, flags, options, settings, log_settings),
        )
        exit_code = supervisor.run()
    sys.exit(exit_code)
