"""A host process without the process: plugins, their positions, a journal and a queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from qehost.errors import HookError
from qehost.events.codec import encode_events
from qehost.host.arguments import NAMES
from qehost.host.dead_letter_writer import DeadLetterWriter
from qehost.host.delivery import Delivery, Position, newest_seq
from qehost.host.dispatch import Dispatcher, Implementation
from qehost.host.laggard import Head
from qehost.host.plugin_calls import LetterCalls, PluginCalls
from qehost.host.plugin_positions import PluginPositions
from qehost.host.returned_hooks import Held
from qehost.host.subscription import Subscription
from qehost.messages import Event, StatusEvent
from qehost.storage.cursor_file import own_key
from qehost.storage.cursors import Cursors
from qehost.storage.dead_letters import DeadLetters
from qehost.storage.journal import Journal, JournalReader
from qehost.storage.progress import CallRecorder, ProgressMemory
from qehost.storage.state_folder import StateFolder

__all__ = ["Call", "PluginBench", "event"]

Call = tuple[str, str, int, int, bool]
"""Plugin, hook, seq (0: no event), attempt, redelivered."""
HOOKS = ("on_start", "on_raw_message", "on_status", "on_batch", "on_error", "on_tick", "on_stop")


def event(seq: int, account: str = "main") -> StatusEvent:
    raw = f'{{"type": "status", "messageId": "m", "userId": "u", "data": "{seq}"}}'
    return StatusEvent(seq, account, "m", 0, "stream", False, raw, str(seq))


class PluginBench:
    """`plugins` are their names, with the hooks of each.  `react` is called for each call, before
    it returns, and may raise."""

    def __init__(
        self,
        folder: Path,
        plugins: Mapping[str, Sequence[str]],
        *,
        accounts: Sequence[str] = ("main",),
        cursors: Cursors | None = None,
        poison: dict[int, set[str]] | None = None,
        slice_size: int = 64,
        wanted: Mapping[str, Subscription] | None = None,
    ) -> None:
        self.folder = folder
        self.plugins = plugins
        self.accounts = accounts
        self.poison = poison or {}
        self.slice_size = slice_size
        self.wanted = wanted or {}
        self.calls: list[Call] = []
        self.told: list[tuple[str, str]] = []
        self.react: Callable[[Call], object] = lambda call: None
        slots = [*accounts, *(own_key(p, a) for p in plugins for a in accounts)]
        self.cursors = cursors or Cursors.in_memory(slots)
        for account in accounts:
            if self.cursors.cursor(account) is None:
                self.cursors.advance(account, 0)
        self.memory = ProgressMemory()
        self.letters_file = folder / "dead-letters.db"
        self._close_letters = lambda: None
        self.start()

    def start(self) -> None:
        """Begin anew, as a process does that takes the place of one that has died."""
        names = list(self.plugins)
        self._close_letters()
        self.letters = DeadLetterWriter("main", self.letters_file)
        self._close_letters = self.letters.close
        self.recorder = CallRecorder(self.memory, names, NAMES, self.accounts)
        held: list[Held] = []
        self.dispatcher = Dispatcher(
            names,
            {
                hook: [self._hook(p, hook) for p in names if hook in self.plugins[p]]
                for hook in HOOKS
            },
            failures=self.letters.note,
            retries=held.append,
            filters={name: each.wants for name, each in self.wanted.items() if each.filters},
            progress=self.recorder,
        )
        self.heads = {account: self._head(account) for account in self.accounts}
        self.apart = PluginPositions(
            self.dispatcher,
            self.recorder,
            self.letters,
            self.heads,
            held,
            self._start_one,
            StateFolder(self.folder).wait_file,
            {name: each for name, each in self.wanted.items() if each.max_events},
        )
        self.letter_calls = LetterCalls(
            self.letters, self.dispatcher, self.recorder, self.accounts, held
        )
        self.deliveries = {
            account: Delivery(
                account,
                head.position,
                PluginCalls(head, self.dispatcher, self.recorder, self.apart),
                head.journal,
                lambda *line: None,
                slice_size=self.slice_size,
            )
            for account, head in self.heads.items()
        }
        for plugin in names:
            for account, head in self.heads.items():
                if self.cursors.cursor(slot := own_key(plugin, account)) is not None:
                    self.apart.resume(plugin, account, self._position(slot, head.journal))
        self.apart.set_apart()
        self.apart.restore()
        for error in self.dispatcher.start(dict.fromkeys(names)):
            self.apart.not_started(error)

    def _start_one(self, plugin: str) -> HookError | None:
        return next(iter(self.dispatcher.start({plugin: None})), None)

    def _head(self, account: str) -> Head:
        journal = JournalReader(self.folder / account)
        position = self._position(account, journal)
        table = self.dispatcher.table(self.plugins)
        return Head(account, position, journal, table, dict(self.poison))

    def _position(self, slot: str, journal: JournalReader) -> Position:
        return Position(self.cursors, slot, lambda: newest_seq(journal))

    def _hook(self, plugin: str, hook: str) -> Implementation:
        def note(found: Event | None) -> None:
            call = (
                plugin,
                hook,
                0 if found is None else found.seq,
                1 if found is None else found.attempt,
                found is not None and found.redelivered,
            )
            self.calls.append(call)
            self.react(call)

        def with_event(event: Event) -> None:
            note(event)

        def batch(events: Sequence[Event]) -> None:
            for each in events[:-1]:
                self.calls.append((plugin, hook, each.seq, each.attempt, each.redelivered))
            note(events[-1])

        def error(error: Exception, event: Event | None) -> None:
            self.told.append((plugin, str(error)))
            note(event)

        match hook:
            case "on_batch":
                return Implementation(plugin, batch, ("events",))
            case "on_error":
                return Implementation(plugin, error, ("error", "event"))
            case "on_start" | "on_tick" | "on_stop":
                return Implementation(plugin, lambda: note(None), ())
            case _:
                return Implementation(plugin, with_event, ("event",))

    # --- what a test does ------------------------------------------------------------------

    def journal_has(self, *batches: Sequence[int], account: str = "main") -> None:
        with Journal(self.folder / account) as journal:
            for numbers in batches:
                events = encode_events([event(seq, account) for seq in numbers])
                journal.append(events, numbers[0], numbers[-1], 0, 0)

    def receive(self, *numbers: int, account: str = "main") -> None:
        """Events that the journal has come by the queue, too, and are delivered at the head."""
        self.journal_has(numbers, account=account)
        self.take(*numbers, account=account)

    def take(self, *numbers: int, account: str = "main") -> None:
        delivery = self.deliveries[account]
        delivery.take([("", encode_events([event(seq, account) for seq in numbers]))])
        while delivery.busy:
            delivery.step()

    def pass_time(self, seconds: float = 1e6, steps: int = 1) -> None:
        """So much later those that wait are due; then this many turns."""
        for laggard in self.apart.laggards.values():
            if laggard.waiting is not None:
                laggard.waiting.due -= seconds
        self.turn(steps)

    def turn(self, steps: int = 1) -> None:
        for _ in range(steps):
            self.apart.step(time.monotonic())

    def settle(self) -> None:
        """Turns until all are at the head, or wait."""
        for _ in range(1000):
            if self.apart.is_drained():
                self.turn()
                return
            self.turn()
        raise AssertionError("it does not come to an end")

    def got(self, plugin: str, *hooks: str) -> list[tuple[str, int, int, bool]]:
        """The calls of one plugin: hook, seq, attempt, redelivered."""
        return [
            call[1:] for call in self.calls if call[0] == plugin and (not hooks or call[1] in hooks)
        ]

    def seqs(self, plugin: str, hook: str = "on_status") -> list[int]:
        return [seq for name, found, seq, _, _ in self.calls if (name, found) == (plugin, hook)]

    def letter_states(self) -> list[tuple[str, int, str]]:
        with DeadLetters(self.letters_file) as letters:
            return [(each.plugin, each.seq, each.state) for each in letters.letters()]

    def close(self) -> None:
        self.letters.close()
        self.memory.close()
