"""What a host process died of: which plugin, which hook, which event; and what follows from it.

Of a connection process: whether it got anything done before.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import msgspec

from qehost.errors import JournalError, ProcessDied
from qehost.host.cursors import Call, MarksView
from qehost.host.dead_letters import DeadLetters
from qehost.host.poison import Death, Poison
from qehost.journal.layout import Batch
from qehost.journal.reader import JournalReader
from qehost.records import Texts, decode_events, decode_records, encode_events
from qehost.state import StateFolder

__all__ = ["Deaths", "Inquest", "event_bytes", "heard", "where"]

log = logging.getLogger("qehost.supervisor")


class Inquest(NamedTuple):
    """`call`: the one it died in, None: in none; `progressed`: events were delivered since the
    death before."""

    call: Call | None
    progressed: bool


class Deaths:
    """The deaths of one host process, over all its restarts."""

    def __init__(self, host: str, folder: StateFolder) -> None:
        self._host = host
        self._folder = folder
        self._marks = MarksView(folder.marks(host))
        self._poison = Poison()
        self._cursors: dict[str, int] = {}

    def died(self, exit_code: int, started_at: float, now: float, *, hung: bool) -> Inquest:
        """To be called before the next process starts: that takes the marks over.

        An event that has killed the process often enough becomes a dead letter here.  Times are
        monotonic.
        """
        try:
            call, cursors = self._marks.current(), self._marks.cursors()
        except JournalError as error:
            log.error("%s", error)
            return Inquest(None, False)
        if call is not None and call.since < started_at:
            # This process died before it had marks of its own; these are its predecessor's.
            call = None
        progressed = any(seq > self._cursors.get(name, seq) for name, seq in cursors.items())
        self._cursors = cursors
        death = None
        if call is not None and call.seq:
            elapsed = now - call.since
            death = Death(call.plugin, call.account, call.seq, exit_code, elapsed, hung)
        count = self._poison.in_a_row + 1
        if self._poison.died(death) and call is not None:
            how = ProcessDied(self._host, exit_code).how()
            self._condemn(call, f"{how}, because the call did not end" if hung else how, count)
        return Inquest(call, progressed)

    def _condemn(self, call: Call, how: str, count: int) -> None:
        about = f"event {call.seq} of account {call.account}"
        try:
            event = event_bytes(self._folder, call.account, call.seq)
            if event is None:
                log.critical(
                    "%s can't be set aside for plugin %s, which dies of it: the journal does not "
                    "have it",
                    about,
                    call.plugin,
                )
                return
            with DeadLetters(self._folder.dead_letters_file) as letters:
                letters.add(
                    account=call.account,
                    plugin=call.plugin,
                    process=self._host,
                    seq=call.seq,
                    hook=call.hook,
                    cause="died",
                    detail=how,
                    event=event,
                    count=count,
                )
        except JournalError as error:
            log.critical(
                "%s can't be set aside for plugin %s, which dies of it: %s. It is delivered again",
                about,
                call.plugin,
                error,
            )
            return
        log.critical(
            "plugin %s: the host process died %d times in a row in %s with %s (%s). From now on "
            "this plugin does not get the event: see `qehost journal dead-letters`",
            call.plugin,
            count,
            call.hook,
            about,
            how,
        )


def where(call: Call | None) -> str:
    """`, in on_order of plugin audit with event 7 of account main`; "" for no call."""
    if call is None:
        return ""
    event = f" with event {call.seq} of account {call.account}" if call.seq else ""
    return f", in {call.hook} of plugin {call.plugin}{event}"


def event_bytes(folder: StateFolder, account: str, seq: int) -> bytes | None:
    """One event as `encode_events` makes it of a list, None if the journal does not have it.

    Raises JournalError.
    """
    with JournalReader(folder.journal(account)) as journal:
        for part in journal.read(seq - 1, 1):
            if not isinstance(part, Batch) or part.first_seq > seq:
                return None
            try:
                found = [e for e in decode_events(part.events) if e.seq == seq]
            except msgspec.DecodeError:
                return None
            return encode_events(found) if found else None
    return None


def heard(folder: StateFolder, account: str, after_seq: int) -> bool:
    """Whether the venue sent anything that stands in the journal after that event.

    What a connection process tells of itself (connected, disconnected, errors) is nothing that it
    got done: it would count as alive while it dies at each connection.
    """
    try:
        with JournalReader(folder.journal(account)) as journal:
            return any(
                isinstance(record, Texts) or record.raw
                for part in journal.read(after_seq, 1)
                if isinstance(part, Batch)
                for record in decode_records(part.events)
            )
    except (JournalError, msgspec.DecodeError):
        return False
