"""Putting together what `qehost status` shows."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Collection, Mapping
from importlib import metadata
from pathlib import Path

from msgspec.structs import replace

from qehost.errors import JournalError
from qehost.events.notices import Counts, LastGap
from qehost.processes.child import Child
from qehost.processes.control import ConnectionStatus, HostStatus
from qehost.storage.cursor_file import StoredCursors, own_key
from qehost.storage.dead_letters import DeadLetters
from qehost.storage.journal.high_water import read_high_water
from qehost.storage.journal.pruning import journal_bytes
from qehost.storage.journal.reader import JournalReader
from qehost.storage.progress import HookCall
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import (
    CallStatus,
    ConnectionState,
    CursorState,
    HostState,
    PluginCondition,
    PluginHold,
    PluginProblem,
    PluginState,
    PluginStatistics,
    ReloadState,
    Status,
    write_status,
)
from qehost.supervisor.children import ConnectionChild, HostChild
from qehost.supervisor.journal_lifetime import journal_lasts
from qehost.supervisor.process_usage import process_usage
from qehost.supervisor.service_manager import ServiceManager

__all__ = ["StatusReporter"]

log = logging.getLogger("qehost.supervisor")

LATE = 2.0
"""Seconds for which a plugin that collects may take longer than it waits for a batch."""
NOTHING_KNOWN = StoredCursors((), {})
NOTHING_DONE = PluginStatistics("", 0, 0, 0, 0, 0, 0, active=True)


class StatusReporter:
    """`note` takes what the children report; `write` puts it into the file."""

    def __init__(
        self,
        folder: StateFolder,
        connections: Collection[ConnectionChild],
        hosts: Collection[HostChild],
        manager: ServiceManager,
    ) -> None:
        self.manager = manager
        self._folder = folder
        self._connections = connections
        self._hosts = hosts
        self._reports: dict[Child, ConnectionStatus | HostStatus] = {}
        self._started_at = time.time()
        self._version = metadata.version("qehost")
        self._keep_bytes = {c.name: c.task.journal.keep_bytes for c in connections}
        self._journals = {c.name: JournalReader(folder.journal(c.name)) for c in connections}
        self._accounts: dict[str, ConnectionState] = {}
        """Of the status that is being written."""
        self._problem = ""
        self.reload = ReloadState()
        self._letters: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._letters_at = 0
        self._gaps: dict[str, LastGap] = {}
        """By title of the child: over all its processes."""
        self._connected_at = dict.fromkeys((c.name for c in connections), self._started_at)

    def note(self, child: Child, report: ConnectionStatus | HostStatus) -> bool:
        """Whether the state of a connection is another one now."""
        before, self._reports[child] = self._reports.get(child), report
        if report.last_gap is not None:
            self._gaps[str(child)] = report.last_gap
        return isinstance(report, ConnectionStatus) and (
            not isinstance(before, ConnectionStatus) or before.state != report.state
        )

    def forget(self, child: Child) -> None:
        """The process that sent the report has ended."""
        self._reports.pop(child, None)

    def write(self, calls: dict[str, HookCall | None], ended: str = "") -> None:
        """To the file and to the service manager.

        `calls` are those that go on in the host processes.
        """
        try:
            self._count_letters()
            # What is looked up of an account's files is looked up once: hosts are compared with it.
            self._accounts = {child.name: self._connection(child) for child in self._connections}
            status = Status(
                version=self._version,
                pid=os.getpid(),
                started_at=self._started_at,
                written_at=time.time(),
                ended=ended,
                connections=list(self._accounts.values()),
                hosts=[self._host(child, calls.get(child.name)) for child in self._hosts],
                reload=self.reload,
                usage=process_usage(os.getpid()),
            )
            self.manager.tell(status)
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

    def _connection(self, child: ConnectionChild) -> ConnectionState:
        report = self._reports.get(child)
        assert report is None or isinstance(report, ConnectionStatus)
        connected = report is not None and report.state == "connected"
        if connected:
            self._connected_at[child.name] = time.time()
        return ConnectionState(
            account=child.name,
            pid=child.pid,
            restarts=child.restarts.total,
            state=report.state if report else "starting" if child.running else "down",
            down_since=0.0 if connected else self._connected_at[child.name],
            why=report.why if report else child.death,
            usage=process_usage(child.pid),
            since=report.since if report else child.since,
            reconnects=report.reconnects if report else 0,
            last_message=report.last_message if report else 0.0,
            last_pong=report.last_pong if report else 0.0,
            last_seq=self._last_seq(child.name),
            protected=report.protected if report else True,
            journal_bytes=self._journal_bytes(child.name),
            counts=report.counts if report else Counts(),
            last_gap=self._gaps.get(str(child)),
        )

    def _host(self, child: HostChild, call: HookCall | None) -> HostState:
        report = self._reports.get(child)
        assert report is None or isinstance(report, HostStatus)
        known = self._known(child)
        return HostState(
            name=child.name,
            pid=child.pid,
            ready=child.ready,
            restarts=child.restarts.total,
            cursors=[
                self._cursor(account, cursor.done)
                for account, cursor in known.heads().items()
                if account in self._journals
            ],
            call=None
            if call is None
            else CallStatus(
                call.plugin,
                call.hook,
                call.account,
                call.seq,
                max(0.0, time.monotonic() - call.since),
            ),
            plugins=self._plugins(child, report, known),
            since=child.ready_since if child.ready else child.since,
            why="" if child.running else child.death,
            unreadable=report.unreadable if report else [],
            last_gap=self._gaps.get(str(child)),
            usage=process_usage(child.pid),
        )

    def _plugins(
        self, host: HostChild, report: HostStatus | None, known: StoredCursors
    ) -> list[PluginState]:
        """All that were wanted, in calling order as far as that is known."""
        did = {each.plugin: each for each in (report.plugins if report else ())}
        held = {each.plugin: each for each in (report.held if report else ())}
        states = [
            self._plugin(did.get(name, NOTHING_DONE), name, *_plugin_state(host, name, held))
            for name in dict.fromkeys((*did, *host.task.wanted, *host.problems))
        ]
        problems: dict[str, list[PluginProblem]] = {}
        for each in report.problems if report else ():
            problems.setdefault(each.plugin, []).append(each)
        states = [replace(each, problems=problems.get(each.name, [])) for each in states]
        bounds = report.collecting if report else {}
        return [
            self._with_position(state, held.get(state.name), known, bounds.get(state.name))
            for state in states
        ]

    def _with_position(
        self,
        state: PluginState,
        hold: PluginHold | None,
        known: StoredCursors,
        bounds: tuple[int, float] | None,
    ) -> PluginState:
        """Where it stands, if not where its process does, and when it is tried again.

        `bounds`: by how many events and seconds it may be behind, since it collects them.
        """
        cursors = [
            self._cursor(account, cursor.done)
            for account in self._journals
            if (cursor := known.cursors.get(own_key(state.name, account)))
        ]
        if hold is None:
            if bounds is not None:
                events, seconds = bounds[0], bounds[1] + LATE
                cursors = [c for c in cursors if c.lag_events > events or c.lag > seconds]
            return replace(state, cursors=cursors)
        lasts = [seconds for cursor in cursors if (seconds := self._lasts(cursor))]
        return replace(
            state,
            cursors=cursors,
            attempts=hold.attempts,
            next_try=hold.next_try,
            journal_lasts=min(lasts, default=0.0),
        )

    def _lasts(self, cursor: CursorState) -> float:
        """How long the journal has what comes after a cursor."""
        account = self._accounts[cursor.account]
        try:
            oldest = next(iter(self._journals[cursor.account].read(0, chunk_bytes=1)), None)
        except JournalError:
            return 0.0
        return journal_lasts(
            total_bytes=account.journal_bytes,
            events=0 if oldest is None else account.last_seq - oldest.first_seq + 1,
            waiting=cursor.lag_events,
            waiting_for=cursor.lag,
            keep_bytes=self._keep_bytes[cursor.account],
        )

    def _known(self, host: HostChild) -> StoredCursors:
        try:
            return host.known() or NOTHING_KNOWN
        except JournalError:
            return NOTHING_KNOWN  # the host process logs it

    def _cursor(self, account: str, seq: int) -> CursorState:
        behind = max(0, self._accounts[account].last_seq - seq)
        return CursorState(account, seq, behind, self._lag(account, seq) if behind else 0.0)

    def _lag(self, account: str, seq: int) -> float:
        """How long the event after `seq` has waited."""
        try:
            oldest = next(iter(self._journals[account].read(seq, chunk_bytes=1)), None)
        except JournalError:
            return 0.0
        received_at = getattr(oldest, "first_at", 0)
        return max(0.0, time.time() - received_at / 1e9) if received_at else 0.0

    def _last_seq(self, account: str) -> int:
        reported = (
            report.last_seq
            for child, report in self._reports.items()
            if isinstance(report, ConnectionStatus) and child.name == account
        )
        return max(read_high_water(self._folder.journal(account)), *reported, 0)

    def _journal_bytes(self, account: str) -> int:
        try:
            return journal_bytes(self._folder.journal(account))
        except JournalError:
            return 0

    def _count_letters(self) -> None:
        path = self._folder.dead_letters_file
        written_at = _written_at(path)
        if not written_at or written_at == self._letters_at:
            return
        try:
            with DeadLetters(path, busy_timeout=0.1) as letters:
                self._letters = Counter(letters.counts())
                self._dropped = Counter(letters.left_out())
        except JournalError:
            return  # the process that writes them logs it
        self._letters_at = written_at

    def _plugin(
        self,
        did: PluginStatistics,
        name: str,
        state: PluginCondition,
        why: str,
        since: float,
    ) -> PluginState:
        return PluginState(
            name=name,
            active=state == "running",
            state=state,
            why=why,
            since=since,
            calls=did.calls,
            errors=did.errors,
            busy=did.busy / 1e9,
            p50=did.p50 / 1e9,
            p99=did.p99 / 1e9,
            slowest=did.slowest / 1e9,
            dead_letters=self._letters[name],
            dropped_letters=self._dropped[name],
        )


def _plugin_state(
    host: HostChild, name: str, held: Mapping[str, PluginHold]
) -> tuple[PluginCondition, str, float]:
    """How it is, why, and since when."""
    if name in host.problems:
        return "refused", host.problems[name], host.since
    if not host.running:
        return "down", host.death, host.since
    if not host.ready:
        return "starting", "", host.since
    if (hold := held.get(name)) is not None:
        return "waiting", hold.why, hold.since
    return "running", "", host.ready_since


def _written_at(path: Path) -> int:
    """Epoch ns; 0 where it is not there, or this user may not see whether it is."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
