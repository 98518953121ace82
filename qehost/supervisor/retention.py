"""Pruning the journals while qehost runs, at a slow pace and in a thread of its own.

Deleting files may take long where the disk is slow, and the supervisor waits for nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import Any

from qehost.errors import JournalError
from qehost.events.plural import format_count
from qehost.storage.cursor_file import furthest_behind
from qehost.storage.journal.open_orders import note_open_orders
from qehost.storage.journal.pruning import Pruned, prune
from qehost.storage.state_folder import StateFolder

__all__ = ["Retention"]

log = logging.getLogger("qehost.supervisor")

PACE = 60.0
"""Seconds between two prunings."""
REMIND = 3600.0
"""Seconds between two warnings of a host process that holds pruning back."""


class Retention:
    """Prunes the journals of `accounts`: by age (`keep`, seconds) and by size (`keep_bytes`, 0: as
    large as it gets).

    The cursors of `hosts` and of their plugins count, and no others: a process that is no longer in
    the settings must not fill the disk.
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
        self._thread = threading.Thread(target=self._run, name="qehost-retention", daemon=True)

    def watch(self, hosts: Collection[str]) -> None:
        """These are the host processes from now on."""
        self._hosts = hosts

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Doesn't wait: a pruning may take long, and can be interrupted at any point."""
        self._end.set()

    def _run(self) -> None:
        while not self._end.wait(self._pace):
            self._remind_in -= self._pace
            for account in self._accounts:
                self._note_open_orders(account)
                self.look(account, self._log.warning, self._log.error)

    def _note_open_orders(self, account: str) -> None:
        """For `context.history`, which finds the orders that are silent for long by them."""
        try:
            note_open_orders(self._folder.journal(account))
        except (JournalError, OSError) as error:
            self._log.debug("the open orders of account %s are not noted: %s", account, error)

    def look(
        self, account: str, warn: Callable[..., object], complain: Callable[..., object]
    ) -> Pruned:
        """Prune one journal, and log what the user should know, by these methods of a logger."""
        try:
            known = furthest_behind(self._folder, account)
            found = {host: known.get(host, ("", 0)) for host in self._hosts}
            slowest = min(found, key=lambda host: found[host][1])
            plugin, cursor = found[slowest]
            report = prune(
                self._folder.journal(account),
                not_past_seq=cursor,
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
                "journal of account %s: %s NOT DELIVERED to %s of host "
                "process %s: the journal was larger than journal.keep_bytes",
                account,
                format_count(
                    report.undelivered, "event deleted that was", "events deleted that were"
                ),
                f"plugin {plugin}, which waits," if plugin else "the plugins",
                slowest,
            )
        if report.held_back and self._remind_in <= 0:
            self._remind_in = REMIND
            warn(
                "journal of account %s: it is older than journal.keep, but not deleted, since "
                "%shost process %s has come to event %d only",
                account,
                f"plugin {plugin} of " if plugin else "",
                slowest,
                cursor,
            )
        return report
