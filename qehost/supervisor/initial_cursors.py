"""Where host processes and their plugins begin to read: their cursors, placed before they start.

Each plugin goes on where it was, in whichever process that was: one that comes to another process
takes its position along, and stands apart there until it has come level with the others.  One that
is new begins where its setting `start` says.  The head of a process stays where it was; that of a
new process stands where the furthest of its plugins does.

Nothing is known of a process whose cursors were lost.  What the last status said of them is used
then, and all that was received since counts as delivered before, perhaps.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

from qehost.config.durations import parse_duration
from qehost.errors import JournalError
from qehost.processes.control import HostTask
from qehost.storage.boot_id import is_started_anew, note_start
from qehost.storage.cursor_doubt import forget_doubt
from qehost.storage.cursor_file import (
    LOST,
    UNSET,
    Cursor,
    DamagedCursors,
    StoredCursors,
    own_key,
)
from qehost.storage.cursors import Cursors, known_cursors
from qehost.storage.journal.high_water import raise_high_water
from qehost.storage.journal.layout import span
from qehost.storage.journal.reader import JournalReader
from qehost.storage.private_files import private_folder
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import read_status
from qehost.supervisor.children import HostChild

__all__ = ["forget_moved", "known_of", "last_seq_of", "place", "place_cursors"]

log = logging.getLogger("qehost.supervisor")

Known = Mapping[str, StoredCursors | None]
"""How far each host process had come; None: nothing is known of it."""


class Reported(NamedTuple):
    """What the last status said of one host process."""

    cursors: Mapping[str, int]
    plugins: Collection[str]
    crashed: bool
    """That run did not end in an orderly way."""


NOTHING = Reported({}, (), crashed=False)


def place_cursors(folder: StateFolder, hosts: Collection[HostChild]) -> None:
    """For all host processes: called before any event.

    Were it left to a new process itself, it would miss what is received until it gets there.
    """
    reported = _reported(folder)
    # All of them are read before the first is written.
    before = {name: known_of(folder, name) for name in folder.processes()}
    placed = [place(folder, host, before, reported.get(host.name, NOTHING)) for host in hosts]
    if all(placed):
        forget_moved(folder, before, hosts)


def place(folder: StateFolder, host: HostChild, before: Known, last: Reported = NOTHING) -> bool:
    """For one.  False: its cursors can't be written.

    After a power cut the file may be older than what the plugins got, and where it was damaged
    it is not known what they got: then everything behind the cursor counts as in flight.
    """
    task = host.task
    path = folder.progress_file(task.name)
    try:
        # What the process of this name before it had come to, where the file does not have it.
        if (own := before.get(task.name)) is not None:
            for slot, cursor in own.cursors.items():
                host.memory.slot(slot, cursor)
        boot = path.with_name("boot")
        anew = is_started_anew(boot)

        def place_all(cursors: dict[str, Cursor]) -> None:
            for account in task.accounts:
                _place_account(folder, task, account, cursors, before, last, anew)

        cursors = Cursors.open(
            path, task.wanted, task.accounts, host.memory, last.cursors, place_all
        )
        cursors.close()
        if cursors.problem is None:
            note_start(boot)
    except (JournalError, OSError) as error:
        log.error("%s", error)
        return False
    return cursors.problem is None


def _place_account(
    folder: StateFolder,
    task: HostTask,
    account: str,
    cursors: dict[str, Cursor],
    before: Known,
    last: Reported,
    unsure: bool,
) -> None:
    known = {
        plugin: found
        for plugin in task.wanted
        if (found := _position(plugin, account, task.name, before)) is not None
    }
    own = cursors[account]
    last_seq = last_seq_of(folder, account, max(seq for c in (own, *known.values()) for seq in c))
    lost = own.in_flight == LOST
    if own != UNSET and (not known or own.done in [cursor.done for cursor in known.values()]):
        head = own
    elif known:
        # None of the plugins stands at the head, or the process is new.
        furthest = max(cursor.done for cursor in known.values())
        head = Cursor(furthest, max(c.in_flight for c in known.values() if c.done == furthest))
    elif account in last.cursors:
        head = _from_status(task, account, last, last_seq)
        lost = last.crashed
    else:
        head = Cursor(last_seq, 0)
    if lost or head.in_flight == LOST or (unsure and (known or own != UNSET)):
        head = Cursor(head.done, max(head.in_flight, last_seq))
    cursors[account] = head
    for plugin in task.wanted:
        if plugin in known:
            cursor = known[plugin]
            if unsure or cursor.in_flight == LOST:
                cursor = Cursor(cursor.done, last_seq)
        elif lost or plugin in last.plugins:
            cursor = head  # it was there, and its process's cursors were lost
        else:
            cursor = Cursor(_start_of(folder, account, task.starts.get(plugin), last_seq), 0)
        level = cursor.done == head.done and cursor.in_flight <= max(head)
        cursors[own_key(plugin, account)] = UNSET if level else cursor


def _position(plugin: str, account: str, process: str, before: Known) -> Cursor | None:
    """How far a plugin has come: by its process, if that had it, or else by the others."""
    found = {
        name: cursor
        for name, stored in before.items()
        if stored is not None and (cursor := stored.of_plugin(plugin, account)) is not None
    }
    if not found:
        return None
    done = found[process].done if process in found else min(c.done for c in found.values())
    in_flight = [cursor.in_flight for cursor in found.values()]
    return Cursor(done, LOST if LOST in in_flight else max(in_flight))


def _from_status(task: HostTask, account: str, last: Reported, last_seq: int) -> Cursor:
    """The head of a process whose cursors were lost."""
    seq = min(last.cursors[account], last_seq)
    if last.crashed:
        log.error(
            "host process %s: its cursors were lost. It goes on after event %d of account %s, "
            "which it had come to by the last status; what comes is marked as redelivered",
            task.name,
            seq,
            account,
        )
        return Cursor(seq, 0)
    if seq < last_seq:
        log.warning(
            "host process %s: its cursors were deleted, so it begins at the end of the "
            "journal: %s of account %s were not delivered to its plugins (`qehost replay` "
            "does that)",
            task.name,
            span(seq + 1, last_seq),
            account,
        )
    return Cursor(last_seq, 0)


def _start_of(folder: StateFolder, account: str, start: str | None, last_seq: int) -> int:
    """The event after which a plugin begins that is new.  Raises JournalError."""
    if start is None or start == "now":
        return last_seq
    since = 0 if start == "beginning" else time.time_ns() - int(parse_duration(start) * 1e9)
    with JournalReader(folder.journal(account)) as journal:
        first = next(iter(journal.read(0, since=since, chunk_bytes=1)), None)
    return last_seq if first is None else first.first_seq - 1


def last_seq_of(folder: StateFolder, account: str, had: int) -> int:
    """The number of the account's last event; no number that a plugin has had is given again.

    The journal may be behind event `had` where a power cut took its last second, or it was
    deleted.  New events with such numbers would be taken for delivered ones, and dropped.
    To be called while the journal is not written.  Raises JournalError.
    """
    path = folder.journal(account)
    with JournalReader(path) as journal:
        last_seq = journal.last_seq()
    if had > last_seq:
        log.warning(
            "the journal of account %s ends with event %d, but event %d was delivered to plugins: "
            "what was between them is lost, and new events are numbered from %d",
            account,
            last_seq,
            had,
            had + 1,
        )
        private_folder(path)
        raise_high_water(path, had)
    return max(last_seq, had)


def forget_moved(folder: StateFolder, before: Known, hosts: Collection[HostChild]) -> None:
    """Remove the progress file of processes that are gone and whose plugins have another one now.

    Otherwise those would begin once more where such a process was, at every start.  To be called
    when all have been placed: until then nothing else says how far their plugins had come.
    """
    taken = {plugin for host in hosts for plugin in host.task.wanted}
    for name, stored in before.items():
        gone = name not in [host.name for host in hosts]
        if gone and stored is not None and not taken.isdisjoint(stored.plugins):
            forget_doubt(folder.progress_file(name))
            shutil.rmtree(folder.progress_file(name).parent, ignore_errors=True)


def known_of(folder: StateFolder, name: str, host: HostChild | None = None) -> StoredCursors | None:
    """How far a process had come; `host` is it, where it is one of those that ran just now."""
    try:
        return known_cursors(folder.progress_file(name), ()) if host is None else host.known()
    except DamagedCursors:
        return None  # told when it is opened
    except JournalError as error:
        log.error("%s", error)
        return None


def _reported(folder: StateFolder) -> dict[str, Reported]:
    try:
        status = read_status(folder.status_file)
    except JournalError as error:
        log.warning("%s", error)
        return {}
    if status is None:
        return {}
    return {
        host.name: Reported(
            {each.account: each.seq for each in host.cursors},
            [plugin.name for plugin in host.plugins],
            crashed=not status.ended,
        )
        for host in status.hosts
    }
