"""The tasks that processes are started with, made from the settings; made again for a reload."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from qehost import config
from qehost.cli import debugging
from qehost.config.folders import default_file
from qehost.config.settings import PluginSettings, Settings
from qehost.errors import Error
from qehost.host.discovery import Candidate, find
from qehost.host.module_search import source_of
from qehost.processes.control import ConnectionTask, HostTask
from qehost.processes.logs import LogSettings
from qehost.supervisor.reload import Reread

__all__ = ["RunOptions", "SettingsReloader", "connection_tasks", "host_tasks"]


def connection_tasks(settings: Settings, log: LogSettings) -> list[ConnectionTask]:
    """One for each account."""
    return [
        ConnectionTask(
            account=name,
            settings=account,
            connection=settings.connection,
            journal=settings.journal,
            host=settings.host,
            state_dir=settings.state_dir,
            log=log,
        )
        for name, account in settings.accounts.items()
    ]


class RunOptions(NamedTuple):
    """The options of `qehost run` that are about plugins."""

    specs: tuple[str, ...] = ()
    strict: bool = False
    debugged: str = ""
    """The name of the plugin that is debugged."""
    watch: bool = False


def host_tasks(settings: Settings, options: RunOptions, log: LogSettings) -> list[HostTask]:
    """One for each process that plugins run in; the common one always exists.

    Raises `UnknownPlugin` and `ConfigError`.
    """
    if options.debugged:
        settings = debugging.apart(settings, options.specs, options.debugged)
    candidates = find(options.specs, settings.plugins)
    wanted: dict[str, list[Candidate]] = {PluginSettings().process: []}
    for candidate in candidates:
        if candidate.wanted == "yes":
            wanted.setdefault(candidate.settings.process, []).append(candidate)
    tasks = [
        HostTask(
            name=name,
            accounts=list(settings.accounts),
            specs=list(options.specs),
            plugins=settings.plugins,
            host=settings.host,
            journal=settings.journal,
            state_dir=settings.state_dir,
            strict=options.strict,
            log=log,
            account_settings=settings.accounts,
            wanted=[candidate.name for candidate in found],
            starts={candidate.name: candidate.settings.start for candidate in found},
            sources=_sources(found) if options.watch else None,
        )
        for name, found in sorted(wanted.items())
    ]
    return debugging.patient(tasks) if options.debugged else tasks


def _sources(candidates: Sequence[Candidate]) -> list[str]:
    found: set[Path] = set()
    for candidate in candidates:
        source = source_of(candidate.value.partition(":")[0])
        if source is not None and source.is_file() and candidate.given:
            found.update(source.parent.glob("*.py"))  # which it can import
        elif source is not None:
            found.add(source)
    return sorted(map(str, found))


class SettingsReloader:
    """Reads the settings again, with the options that the program was started with.

    A reload applies those of the plugins: their sections, and how long their calls may take.  All
    others need a restart.
    """

    def __init__(
        self,
        file: Path | None,
        flags: Mapping[str, Any],
        options: RunOptions,
        settings: Settings,
        log: LogSettings,
    ) -> None:
        self._file = file
        self._flags = flags
        self._options = options
        self._settings = settings
        self._log = log
        self._version = version("qehost")

    def __call__(self) -> Reread:
        """Raises Error if the settings are wrong or a plugin does not exist."""
        # So that what pip has installed since this process started is found.
        importlib.invalidate_caches()
        if (installed := version("qehost")) != self._version:
            # The old and the new processes would be of two versions.
            raise Error(
                f"qehost {installed} is installed, and {self._version} runs: that needs a restart"
            )
        # Also a default file that did not exist when this process started.
        new = config.load(self._file or default_file(), self._flags).settings
        host = replace(
            self._settings.host, slow_call=new.host.slow_call, hang_timeout=new.host.hang_timeout
        )
        taken = replace(self._settings, plugins=new.plugins, host=host)
        return Reread(
            host_tasks(taken, self._options, self._log),
            list(_differences(taken, new)),
        )


def _differences(old: object, new: object, path: str = "") -> Iterator[str]:
    """The paths of the settings in which they differ."""
    if isinstance(old, msgspec.Struct) and isinstance(new, msgspec.Struct):
        old, new = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif old != new:
        yield path
