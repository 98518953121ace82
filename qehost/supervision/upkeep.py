"""Pruning the journals while qehost runs, at a slow pace and in a thread of its own.

Deleting files may take long where the disk is slow, and the supervisor waits for nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import Any

from qehost.errors import JournalError
from qehost.host.cursors import cursors_of
from qehost.journal.pruning import Pruned, prune
from qehost.state import StateFolder

__all__ = ["Upkeep"]

log = logging.getLogger("qehost.supervisor")

PACE = 60.0
"""Seconds between two looks."""
REMIND = 3600.0
"""Seconds between two words about the same host process that holds pruning back."""


class Upkeep:
    """Prunes the journals of `accounts`: by age (`keep`, seconds) and by size (`keep_bytes`, 0: as
    large as it gets).

    The cursors of `hosts` count, and no others: a process that is no longer in the settings must
    not fill the disk.
    """

    def __init__(
        self,
        folder: StateFolder,
        accounts: Collection[str],
        hosts: Collection[str],
        *,
        keep: float,
        keep_bytes: int,
        pace: float = PACE,
        log: logging.Logger | logging.LoggerAdapter[Any] = log,
    ) -> None:
        self._folder = folder
        self._accounts = accounts
        self._hosts = hosts
        self._keep = keep
        self._keep_bytes = keep_bytes
        self._pace = pace
        self._log = log
        self._remind_in = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="qehost-upkeep", daemon=True)

    def watch(self, hosts: Collection[str]) -> None:
        """These are the host processes from now on."""
        self._hosts = hosts

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Doesn't wait: what is going on may take long, and can be left at any point."""
        self._end.set()

    def _run(self) -> None:
        while not self._end.wait(self._pace):
            self._remind_in -= self._pace
            for account in self._accounts:
                self.look(account, self._log.warning, self._log.error)

    def look(
        self, account: str, warn: Callable[..., object], complain: Callable[..., object]
    ) -> Pruned:
        """Prune one journal, and say what the user should know."""
        try:
            known = cursors_of(self._folder, account)
            cursors = {host: known.get(host, 0) for host in self._hosts}
            slowest = min(cursors, key=lambda host: cursors[host])
            report = prune(
                self._folder.journal(account),
                not_past_seq=cursors[slowest],
                keep_seconds=self._keep,
                keep_bytes=self._keep_bytes or None,
            )
        except JournalError as error:
            complain("the journal of account %s can't be pruned: %s", account, error)
            return Pruned()
        if report.files:
            self._log.info(
                "journal of account %s: events up to %d deleted (%.1f MiB)",
                account,
                report.last_seq,
                report.bytes / 2**20,
            )
        if report.undelivered:
            complain(
                "journal of account %s: %d events deleted that were NOT DELIVERED to the plugins "
                "of host process %s: the journal was larger than journal.keep_bytes",
                account,
                report.undelivered,
                slowest,
            )
        if report.held_back and self._remind_in <= 0:
            self._remind_in = REMIND
            warn(
                "journal of account %s: it is older than journal.keep, but not deleted, since "
                "host process %s has come to event %d only",
                account,
                slowest,
                cursors[slowest],
            )
        return report
