"""What plugins may ask of the journals, from any thread of their process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any

from qehost.errors import Error
from qehost.storage.journal import JournalReader
from qehost.storage.journal.history import JournalHistory, range_of
from qehost.storage.state_folder import StateFolder

__all__ = ["AccountJournals", "PluginJournals"]


class AccountJournals:
    """The journals of these accounts, for the plugins of one process."""

    def __init__(self, folder: StateFolder, accounts: Collection[str]) -> None:
        self._folder = folder
        self._accounts = accounts
        self._lock = threading.Lock()
        self._readers: dict[str, JournalReader] = {}

    def has(self, account: str, journal_id: str, seq: int) -> bool:
        """Raises Error for an unknown account, JournalError where its journal can't be read."""
        self.check(account)
        with self._lock:
            if account not in self._readers:
                self._readers[account] = JournalReader(self._folder.journal(account))
            return self._readers[account].has(journal_id, seq)

    def history(
        self, account: str, position: Callable[[str], int], **selection: Any
    ) -> JournalHistory:
        """Of the events up to `position(account)`.  Raises Error for an unknown account,
        ValueError."""
        self.check(account)
        wanted = range_of(**selection)
        return JournalHistory(self._folder.journal(account), wanted, position(account))

    def last_seq(self, account: str) -> int:
        """The last event of an account.  Raises as `has`."""
        self.check(account)
        with JournalReader(self._folder.journal(account)) as reader:
            return reader.last_seq()

    def close(self) -> None:
        with self._lock:
            for reader in self._readers.values():
                reader.close()

    def check(self, account: str) -> None:
        if account not in self._accounts:
            raise Error(f"there is no account {account}: {', '.join(self._accounts)}")


class PluginJournals:
    """The same, for one plugin; `position` is how far it has come with an account."""

    def __init__(self, journals: AccountJournals, position: Callable[[str], int]) -> None:
        self._journals = journals
        self._position = position

    def has(self, account: str, journal_id: str, seq: int) -> bool:
        return self._journals.has(account, journal_id, seq)

    def history(self, account: str, **selection: Any) -> JournalHistory:
        return self._journals.history(account, self._position, **selection)
