"""What a host process died of: which plugin, which hook, which event; and what follows from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from qehost.errors import JournalError, ProcessDied
from qehost.events.codec import decode_events, encode_events
from qehost.storage.dead_letters import DeadLetters
from qehost.storage.journal.layout import Batch
from qehost.storage.journal.reader import JournalReader
from qehost.storage.progress import HookCall
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.poison_event import Death, Poison

__all__ = ["CrashReport", "Crashes", "about_event", "where"]

log = logging.getLogger("qehost.supervisor")


class CrashReport(NamedTuple):
    call: HookCall | None
    """The call that it died in; None: in none."""
    progressed: bool
    """Events were delivered since the crash before."""


class Crashes:
    """Those of one host process, over all its restarts."""

    def __init__(self, host: str, folder: StateFolder) -> None:
        self._host = host
        self._folder = folder
        self._poison = Poison()
        self._cursors: dict[str, int] = {}

    def report(
        self,
        call: HookCall | None,
        cursors: Mapping[str, int],
        exit_code: int,
        now: float,
        *,
        hung: bool,
    ) -> CrashReport:
        """The process has ended, in `call`, and had come so far.

        An event that has killed the process often enough becomes a dead letter here.  `now` is on
        the monotonic clock.
        """
        progressed = any(seq > self._cursors.get(name, seq) for name, seq in cursors.items())
        self._cursors = dict(cursors)
        death = None
        if call is not None and call.seq:
            elapsed = now - call.since
            death = Death(call.plugin, call.account, call.seq, exit_code, elapsed, hung)
        count = self._poison.in_a_row + 1
        if self._poison.died(death) and call is not None:
            how = ProcessDied(self._host, exit_code).how()
            self._condemn(call, f"{how}, because the call did not end" if hung else how, count)
        return CrashReport(call, progressed)

    def _condemn(self, call: HookCall, how: str, count: int) -> None:
        about = f"event {call.seq} of account {call.account}"
        try:
            event = _event_bytes(self._folder, call.account, call.seq)
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


def where(call: HookCall | None) -> str:
    """`, in on_order of plugin audit with event 7 of account main`; "" for no call."""
    if call is None:
        return ""
    return f", in {call.hook} of plugin {call.plugin}{about_event(call)}"


def about_event(call: HookCall) -> str:
    """` with event 7 of account main`; "" for a call that is about none."""
    return f" with event {call.seq} of account {call.account}" if call.seq else ""


def _event_bytes(folder: StateFolder, account: str, seq: int) -> bytes | None:
    """A list of this one event, encoded; None if the journal does not have it.

    Raises JournalError.
    """
    with JournalReader(folder.journal(account)) as journal:
        for part in journal.read(seq - 1, seq):
            if not isinstance(part, Batch):
                return None
            try:
                found = [e for e in decode_events(part.events, part.journal_id) if e.seq == seq]
            except msgspec.DecodeError:
                return None
            return encode_events(found) if found else None
    return None
