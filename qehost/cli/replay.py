"""`qehost replay`: events of the journal, or of an exported file, again to chosen plugins."""

from __future__ import annotations

import logging
import multiprocessing
import sys
import tempfile
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby, islice
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec.structs import replace

from qehost import children, config
from qehost.cli.failure import COULD_NOT_START, failing_clearly
from qehost.cli.journal import Found, filters
from qehost.cli.settings_file import config_option
from qehost.control import Control, HostStatus, Ready
from qehost.errors import Error, JournalError, ProcessDied
from qehost.host.cursors import MarksView
from qehost.host.finding import find
from qehost.host.replay import ReplayTask
from qehost.journal.export import event_from_dict
from qehost.journal.search import Wanted
from qehost.logs import LogSettings, secrets_of, set_up
from qehost.messages import AnyEvent
from qehost.records import encode_events
from qehost.settings import Settings
from qehost.state import StateFolder
from qehost.status import PluginStatistics
from qehost.supervision.deaths import where

__all__ = ["command"]

log = logging.getLogger("qehost.replay")

FAILED = 1
BATCH = 64
END_TIMEOUT = 30.0
"""Seconds that the plugins have for ending."""


@click.command()
@config_option
@click.option("--state-dir", type=click.Path(file_okay=False), help="Where the journal is.")
@click.option(
    "-p",
    "specs",
    multiple=True,
    required=True,
    metavar="SPEC",
    help="NAME or MODULE[:ATTR]: a plugin that gets the events; no other one does. Repeatable.",
)
@filters
@click.option("--from-seq", type=click.IntRange(1), default=1, help="The first event's number.")
@click.option("--to-seq", type=click.IntRange(1), help="The last event's number.")
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines of `qehost journal export`, in place of the journal.",
)
@failing_clearly
def command(
    config_file: Path | None,
    state_dir: str | None,
    specs: tuple[str, ...],
    wanted: Wanted,
    account: str,
    from_seq: int,
    to_seq: int | None,
    file: Path | None,
) -> None:
    """Deliver events again to chosen plugins, marked as redelivered.

    They run in a process of their own, beside a qehost that is running or without one. No cursor
    moves, and context.api is not there: what a plugin did once with an order is not done twice.
    Their state folders are those that they always have.

    Ends with 0, with 1 if a hook raised or the process died, with 3 if no plugin could start.
    """
    settings = config.load(
        config_file, {"state_dir": state_dir}, matters=config.all_but_accounts
    ).settings
    folder = StateFolder(settings.state_dir)
    candidates = find(specs, settings.plugins)
    names = [c.name for c in candidates if any(c.is_meant_by(spec) for spec in specs)]
    log_settings = LogSettings("info", settings.log.format, secrets_of(settings.accounts))
    set_up(log_settings, "qehost")
    if file is None:
        found = Found(folder, account, wanted, newest_first=False)
        events: Iterable[AnyEvent] = found
    else:
        found = None
        events = (
            event
            for event in _in_file(file)
            if wanted.fits(event) and account in ("", event.account)
        )
    events = (e for e in events if from_seq <= e.seq and (to_seq is None or e.seq <= to_seq))
    with tempfile.TemporaryDirectory(prefix="qehost-replay-") as own:
        marks = Path(own) / "marks"
        task = _task(settings, folder, names, list(specs), marks, log_settings)
        count, statistics = _deliver(task, events, marks)
    if found is not None:
        found.tell_damage()
    for each in statistics:
        click.echo(
            f"{each.plugin}: {count:,} events, {each.calls:,} calls, {each.errors:,} errors",
            err=True,
        )
    sys.exit(FAILED if any(each.errors for each in statistics) else 0)


def _task(
    settings: Settings,
    folder: StateFolder,
    names: list[str],
    specs: list[str],
    marks: Path,
    log_settings: LogSettings,
) -> ReplayTask:
    return ReplayTask(
        names=names,
        specs=specs,
        plugins=settings.plugins,
        accounts=list(settings.accounts),
        state_dir=str(folder.path),
        marks=str(marks),
        slow_call=settings.host.slow_call,
        log=log_settings,
    )


def _deliver(
    task: ReplayTask, events: Iterable[AnyEvent], marks: Path
) -> tuple[int, list[PluginStatistics]]:
    """How many events there were, and what the plugins did with them."""
    with ExitStack() as stack:
        ours, theirs = multiprocessing.Pipe()
        process = children.start("replay", "qehost.host.replay", task, theirs)
        theirs.close()
        stack.callback(_end, process)
        # Before that: the end of the pipe tells it to end.
        stack.callback(ours.close)
        control = Control(ours)
        count = 0
        try:
            ready = control.receive()
            assert isinstance(ready, Ready)
            for problem in ready.problems:
                click.echo(f"qehost: {problem}", err=True)
            if not ready.plugins:
                sys.exit(COULD_NOT_START)
            for batch in _batches(events):
                ours.send_bytes(encode_events(batch))
                count += len(batch)
            ours.send_bytes(b"")
            status = control.receive()
            assert isinstance(status, HostStatus)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            click.echo(f"qehost: {_death(process, marks)}", err=True)
            sys.exit(FAILED)
        except KeyboardInterrupt:
            # It sees the end of the pipe, and calls on_stop.
            ours.close()
            process.join(END_TIMEOUT)
            click.echo(f"ended early, after {count:,} events", err=True)
            sys.exit(FAILED)
        return count, status.plugins


def _end(process: SpawnProcess) -> None:
    # Its work is done: what is left can only be a plugin's threads.
    process.join(END_TIMEOUT)
    process.kill()
    process.join()
    process.close()


def _death(process: SpawnProcess, marks: Path) -> str:
    process.join()
    try:
        call = MarksView(marks).current()
    except JournalError:
        call = None
    died = ProcessDied("replay", process.exitcode or 0)
    return f"{died}{where(call)}. The events after that one were not delivered"


def _batches(events: Iterable[AnyEvent]) -> Iterator[list[AnyEvent]]:
    """Of one account each, marked."""
    for _, group in groupby(events, key=lambda event: event.account):
        while batch := [replace(event, redelivered=True) for event in islice(group, BATCH)]:
            yield batch


def _in_file(path: Path) -> Iterator[AnyEvent]:
    decode: Any = msgspec.json.Decoder().decode
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            # An editor may have added a mark at the beginning, and an empty line at the end.
            line = line.removeprefix(BOM_UTF8) if number == 1 else line
            if not line.strip():
                continue
            try:
                yield event_from_dict(decode(line))
            except (ValueError, msgspec.DecodeError) as error:
                raise Error(f"{path}, line {number}: {error}") from None
