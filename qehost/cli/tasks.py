"""From the settings to what the processes are started with; once more for a reload."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from qehost import config
from qehost.config.sources import default_file
from qehost.control import ConnectionTask, HostTask
from qehost.errors import Error
from qehost.host.finding import Candidate, find
from qehost.logs import LogSettings
from qehost.settings import PluginSettings, Settings
from qehost.supervision.reload import Reread

__all__ = ["Rereader", "connection_tasks", "host_tasks"]


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


def host_tasks(
    candidates: Sequence[Candidate],
    settings: Settings,
    specs: Sequence[str],
    strict: bool,
    log: LogSettings,
) -> list[HostTask]:
    """One for each process that a plugin is to run in; the common one is always there."""
    wanted: dict[str, list[str]] = {PluginSettings().process: []}
    for candidate in candidates:
        if candidate.wanted == "yes":
            wanted.setdefault(candidate.settings.process, []).append(candidate.name)
    return [
        HostTask(
            name=name,
            accounts=list(settings.accounts),
            specs=list(specs),
            plugins=settings.plugins,
            host=settings.host,
            journal=settings.journal,
            state_dir=settings.state_dir,
            strict=strict,
            log=log,
            account_settings=settings.accounts,
            wanted=plugins,
        )
        for name, plugins in sorted(wanted.items())
    ]


class Rereader:
    """Reads the settings again, from the file and with the options of the first time.

    What belongs to the plugins is taken over: their sections, and how long their calls may take.
    Everything else needs a restart.
    """

    def __init__(
        self,
        file: Path | None,
        flags: Mapping[str, Any],
        specs: Sequence[str],
        strict: bool,
        settings: Settings,
        log: LogSettings,
    ) -> None:
        self._file = file
        self._flags = flags
        self._specs = specs
        self._strict = strict
        self._settings = settings
        self._log = log
        self._version = version("qehost")

    def __call__(self) -> Reread:
        """Raises Error, where the settings are wrong or a plugin is not there."""
        # What pip has installed since this process started.
        importlib.invalidate_caches()
        if (installed := version("qehost")) != self._version:
            # Its processes would be of two versions.
            raise Error(
                f"qehost {installed} is installed, and {self._version} runs: that needs a restart"
            )
        # A file where there was none when this process started is taken, too.
        new = config.load(self._file or default_file(), self._flags).settings
        host = replace(
            self._settings.host, slow_call=new.host.slow_call, hang_timeout=new.host.hang_timeout
        )
        taken = replace(self._settings, plugins=new.plugins, host=host)
        candidates = find(self._specs, taken.plugins)
        return Reread(
            host_tasks(candidates, taken, self._specs, self._strict, self._log),
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
