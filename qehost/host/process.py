"""The host process: delivers events of the queues and the journals to the plugins.

One thread.  It waits for the queues, for the supervisor and for the next tick; between any two
slices of events it looks whether a tick is due or the end was ordered.  A slice is over after 64
events, or with the event at which it has taken a fifth of a second; so neither a long backlog nor a
slow plugin keeps either waiting for longer than that and one event's calls.  Accounts take turns,
slice by slice, so none waits for the backlog of another, or for its journal.
"""

from __future__ import annotations

import logging
import os
import selectors
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from qehost.errors import HookError, JournalError, PluginError
from qehost.host.api_clients import ApiClients
from qehost.host.dead_letter_writer import DeadLetterWriter
from qehost.host.delivery import Delivery, Position, newest_seq
from qehost.host.discovery import Candidate, find_what_is_left
from qehost.host.dispatch import HOOKS, Failures
from qehost.host.ending import end_soon
from qehost.host.laggard import Head
from qehost.host.loading import Plugins, imported, load
from qehost.host.plugin_calls import LetterCalls, PluginCalls
from qehost.host.plugin_journals import AccountJournals, PluginJournals
from qehost.host.plugin_positions import PluginPositions
from qehost.host.plugin_problems import PluginProblems
from qehost.host.returned_hooks import Held
from qehost.host.waiting import PendingCall, Suspended
from qehost.processes.control import (
    Attach,
    Control,
    Ended,
    Go,
    HostStatus,
    HostTask,
    Loaded,
    Ready,
    Refused,
    Stop,
    StopRequest,
)
from qehost.processes.environment import drop_secrets
from qehost.processes.logs import set_up, write_without_waiting
from qehost.processes.queue import BatchReader
from qehost.secret import redact
from qehost.storage.cursor_file import own_key
from qehost.storage.cursors import Cursors
from qehost.storage.journal import JournalReader
from qehost.storage.progress import CallRecorder, ProgressMemory
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import read_status_of

__all__ = ["main"]

log = logging.getLogger("qehost.host")

COULD_NOT_START = 3
TICK = 1.0
START_TIME = 1.0
"""Seconds for coroutines to start their plugins before the process is ready without them."""
LAST_LOOKS = 1.0
"""Seconds after the order to end in which a journal that can't be read is still tried."""
SLICE_TIME = 0.2
"""Seconds of calls after which a slice ends before it has so many events."""
STARTED_ANEW = "the process is started anew, since it has no file descriptor left"
STARTED_ANEW_CODE = 1
IMPORT = "import"
"""What is recorded in a hook's place while a plugin is imported and built."""


def main(task: HostTask, control: Connection, memory: Connection) -> None:
    """`memory` is the descriptor of the supervisor's `ProgressMemory` for this process."""
    if task.debug:
        from qehost.host.debugging import take_terminal

        take_terminal()
    if task.sources is not None:
        # Bytecode counts as that of a file of the same size and second.  Here there is none.
        sys.pycache_prefix = str(StateFolder(task.state_dir).path / "no-bytecode")
        sys.dont_write_bytecode = True
    set_up(task.log, f"host {task.name}")
    write_without_waiting()
    HostProcess(task, Control(control), ProgressMemory(memory.fileno())).run()


class _Ended(Exception):
    """The time for delivering what is left is over, or the process can't go on."""


class HostProcess:
    def __init__(self, task: HostTask, control: Control, memory: ProgressMemory) -> None:
        self.task = task
        self.control = control
        self.memory = memory
        self._closing = ExitStack()
        """Whatever else happens, the process closes these before it ends, the last one first."""
        if task.debug:
            from qehost.host import debugging  # and pdb, which no other process needs

            debugging.use(self._quit)
        folder = StateFolder(task.state_dir)
        plugins = self._load()
        if not task.host.keep_secrets:
            drop_secrets()
        # What a plugin raised may hold a secret of its own, and the supervisor does not know those.
        problems = {
            r.name: redact(str(PluginError(r.name, r.why, r.distribution))) for r in plugins.failed
        }
        for name in set(task.wanted).difference(report.name for report in plugins.reports):
            problems[name] = str(PluginError(name, "it is not installed any more"))
        if task.strict and problems:
            self._refuse(f"--strict, and a plugin can't be used: {'; '.join(problems.values())}")
        invalid = [report.name for report in plugins.failed if report.invalid]
        idle = [r.name for r in plugins.reports if r.state == "loaded" and not r.hooks]
        self.control.send(Loaded(list(plugins.configs), problems, invalid, idle))
        queues = self._wait_for_go()
        names = tuple(plugins.configs)
        self.wanted = tuple(dict.fromkeys((*names, *task.wanted)))
        self.cursors = self._open_cursors(folder.progress_file(task.name))
        self._closing.callback(self.cursors.close)
        self.recorder = CallRecorder(memory, names, tuple(HOOKS), task.accounts)
        self.letters = DeadLetterWriter(task.name, folder.dead_letters_file)
        self._closing.callback(self.letters.close)
        failures: Failures = self.letters.note
        if task.debug:
            failures = debugging.quits_by(self._quit, failures)
        held: list[Held] = []
        self.lanes = plugins.lanes(
            enter=self.recorder.enter, leave=self.recorder.leave, account=self.recorder.account
        )
        self.dispatcher = plugins.dispatcher(
            lanes=self.lanes,
            progress=self.recorder,
            failures=failures,
            retries=held.append,
            slow_call=task.host.slow_call,
            turn=SLICE_TIME,
        )
        if self.lanes is not None:
            self.lanes.slow = self.dispatcher.note_step
        apis = ApiClients(task.account_settings, memory.current)
        journals = AccountJournals(folder, task.accounts)
        self._closing.callback(journals.close)
        self._closing.callback(apis.close)
        self.problems = PluginProblems()
        contexts = plugins.contexts(
            task.accounts,
            folder.path,
            self._request_stop,
            apis,
            lambda plugin: PluginJournals(journals, partial(self._come_to, plugin)),
            self.problems.note,
            partial(read_status_of, folder.status_file, os.getppid()),
        )

        def start(plugin: str) -> HookError | None:
            return next(iter(self.dispatcher.start({plugin: contexts[plugin]})), None)

        heads = {account: self._head(folder, account, names) for account in task.accounts}
        self.apart = PluginPositions(
            self.dispatcher,
            self.recorder,
            self.letters,
            heads,
            held,
            start,
            folder.wait_file,
            plugins.apart(),
        )
        self.letter_calls = LetterCalls(
            self.letters, self.dispatcher, self.recorder, task.accounts, held
        )
        self.heads = heads
        self.deliveries = {account: self._delivery(head) for account, head in heads.items()}
        self._find_apart(heads, names)
        self.apart.set_apart()
        self.apart.restore()
        failed = self._ended_soon(self.dispatcher.start(contexts), contexts)
        refused = [each for each in failed if not isinstance(each.__cause__, Suspended)]
        if task.strict and refused:
            self._refuse("--strict, and a plugin can't start: " + "; ".join(map(str, refused)))
        for error in failed:
            self.apart.not_started(error)
        waiting = {
            error.plugin: redact(f"{error}; its events wait for it, and it is tried again")
            for error in failed
            if not isinstance(error.__cause__, Suspended)
        }
        # One for all turns: `multiprocessing.connection.wait` makes one for each call, in 30 µs.
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ)
        self.queues: dict[str, BatchReader] = {}
        self.unwatched: set[str] = set()
        """Accounts whose queue is not looked at while their journal can't be read: it would wake
        the process for nothing."""
        for account, queue in queues:
            self._attach(account, queue)
        self.control.send(Ready(list(names), list(problems.values()), waiting))
        self.next_tick = time.monotonic()
        self.stop_order: Stop | None = None
        self.stop_by = float("inf")
        self.looked_last = False

    def _ended_soon(
        self, failed: list[HookError], contexts: Mapping[str, object]
    ) -> list[HookError]:
        """The same, after a moment for each `on_start` that is a coroutine."""
        until = time.monotonic() + START_TIME
        while self.lanes is not None and (left := until - time.monotonic()) > 0.0:
            calls = {
                error.plugin: error.__cause__.call
                for error in failed
                if isinstance(error.__cause__, Suspended)
            }
            if not calls:
                break
            self.lanes.run_until(partial(_any_done, list(calls.values())), left)
            done = {name: contexts[name] for name, call in calls.items() if call.done}
            failed = [error for error in failed if error.plugin not in done]
            failed += self.dispatcher.start(done)
        return failed

    def _load(self) -> Plugins:
        """Load the plugins.  The supervisor sees which one, should the process die of it."""
        found = [
            candidate
            for candidate in find_what_is_left(self.task.specs, self.task.plugins)
            if candidate.settings.process == self.task.name
        ]
        names = [candidate.name for candidate in found]
        recorder = CallRecorder(self.memory, names, [IMPORT])

        def recorded(candidate: Candidate) -> Any:
            recorder.enter(names.index(candidate.name), 0, 0)
            return imported(candidate)

        plugins = load(found, source=recorded)
        recorder.leave()
        return plugins

    def _quit(self) -> NoReturn:
        """The debugger was quit: the whole run ends, and the event at which it was comes again at
        the next start."""
        self.control.send(StopRequest("the debugger was quit"))
        self._closing.close()
        os._exit(0)

    def _open_cursors(self, path: Path) -> Cursors:
        try:
            return Cursors.open(path, self.wanted, self.task.accounts, self.memory)
        except JournalError as error:
            self._refuse(str(error))

    def _head(self, folder: StateFolder, account: str, plugins: Sequence[str]) -> Head:
        journal = JournalReader(folder.journal(account))
        # Without a cursor it begins here and now: the supervisor could set none.
        position = self._position(account, journal)
        own = [self.cursors.cursor(own_key(plugin, account)) for plugin in plugins]
        first = min([position.cursor, *(seq for seq in own if seq is not None)])
        poison = self.letters.quarantined(account, first)
        return Head(account, position, journal, self.dispatcher.table(plugins), poison)

    def _position(self, slot: str, journal: JournalReader) -> Position:
        return Position(
            self.cursors,
            slot,
            lambda: newest_seq(journal),
            synced=self.task.journal.durability == "power",
        )

    def _delivery(self, head: Head) -> Delivery:
        calls = PluginCalls(head, self.dispatcher, self.recorder, self.apart)
        return Delivery(head.account, head.position, calls, head.journal, log.error)

    def _find_apart(self, heads: Mapping[str, Head], loaded: Sequence[str]) -> None:
        """Whose position is not that of the head."""
        for plugin in self.wanted:
            for account, head in heads.items():
                slot = own_key(plugin, account)
                if self.cursors.cursor(slot) is None:
                    if plugin not in loaded:
                        # Its events wait until it can be loaded.
                        head.position.fork(slot, head.position.cursor, 0)
                elif plugin in loaded:
                    self.apart.resume(plugin, account, self._position(slot, head.journal))

    def _come_to(self, plugin: str, account: str) -> int:
        """The last event of an account that a plugin has had; asked from any thread."""
        position, is_apart = self.apart.position(plugin, account)
        call = self.memory.current()
        if call is not None and call.account == account and (call.plugin == plugin or not is_apart):
            # In a slice, of which the events before this one have been delivered.
            return max(position, call.seq - 1)
        return position

    def _wait_for_go(self) -> list[tuple[str, Connection]]:
        """Until the plugins may start; the queues that came in the meantime, by account.

        A process that takes the place of another waits here until that one has ended.
        """
        queues = []
        while True:
            match self.control.receive():
                case Attach(account):
                    queues.append((account, self.control.receive_queue(writable=False)))
                case Go():
                    return queues
                case Stop():
                    sys.exit()

    def _refuse(self, text: str) -> NoReturn:
        self.control.send(Refused(redact(text), COULD_NOT_START))
        sys.exit(COULD_NOT_START)

    def _request_stop(self, reason: str) -> None:
        self.control.send(StopRequest(redact(reason)))

    def run(self) -> None:
        try:
            for account, delivery in self.deliveries.items():
                # A queue begins with how far to look into the journal.
                if account not in self.queues:
                    delivery.catch_up()
            while not self._is_drained():
                self._turn()
        except _Ended:
            pass
        reason = self.stop_order.reason if self.stop_order else STARTED_ANEW
        self.dispatcher.stop(reason)
        if self.lanes is not None:
            self.lanes.close()
        self._closing.close()
        left = sum(
            max(delivery.left(), self.apart.left(account))
            for account, delivery in self.deliveries.items()
        )
        sys.stdout.flush()
        if self.stop_order is None:
            end_soon(STARTED_ANEW_CODE)
            sys.exit(STARTED_ANEW_CODE)
        self.control.send(Ended(left))
        end_soon(0)

    def _is_drained(self) -> bool:
        """Whether the end was ordered and everything has been delivered, but to plugins that
        wait."""
        deliveries = self.deliveries.values()
        if self.stop_order is None or self.queues or any(each.busy for each in deliveries):
            return False
        if self.looked_last:
            self.apart.flush()
            return self.apart.is_drained()
        self.looked_last = True
        for delivery in deliveries:
            delivery.catch_up()
        return False

    def _turn(self) -> None:
        """A slice of each account that has something to deliver; if none has, wait for something to
        do."""
        if self.unwatched:
            self._watch_again()
        now = time.monotonic()
        ready = [each for each in self.deliveries.values() if each.busy and each.due <= now]
        apart = self.apart.due(now)
        if len(ready) < len(self.deliveries):
            at_once = ready or (apart is not None and apart <= now)
            for key, _ in self._select(0.0 if at_once else self._idle_time(now, apart)):
                if key.data is not None and self._read_queue(key.data):
                    ready.append(key.data)
        elif self.lanes is not None:
            self.lanes.step()
        for delivery in ready:
            delivery.step()
            self._look_up()
        if apart is not None:
            self.apart.step(time.monotonic())
        if not ready:
            self._look_up()

    def _select(self, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
        spin = self.task.host.spin
        if self.lanes is None:
            return self._spin(seconds) if spin else self.selector.select(seconds)
        self.lanes.wait(self.selector, 0.0 if spin else seconds)
        return self.selector.select(0.0)

    def _spin(self, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
        """As the selector's `select`, but awake: a sleeper comes back to its core some 70 µs
        later."""
        until = time.monotonic() + seconds
        while not (found := self.selector.select(0.0)) and time.monotonic() < until:
            pass
        return found

    def _idle_time(self, now: float, apart: float | None) -> float:
        due = [each.due for each in self.deliveries.values() if each.busy]
        due += [] if apart is None else [apart]
        return max(0.0, min(self.next_tick, self.stop_by, *due) - now)

    def _look_up(self) -> None:
        """What is due besides events: messages of the supervisor, the tick, the end of draining."""
        while self.control.poll():
            match self.control.receive():
                case Attach(account):
                    self._attach(account, self.control.receive_queue(writable=False))
                case Stop(_, timeout, at) as order:
                    self.stop_order = order
                    self.stop_by = at + timeout
        now = time.monotonic()
        if now >= self.next_tick:
            # From now on, not from when it was due: a slow plugin is not punished with a burst.
            self.next_tick = now + TICK
            self.dispatcher.tick(time.time())
            if self.lanes is not None and (hang_timeout := self.task.host.hang_timeout):
                self.lanes.cancel_late(hang_timeout)
            self.apart.settle_others()
            self.letter_calls.deliver(self.dispatcher.awake(), TICK / 2)
            self.apart.settle_others()
            self.apart.tell_dropped()
            self.cursors.look_after()
            self.control.send(self._status())
            if self.letters.reserve.is_short(now):
                log.critical(
                    "this process has no file descriptor left: a plugin does not close its files. "
                    "It is started anew"
                )
                raise _Ended
        if now >= self.stop_by or self._only_waits(now):
            raise _Ended

    def _status(self) -> HostStatus:
        gaps = [head.last_gap for head in self.heads.values() if head.last_gap is not None]
        return HostStatus(
            self.dispatcher.statistics(),
            list(self.apart.holds()),
            [each.unreadable for each in self.deliveries.values() if each.unreadable],
            max(gaps, key=lambda gap: gap.at, default=None),
            self.problems.all(),
            self.apart.collecting(),
        )

    def _only_waits(self, now: float) -> bool:
        """Whether the end was ordered, and what is left stands in journals that can't be read."""
        if self.stop_order is None or now < self.stop_order.at + LAST_LOOKS:
            return False
        left = [d for d in self.deliveries.values() if d.busy or d.account in self.queues]
        left += self.apart.deliveries()
        return bool(left) and all(delivery.unreadable for delivery in left)

    # --- queues --------------------------------------------------------------------------

    def _attach(self, account: str, queue: Connection) -> None:
        self._detach(account)
        self.queues[account] = reader = BatchReader(queue)
        self.selector.register(reader, selectors.EVENT_READ, self.deliveries[account])

    def _detach(self, account: str) -> None:
        if (queue := self.queues.pop(account, None)) is not None:
            if account in self.unwatched:
                self.unwatched.remove(account)
            else:
                self.selector.unregister(queue)
            queue.close()

    def _watch_again(self) -> None:
        for account in list(self.unwatched):
            if not (delivery := self.deliveries[account]).due:
                self.unwatched.remove(account)
                self.selector.register(self.queues[account], selectors.EVENT_READ, delivery)

    def _read_queue(self, delivery: Delivery) -> bool:
        """Whether there is something to deliver now that was not before."""
        account = delivery.account
        queue = self.queues[account]
        if delivery.busy:
            # What is in its queue stays there until what came before it is delivered.
            if delivery.due:
                self.selector.unregister(queue)
                self.unwatched.add(account)
            return False
        try:
            # Now, and not at its turn: by then there may be another queue, which has nothing yet.
            delivery.take(queue.read())
        except (EOFError, OSError):
            self._detach(account)
            delivery.catch_up()
        return True


def _any_done(calls: Sequence[PendingCall]) -> bool:
    return any(call.done for call in calls)
