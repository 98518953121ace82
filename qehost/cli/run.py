"""`qehost run`: receive the stream and hand every message to the plugins."""

from __future__ import annotations

import logging
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from qehost import config
from qehost.cli.account_mistakes import account_mistakes
from qehost.cli.failure import failing_clearly
from qehost.cli.fault_option import fault_option
from qehost.cli.moment import FiniteRange
from qehost.cli.settings_file import config_option, file_in_words
from qehost.cli.specs import specs_option
from qehost.cli.tasks import Rereader, connection_tasks, host_tasks
from qehost.errors import ConfigError
from qehost.host.finding import find
from qehost.logs import LogSettings, hold_nobody_up, secrets_of, set_up
from qehost.state import StateFolder
from qehost.supervision.placing import place_cursors
from qehost.supervision.signals import Signals
from qehost.supervisor import Supervisor

__all__ = ["command"]

log = logging.getLogger("qehost.run")

LEVELS = ("debug", "info", "warning", "error", "critical")


@click.command()
@config_option
@specs_option
@click.option("--simulate", is_flag=True, help="Run against a local venue, started with it.")
@fault_option
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
@click.option("--log-level", type=click.Choice(LEVELS), help="From which level on.  [info]")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="[text]")
@failing_clearly
def command(
    config_file: Path | None,
    specs: tuple[str, ...],
    simulate: bool,
    faults: list[Any],
    duration: float | None,
    strict: bool,
    **flags: Any,
) -> None:
    """Receive the stream and hand every message to the plugins.

    Ends with 0 when it was asked to (SIGTERM, Ctrl-C, --duration), 2 for a wrong command line, 3 if
    it could not start, 4 if the settings are invalid, 5 if it gave up.
    """
    if faults and not simulate:
        raise click.UsageError("--fault is for the local venue: it needs --simulate")
    signals = Signals()
    # Before anything can fail: whoever reads the log may expect objects.
    section = config.examine(config_file, flags).loaded.settings.log
    set_up(log_settings := LogSettings(section.level, section.format), "supervisor")
    with ExitStack() as stack:
        # Before the lock is taken: by it others find the process to send them to.
        stack.enter_context(signals.caught())
        if simulate:
            from qehost.cli.simulated import simulated_venue

            venue = simulated_venue(log_settings, faults)
            flags.update(stack.enter_context(venue))
            if flags["state_dir"] is None:
                # Simulated events have no place among the real ones.
                flags["state_dir"] = stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="qehost-simulated-")
                )
        loaded = config.load(config_file, flags)
        settings = loaded.settings
        candidates = find(specs, settings.plugins)
        # A process that stumbles over them later would look as if it could be tried again.
        if mistakes := account_mistakes(loaded):
            raise ConfigError(mistakes)
        log_settings = LogSettings(
            settings.log.level, settings.log.format, secrets_of(settings.accounts)
        )
        set_up(log_settings, "supervisor")
        hold_nobody_up()
        log.info("%s", file_in_words(config_file))
        for warning in loaded.warnings:
            log.warning("%s", warning)
        folder = StateFolder(Path(settings.state_dir))
        stack.callback(folder.lock().release)
        hosts = host_tasks(candidates, settings, specs, strict, log_settings)
        place_cursors(folder, hosts)
        supervisor = Supervisor(
            connection_tasks(settings, log_settings),
            hosts,
            drain_timeout=settings.host.drain_timeout,
            signals=signals,
            duration=duration,
            reread=Rereader(config_file, flags, specs, strict, settings, log_settings),
        )
        exit_code = supervisor.run()
    sys.exit(exit_code)
