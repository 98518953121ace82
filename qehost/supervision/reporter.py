"""Putting together what `qehost status` shows."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Collection
from importlib import metadata
from pathlib import Path

from qehost.control import ConnectionStatus, HostStatus
from qehost.errors import JournalError
from qehost.host.cursors import Call, MarksView
from qehost.host.dead_letters import DeadLetters
from qehost.journal.high_water import read_high_water
from qehost.journal.pruning import journal_bytes
from qehost.journal.reader import JournalReader
from qehost.state import StateFolder
from qehost.status import (
    CallStatus,
    ConnectionState,
    CursorState,
    HostState,
    PluginState,
    PluginStatistics,
    ReloadState,
    Status,
    write_status,
)
from qehost.supervision.child import Child

__all__ = ["Reporter"]

log = logging.getLogger("qehost.supervisor")


class Reporter:
    """`note` what the children say; `write` puts it into the file."""

    def __init__(
        self, folder: StateFolder, connections: Collection[Child], hosts: Collection[Child]
    ) -> None:
        self._folder = folder
        self._connections = connections
        self._hosts = hosts
        self._said: dict[Child, ConnectionStatus | HostStatus] = {}
        self._started_at = time.time()
        self._version = metadata.version("qehost")
        self._journals = {c.name: JournalReader(folder.journal(c.name)) for c in connections}
        self._problem = ""
        self.reload = ReloadState()
        self._letters: Counter[str] = Counter()
        self._letters_at = (0, 0)

    def note(self, child: Child, said: ConnectionStatus | HostStatus) -> None:
        self._said[child] = said

    def forget(self, child: Child) -> None:
        """The process that said it has ended."""
        self._said.pop(child, None)

    def write(self, calls: dict[str, Call | None], ended: str = "") -> None:
        """`calls` are those that go on in the host processes."""
        try:
            self._count_letters()
            status = Status(
                version=self._version,
                pid=os.getpid(),
                started_at=self._started_at,
                written_at=time.time(),
                ended=ended,
                connections=[self._connection(child) for child in self._connections],
                hosts=[self._host(child, calls.get(child.name)) for child in self._hosts],
                reload=self.reload,
            )
            write_status(self._folder.status_file, status)
        except JournalError as error:
            # Once for each problem, not once a second.
            if str(error) != self._problem:
                log.error("the status can't be written: %s", error)
            self._problem = str(error)
        else:
            self._problem = ""

    def close(self) -> None:
        for journal in self._journals.values():
            journal.close()

    def _connection(self, child: Child) -> ConnectionState:
        said = self._said.get(child)
        assert said is None or isinstance(said, ConnectionStatus)
        return ConnectionState(
            account=child.name,
            pid=child.pid,
            restarts=child.restarts.total,
            state=said.state if said else "starting" if child.running else "down",
            since=said.since if said else child.since,
            reconnects=said.reconnects if said else 0,
            last_message=said.last_message if said else 0.0,
            last_pong=said.last_pong if said else 0.0,
            last_seq=max(self._last_seq(child.name), said.last_seq if said else 0),
            protected=said.protected if said else True,
            journal_bytes=self._journal_bytes(child.name),
        )

    def _host(self, child: Child, call: Call | None) -> HostState:
        said = self._said.get(child)
        assert said is None or isinstance(said, HostStatus)
        cursors = self._cursors(child.name)
        return HostState(
            name=child.name,
            pid=child.pid,
            ready=child.ready,
            restarts=child.restarts.total,
            cursors=[self._cursor(account, seq) for account, seq in cursors.items()],
            call=None
            if call is None
            else CallStatus(
                call.plugin,
                call.hook,
                call.account,
                call.seq,
                max(0.0, time.monotonic() - call.since),
            ),
            plugins=[self._plugin(each) for each in (said.plugins if said else ())],
        )

    def _cursors(self, host: str) -> dict[str, int]:
        try:
            cursors = MarksView(self._folder.marks(host)).cursors()
        except JournalError:
            return {}  # The host tells of it.
        return {account: seq for account, seq in cursors.items() if account in self._journals}

    def _cursor(self, account: str, seq: int) -> CursorState:
        behind = max(0, self._last_seq(account) - seq)
        return CursorState(account, seq, behind, self._lag(account, seq) if behind else 0.0)

    def _lag(self, account: str, seq: int) -> float:
        """How long the event after `seq` has waited."""
        try:
            oldest = next(iter(self._journals[account].read(seq, 1)), None)
        except JournalError:
            return 0.0
        received_at = getattr(oldest, "first_at", 0)
        return max(0.0, time.time() - received_at / 1e9) if received_at else 0.0

    def _last_seq(self, account: str) -> int:
        return read_high_water(self._folder.journal(account))

    def _journal_bytes(self, account: str) -> int:
        try:
            return journal_bytes(self._folder.journal(account))
        except JournalError:
            return 0

    def _count_letters(self) -> None:
        path = self._folder.dead_letters_file
        written_at = _written_at(path), _written_at(path.with_name(f"{path.name}-wal"))
        if not written_at[0] or written_at == self._letters_at:
            return
        try:
            with DeadLetters(path, busy_timeout=0.1) as letters:
                self._letters = Counter(letters.counts())
        except JournalError:
            return  # Whoever writes letters tells of it.
        self._letters_at = written_at

    def _plugin(self, found: PluginStatistics) -> PluginState:
        return PluginState(
            name=found.plugin,
            active=found.active,
            calls=found.calls,
            errors=found.errors,
            busy=found.busy / 1e9,
            p50=found.p50 / 1e9,
            p99=found.p99 / 1e9,
            slowest=found.slowest / 1e9,
            dead_letters=self._letters[found.plugin],
        )


def _written_at(path: Path) -> int:
    """Epoch ns; 0 where it is not there, or this user may not see whether it is."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
