"""Where a host process begins to read: its cursors, placed before it starts.

A process goes on where it stood.  A plugin that comes from another process must miss nothing, so
its new process begins where the one that is furthest behind stood; what plugins have had already
comes to them again, marked as redelivered.  A process of which nothing is known begins at the end
of the journal.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection, Mapping

from qehost.control import HostTask
from qehost.errors import JournalError
from qehost.host.cursors import Marks, MarksView, Standing
from qehost.journal.high_water import raise_high_water
from qehost.journal.reader import JournalReader
from qehost.state import StateFolder, private_folder, trouble
from qehost.supervision.boot import started_anew

__all__ = ["forget_moved", "last_seq_of", "place", "place_cursors", "standing_of"]

log = logging.getLogger("qehost.supervisor")


def place_cursors(folder: StateFolder, hosts: Collection[HostTask]) -> None:
    """For all host processes: called before any event.

    Were it left to a new process itself, it would miss what is received until it gets there.
    """
    # All of them are read before the first is written.
    before = {name: standing_of(folder, name) for name in folder.processes()}
    placed = [place(folder, task, before) for task in hosts]
    if all(placed):
        forget_moved(folder, before, hosts)


def place(folder: StateFolder, task: HostTask, before: Mapping[str, Standing | None]) -> bool:
    """For one; `before` is where all processes stood.  False: it can't be written.

    After a power cut the cursor may be older than what the plugins got, and where it was damaged
    nobody knows what they got: then everything behind it counts as handed over before.
    """
    others = _formers(task, before)
    try:
        marks = Marks.open(folder.marks(task.name), task.wanted, (), task.accounts)
        anew = started_anew(folder.marks(task.name).with_name("boot"))
        for account in task.accounts:
            had = [marks.cursor(account) or 0, marks.handed(account)]
            for former in others:
                had += former.cursors.get(account, 0), former.handed.get(account, 0)
            last_seq = last_seq_of(folder, account, max(had))
            known = [former.cursors[account] for former in others if account in former.cursors]
            if (own := marks.cursor(account)) is not None:
                known.append(own)
            marks.advance(account, min(known, default=last_seq))
            handed = [former.handed.get(account, 0) for former in others]
            handed.append(last_seq if known and (anew or marks.lost) else 0)
            marks.hand(account, max([marks.handed(account), *handed]))
        marks.close()
    except JournalError as error:
        log.error("%s", error)
        return False
    except OSError as error:
        # The disk did not take the marks; that is no reason to end what runs.
        log.error("%s", trouble(folder.marks(task.name), error))
        return False
    return True


def last_seq_of(folder: StateFolder, account: str, had: int) -> int:
    """The number of the account's last event; no number that a plugin has had is given again.

    The journal may be behind event `had` where a power cut took its last second, or somebody
    deleted it.  New events with such numbers would be taken for delivered ones, and dropped.
    To be called while nobody writes the journal.  Raises JournalError.
    """
    path = folder.journal(account)
    with JournalReader(path) as journal:
        last_seq = journal.last_seq()
    if had > last_seq:
        log.warning(
            "the journal of account %s ends with event %d, but event %d was handed to plugins: "
            "what was between them is lost, and new events are numbered from %d",
            account,
            last_seq,
            had,
            had + 1,
        )
        private_folder(path)
        raise_high_water(path, had)
    return max(last_seq, had)


def forget_moved(
    folder: StateFolder, before: Mapping[str, Standing | None], hosts: Collection[HostTask]
) -> None:
    """Remove the marks of processes that are gone and whose plugins have another one now.

    Otherwise those would begin once more where such a process stood, at every start.  To be called
    when all have been placed: until then nothing else says where their plugins stood.
    """
    taken = {plugin for task in hosts for plugin in task.wanted}
    for name, standing in before.items():
        gone = name not in [task.name for task in hosts]
        if gone and standing is not None and not taken.isdisjoint(standing.plugins):
            shutil.rmtree(folder.marks(name).parent, ignore_errors=True)


def standing_of(folder: StateFolder, host: str) -> Standing | None:
    """None where nothing is known of it."""
    try:
        return MarksView(folder.marks(host)).standing()
    except JournalError as error:
        log.error("%s", error)
        return None


def _formers(task: HostTask, before: Mapping[str, Standing | None]) -> list[Standing]:
    return [
        standing
        for name, standing in before.items()
        if standing is not None
        and name != task.name
        and not set(task.wanted).isdisjoint(standing.plugins)
    ]
