"""`qehost replay --compare OLD NEW`: what two versions of a plugin do differently."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import groupby, islice
from typing import Any, NamedTuple

import click
from msgspec.structs import replace

from qehost.cli.units import format_count
from qehost.config.plugin_module import parse
from qehost.config.settings import PluginSettings, Settings
from qehost.config.suggest import canonical
from qehost.errors import Error, ProcessDied
from qehost.events.codec import encode_events
from qehost.host.effects import EffectsTask
from qehost.messages import AnyEvent
from qehost.processes import spawn
from qehost.processes.escape import visible
from qehost.processes.logs import LogSettings

__all__ = ["Versions", "batches", "compare", "differing_lines", "section_of"]

BATCH = 64
END_TIMEOUT = 5.0


class Versions(NamedTuple):
    old: str
    new: str


def compare(
    versions: Versions, settings: Settings, events: Iterable[AnyEvent], log: LogSettings
) -> bool:
    """Print what they do differently, event by event; whether there was anything.

    Each runs in a process of its own, with an empty state folder.  Events come as they were
    received, one by one, without ticks.  Raises `Error` where one can't be used, or dies.
    """
    count = differences = 0
    with (
        _running(versions.old, versions, settings, log) as old,
        _running(versions.new, versions, settings, log) as new,
    ):
        differences += _print("on_start", old.started(), new.started())
        for batch in batches(events):
            for side in (old, new):
                side.send(batch)
            for event, before, after in zip(batch, old.receive(), new.receive(), strict=True):
                count += 1
                differences += _print(_headline(event), before, after)
        for side in (old, new):
            side.send([])
        differences += _print("on_stop", old.receive(), new.receive())
    events_text = format_count(count, "event")
    click.echo(f"{events_text}, {format_count(differences, 'difference')}", err=True)
    return differences > 0


def differing_lines(old: list[str], new: list[str]) -> list[str]:
    """Those of both, in order: `- ` of the old one, `+ ` of the new one; none where they agree."""
    if old == new:
        return []
    return [line for line in difflib.ndiff(old, new) if not line.startswith("?")]


def section_of(
    spec: str, other: str, sections: Mapping[str, PluginSettings]
) -> dict[str, PluginSettings]:
    """The settings of this version: its own, or those of the other one."""
    named = {canonical(name): section for name, section in sections.items()}
    if canonical(spec) in named:
        return {spec: named[canonical(spec)]}
    names = []
    for each in (spec, other):
        try:
            names.append(parse(each).name)
        except ValueError as error:
            raise Error(f"--compare {each}: {error}") from None
    found = named.get(canonical(names[0])) or named.get(canonical(names[1]))
    if found is None and canonical(other) in named:
        found = named[canonical(other)]
    return {} if found is None else {names[0]: replace(found, module="", section="")}


class _Side:
    """One version, in its process."""

    def __init__(self, spec: str, process: spawn.Process) -> None:
        self._spec = spec
        self._process = process

    def started(self) -> list[str]:
        problems, lines = self.receive()
        if problems:
            raise Error("; ".join(problems))
        found: list[str] = lines
        return found

    def send(self, batch: list[AnyEvent]) -> None:
        with suppress(OSError):  # it has ended, which `receive` finds out
            self._process.pipe.send_bytes(encode_events(batch) if batch else b"")

    def receive(self) -> Any:
        try:
            return self._process.pipe.recv()
        except (EOFError, OSError):
            died = ProcessDied("compare", self._process.wait(END_TIMEOUT) or 0)
            raise Error(f"{self._spec}: {died}") from None


@contextmanager
def _running(
    spec: str, versions: Versions, settings: Settings, log: LogSettings
) -> Iterator[_Side]:
    other = versions.new if spec == versions.old else versions.old
    sections = section_of(spec, other, settings.plugins)
    with tempfile.TemporaryDirectory(prefix="qehost-compare-") as folder:
        task = EffectsTask(spec, sections, list(settings.accounts), folder, log)
        process = spawn.start("compare", "qehost.host.effects", [task], loads_plugins=True)
        try:
            yield _Side(spec, process)
        finally:
            process.pipe.close()
            process.end(END_TIMEOUT)


def batches(events: Iterable[AnyEvent]) -> Iterator[list[AnyEvent]]:
    """The events in batches of one account each."""
    for _, group in groupby(events, key=lambda event: event.account):
        while batch := list(islice(group, BATCH)):
            yield batch


def _print(headline: str, old: list[str], new: list[str]) -> bool:
    lines = differing_lines(old, new)
    if lines:
        click.echo(visible(headline))
    for line in lines:
        click.echo(f"  {visible(line)}")
    return bool(lines)


def _headline(event: AnyEvent) -> str:
    message: Any = event.message
    about = (getattr(message, name, "") for name in ("symbol", "status", "order_id"))
    return " ".join([f"{event.account} {event.seq} {event.kind}", *filter(None, about)])
