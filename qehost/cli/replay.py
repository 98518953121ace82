"""`qehost replay`: events of the journal, or of an exported file, again to chosen plugins."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click
from msgspec.structs import replace

from qehost import config
from qehost.cli.compare import Versions, batches, compare
from qehost.cli.event_search import EventSearch, event_filters
from qehost.cli.failure import COULD_NOT_START, handle_errors
from qehost.cli.help import Command
from qehost.cli.options import complete_plugin, config_option, state_dir_option
from qehost.cli.search_progress import SearchProgress
from qehost.cli.simulated_state import used_folder
from qehost.cli.units import format_count
from qehost.config.settings import Settings
from qehost.errors import ProcessDied
from qehost.events.codec import encode_events
from qehost.host.discovery import find
from qehost.host.replay import ReplayTask
from qehost.messages import AnyEvent
from qehost.processes import spawn
from qehost.processes.control import Control, HostStatus, Ready
from qehost.processes.logs import LogSettings, secrets_in, set_up
from qehost.storage.export.json_lines import read_jsonl
from qehost.storage.journal.query import FOREVER
from qehost.storage.journal.search import Wanted
from qehost.storage.progress import ProgressMemory
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import PluginStatistics
from qehost.supervisor.crash_report import where

__all__ = ["command"]

log = logging.getLogger("qehost.replay")

FAILED = 1
BATCH = 64
END_TIMEOUT = 30.0
"""Seconds that the plugins have to end."""


@click.command(
    cls=Command,
    examples={
        "qehost replay -p store --since 1d": "the last day, once more",
        "qehost replay -p my_alerts.py --pdb --since 1h": "the debugger at each exception",
        "qehost replay --compare old.py new.py --since 1d": "what two versions do differently",
    },
)
@config_option
@state_dir_option
@click.option(
    "-p",
    "specs",
    multiple=True,
    metavar="SPEC",
    shell_complete=complete_plugin,
    help="NAME, MODULE[:ATTR] or FILE.py[:ATTR]: a plugin that gets the events; no other one does. "
    "Repeatable.",
)
@event_filters
@click.option("--from-seq", type=click.IntRange(1), default=1, help="The first event's number.")
@click.option("--to-seq", type=click.IntRange(1), help="The last event's number.")
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines from `qehost journal export`, in place of the journal.",
)
@click.option(
    "--pdb",
    "debug",
    is_flag=True,
    help="Run the plugins in this process, and open the debugger at what a hook raises; "
    "breakpoint() works, too. Each event is a batch of its own.",
)
@click.option(
    "--compare",
    "versions",
    type=(str, str),
    metavar="OLD NEW",
    help="Two versions of a plugin, each named as for -p: print what they do differently.",
)
@handle_errors
def command(
    config_file: Path | None,
    state_dir: str | None,
    specs: tuple[str, ...],
    wanted: Wanted,
    account: str,
    from_seq: int,
    to_seq: int | None,
    file: Path | None,
    debug: bool,
    versions: tuple[str, str] | None,
) -> None:
    """Deliver events again to chosen plugins, marked as redelivered.

    They run in a process of their own, whether or not qehost is running. No cursor moves, and
    context.api is not available: what a plugin once did with an order is not done twice. They have
    the state folders that they always have.

    With --compare, two versions of a plugin get the events as they were received, in a process
    each with an empty state folder; actions by context.api are noted and answered as done. What
    they log, print, do and raise differently is printed event by event.

    Ends with 0, with 1 if a hook raised or the process died, or if two versions differ, with 3 if
    no plugin could start.
    """
    if versions and (specs or debug):
        raise click.UsageError("--compare takes both versions: leave out -p and --pdb.")
    if not specs and not versions:
        raise click.UsageError("Which plugin gets the events? Name it with -p.")
    loaded = config.load(config_file, {"state_dir": state_dir}, matters=config.all_but_accounts)
    settings, folder = loaded.settings, used_folder(loaded)
    wanted = replace(wanted, first_seq=from_seq, last_seq=to_seq or FOREVER)
    secrets = secrets_in(settings.accounts.values())
    log_settings = LogSettings("info", settings.log.format, secrets)
    set_up(log_settings, "qehost")
    if file is None:
        progress = None if debug else SearchProgress()
        search = EventSearch(folder, account, wanted, newest_first=False, progress=progress)
        events: Iterable[AnyEvent] = search
    else:
        search = None
        events = (
            event
            for event in read_jsonl(file)
            if wanted.fits(event) and account in ("", event.account)
        )
    if versions:
        different = compare(Versions(*versions), settings, events, log_settings)
        if search is not None:
            search.report_damage()
        sys.exit(FAILED if different else 0)
    candidates = find(specs, settings.plugins)
    names = [c.name for c in candidates if any(c.is_meant_by(spec) for spec in specs)]
    task = _task(settings, folder, names, list(specs), log_settings)
    count, statistics = _debug(task, events) if debug else _deliver(task, events)
    if search is not None:
        search.report_damage()
    for each in statistics:
        click.echo(
            f"{each.plugin}: {format_count(count, 'event')}, {format_count(each.calls, 'call')}, "
            f"{format_count(each.errors, 'error')}",
            err=True,
        )
    sys.exit(FAILED if any(each.errors for each in statistics) else 0)


def _task(
    settings: Settings,
    folder: StateFolder,
    names: list[str],
    specs: list[str],
    log_settings: LogSettings,
) -> ReplayTask:
    return ReplayTask(
        names=names,
        specs=specs,
        plugins=settings.plugins,
        accounts=list(settings.accounts),
        state_dir=str(folder.path),
        slow_call=settings.host.slow_call,
        log=log_settings,
        keep_secrets=settings.host.keep_secrets,
    )


def _debug(task: ReplayTask, events: Iterable[AnyEvent]) -> tuple[int, list[PluginStatistics]]:
    from qehost.cli.post_mortem import replay_here  # and pdb

    count, statistics, problems = replay_here(task, _marked(events))
    for problem in problems:
        click.echo(f"qehost: {problem}", err=True)
    if not any(each.active for each in statistics):
        sys.exit(COULD_NOT_START)
    return count, statistics


def _deliver(task: ReplayTask, events: Iterable[AnyEvent]) -> tuple[int, list[PluginStatistics]]:
    """The number of events, and the statistics of the plugins."""
    with ExitStack() as stack:
        memory = ProgressMemory()
        stack.callback(memory.close)
        process = spawn.start(
            "replay",
            "qehost.host.replay",
            [task],
            [memory.handle()],
            loads_plugins=True,
            keep_secrets=task.keep_secrets,
        )
        # It is done; only threads of plugins can be left in it.
        stack.callback(process.end, END_TIMEOUT)
        # Called before that: the process ends at the end of the pipe.
        stack.callback(process.pipe.close)
        control = Control(process.pipe)
        count = 0
        try:
            ready = control.receive()
            assert isinstance(ready, Ready)
            for problem in ready.problems:
                click.echo(f"qehost: {problem}", err=True)
            if not ready.plugins:
                sys.exit(COULD_NOT_START)
            for batch in batches(_marked(events)):
                process.pipe.send_bytes(encode_events(batch))
                count += len(batch)
            process.pipe.send_bytes(b"")
            status = control.receive()
            assert isinstance(status, HostStatus)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            click.echo(f"qehost: {_death(process, memory)}", err=True)
            sys.exit(FAILED)
        except KeyboardInterrupt:
            # At the end of the pipe the process calls on_stop.
            process.pipe.close()
            process.wait(END_TIMEOUT)
            click.echo(f"ended early, after {format_count(count, 'event')}", err=True)
            sys.exit(FAILED)
        return count, status.plugins


def _death(process: spawn.Process, memory: ProgressMemory) -> str:
    died = ProcessDied("replay", process.wait() or 0)
    return f"{died}{where(memory.current())}. The events after that one were not delivered"


def _marked(events: Iterable[AnyEvent]) -> Iterator[AnyEvent]:
    return (replace(event, redelivered=True) for event in events)
