"""The connection process itself, listening to a venue of a story.

All that is simulated is what it stands on: the clocks, chance, the selector that waits, threads,
the socket of a stream, and the answers to HTTP requests.  Everything else is the program's own: its
loop, its state machine, catching up, the pipeline, what stands in the journal and the checkpoint,
and how they are read at the next start.

A call in the background is made at once, with clocks that run ahead, and its result comes back when
they say.  So what a REST call was answered is what was so when it was made.
"""

from __future__ import annotations

import heapq
import random
import selectors
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import msgspec

from qehost.config.settings import (
    AccountSettings,
    ConnectionSettings,
    HostSettings,
    JournalSettings,
)
from qehost.connection import background as background_module
from qehost.connection import process as process_module
from qehost.connection import restore as restore_module
from qehost.connection import stream as stream_module
from qehost.connection.frames import Item, Pong
from qehost.connection.process import ConnectionProcess
from qehost.errors import ConnectError, ConnectionLost, JournalError, TransportError
from qehost.events.codec import decode_events
from qehost.messages import AnyEvent, ConnectedEvent
from qehost.network import dial as dial_module
from qehost.processes import account_api as account_api_module
from qehost.processes.control import ConnectionTask, Refused, Stop
from qehost.processes.logs import LogSettings
from qehost.rest import API
from qehost.rest import http as http_module
from qehost.rest.http import HttpReply
from qehost.secret import Secret
from qehost.storage import boot_id as boot_id_module
from qehost.storage import checkpoint as checkpoint_module
from qehost.storage.journal import high_water, layout

from .story import End, Story
from .venue import Push, Seen, Venue

__all__ = ["Heard", "Told", "listen"]

MONOTONIC = 10_000.0
"""Seconds that the monotonic clock shows at the time 0."""
QUIET = 40_000
"""ms at the end in which nothing happens any more."""
SETTLED = 12_000
"""ms after an opening until REST has been read a second time."""
AFTERMATH = 15_000
"""ms after a disk has room again in which turns matter."""
PATIENCE = 900_000
"""ms after which qehost must have read what it missed."""
TURNS = 20_000


class Told(msgspec.Struct):
    """An event, when it was told (true time, ms) and in which run of qehost, from 0."""

    event: AnyEvent
    at: float
    run: int


class Heard(msgspec.Struct):
    """What qehost was given to know."""

    opened: list[float] = []
    """When a stream was opened."""
    pushed: list[tuple[float, Push]] = []
    shown: list[tuple[float, Seen]] = []
    """By REST."""
    runs: list[float] = []
    """When each run began."""
    fresh: list[int] = []
    """Runs that began without a memory."""
    refused: list[str] = []
    unread: bool = False
    """Whether at the end REST was still to be asked."""


class _Killed(BaseException):
    pass


def listen(story: Story, folder: Path, venue: Venue | None = None) -> tuple[list[Told], Heard]:
    """What qehost tells of a story.  `folder` is its state folder: new, and used up by this."""
    world = _World(story, venue or Venue(story), folder)
    with world.in_place():
        world.run()
    return world.told, world.heard


class _World:
    def __init__(self, story: Story, venue: Venue, folder: Path) -> None:
        self.story = story
        self.horizon = story.horizon + QUIET
        if any(outage.is_silent for outage in story.outages):
            self.horizon += int(story.style.ping_interval * 1e3)
        self.streams: list[_Stream] = []
        self.venue = venue
        self.rng = random.Random(story.seed)
        self.now = 0.0  # true time, ms
        self.ahead = 0.0  # of the thread that runs
        self.told: list[Told] = []
        self.heard = Heard()
        self.journal = _Journal(self, folder)
        self.background = _Background(self)
        self.control = _Control()
        self.selector = _Selector(self)
        self.process: ConnectionProcess | None = None
        self.end: End | None = None
        self.run_number = 0
        self.boot, self.booted = "boot 1", 0.0

    # --- runs ---------------------------------------------------------------------------------

    def run(self) -> None:
        ends: list[End | None] = [*self.story.ends, None]
        for number, end in enumerate(ends):
            self.run_number = number
            self.heard.runs.append(self.now)
            self.end = end
            if self.journal.is_empty:
                self.heard.fresh.append(number)
            self._live()
            if end is None:
                return
            self.journal.after(end)
            if end.kind == "power":
                self.boot, self.booted = f"boot {number + 2}", self.now
            self.now = max(self.now, end.until)

    def _live(self) -> None:
        self.background = _Background(self)
        self.control = _Control()
        self.selector = _Selector(self)
        self.streams.clear()
        self.journal.open()
        task = _task(self.story)
        restored = restore_module.restore(task.account, self.journal)  # type: ignore[arg-type]
        self.process = ConnectionProcess(
            task,
            self.control,  # type: ignore[arg-type]
            self.journal,  # type: ignore[arg-type]
            *restored,
        )
        with suppress(_Killed):
            self.process.run()
        if self.control.refused:
            self.heard.refused += self.control.refused

    @property
    def ends_at(self) -> float:
        """When this run ends."""
        if self.end is not None:
            return max(self.end.at, self.now)
        if self.now < self.horizon:
            return self.horizon
        client, story = self.process.client if self.process else None, self.story
        opened = max(self.heard.opened, default=0.0)
        is_settled = (
            client is not None
            and client.status == "connected"
            and not client.unread_since
            and not (story.style.credentials and client.pipeline.lacks_baseline)
            and self.now > opened + SETTLED
        )
        self.heard.unread = not is_settled
        return self.now if is_settled or self.now > self.horizon + PATIENCE else self.now + 5_000

    @property
    def is_killed(self) -> bool:
        return self.end is not None and self.end.kind != "stop" and self.now >= self.end.at

    def over(self) -> None:
        """The end of this run has come."""
        if self.end is None and self.ends_at > self.now:
            return
        self.control.stop = Stop("the story ends", 1.0)

    # --- what the program stands on --------------------------------------------------------------

    @property
    def local(self) -> float:
        """True time, as the code sees that runs now."""
        return self.now + self.ahead

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """With this world in place of the real one, in all modules of the connection and of REST.

        By what a name stands for, and not by its place: modules are split and moved.
        """
        clock = SimpleNamespace(
            time=lambda: self.story.machine_ms(self.local) / 1e3,
            time_ns=lambda: int(self.story.machine_ms(self.local) * 1e3) * 1000,
            monotonic=lambda: MONOTONIC + (self.local - self.story.asleep(self.local)) / 1e3,
        )
        chance = SimpleNamespace(Random=lambda: random.Random(self.rng.random()))
        waiting = SimpleNamespace(
            DefaultSelector=lambda: self.selector, EVENT_READ=1, EVENT_WRITE=2
        )
        instead: dict[int, Any] = {
            id(time): clock,
            id(random): chance,
            id(selectors): waiting,
            id(background_module.BackgroundCalls): lambda: self.background,
            id(stream_module.open_stream): self._open_stream,
            id(dial_module.tls_context): lambda *_: object(),
            id(http_module.Http): lambda *_, **__: _Http(self),
            id(account_api_module.account_api): lambda account, _=None: _api(account, clock.time),
        }
        checkpoint_file = checkpoint_module.CheckpointFile
        instead[id(checkpoint_file)] = lambda folder: checkpoint_file(folder, clock.monotonic)
        instead[id(boot_id_module.boot_id)] = lambda: self.boot
        instead[id(boot_id_module.booted_at)] = lambda: (
            int(self.story.machine_ms(self.booted)) * 10**6
        )
        small = self.story.style.short_memory
        names = [
            *((module, name, instead[id(value)]) for module, name, value in _names(tuple(instead))),
            (process_module, "REPORT_EVERY", _ReportEvery(self)),
            (restore_module, "REMEMBER", 12 if small else 20_000),
            (restore_module, "REMEMBER_AT_MOST", 24 if small else 100_000),
            (checkpoint_module, "EVERY", 6 if small else 20_000),
            (checkpoint_module, "EVERY_AT_LOAD", 12 if small else 100_000),
        ]
        before = [(module, name, getattr(module, name)) for module, name, _ in names]
        for module, name, value in names:
            setattr(module, name, value)
        try:
            yield
        finally:
            for module, name, value in before:
                setattr(module, name, value)

    def _open_stream(self, *_: Any, **__: Any) -> _Stream:
        self.ahead += 30.0
        if self.story.is_down(self.local):
            raise ConnectError("no connection: the venue is down", "ws://venue")
        self.streams.append(_Stream(self, self.local))
        return self.streams[-1]

    def key_made(self) -> None:
        for stream in self.streams:
            stream.end_key(self.local, self.story.style.is_strict)


@cache
def _names(replaced: tuple[int, ...]) -> list[tuple[ModuleType, str, Any]]:
    """The global names of the connection and of REST that stand for what is to be replaced."""
    return [
        (module, name, value)
        for place, module in list(sys.modules.items())
        if place.startswith(("qehost.connection.", "qehost.rest.", "qehost.storage.checkpoint"))
        for name, value in vars(module).items()
        if id(value) in replaced and not name.startswith("__")
    ]


def _task(story: Story) -> ConnectionTask:
    style = story.style
    account = AccountSettings(
        ws_url="ws://venue",
        rest_url="http://venue",
        protocol=style.protocol,  # type: ignore[arg-type]
        api_key=Secret("key-of-the-story") if style.credentials else None,
        api_secret=Secret("secret-of-the-story") if style.credentials else None,
        listen_key=None if style.credentials else Secret("5" * 32),
        proxy=Secret("none"),
    )
    connection = ConnectionSettings(ping_interval=style.ping_interval, mute_after=style.mute_after)
    return ConnectionTask(
        "main", account, connection, JournalSettings(), HostSettings(), "", LogSettings()
    )


def _api(account: AccountSettings, clock: Callable[[], float]) -> API:
    return API(
        account.api_key, account.api_secret, account.rest_url, proxy=account.proxy, clock=clock
    )


class _ReportEvery(float):
    """Seconds between two reports.

    Turns without an event cost time, and matter only where something is written again: while a disk
    is full, and shortly after.
    """

    _world: _World

    def __new__(cls, world: _World) -> _ReportEvery:
        every = super().__new__(cls, 1.0)
        every._world = world
        return every

    def __radd__(self, now: float) -> float:
        at = self._world.local
        left = [disk for disk in self._world.story.disks if at < disk.until + AFTERMATH]
        if not left:
            return now + 1e9
        return now + max(1.0, (min(disk.at for disk in left) - at) / 1e3)


class _Control:
    """The supervisor."""

    def __init__(self) -> None:
        self.stop: Stop | None = None
        self.refused: list[str] = []

    def poll(self) -> bool:
        return self.stop is not None

    def receive(self) -> Stop | None:
        stop, self.stop = self.stop, None
        return stop

    def send(self, message: Any) -> None:
        if isinstance(message, Refused):
            self.refused.append(repr(message))


class _Selector:
    """Waits, which is what lets time pass."""

    def __init__(self, world: _World) -> None:
        self._world = world
        self._data: dict[Any, Any] = {}
        self._turns = 0

    def register(self, file: Any, _: int, data: Any) -> None:
        self._data[file] = data
        if isinstance(file, _Stream):
            self._world.heard.opened.append(file.opened)

    def unregister(self, file: Any) -> None:
        del self._data[file]

    def select(self, timeout: float | None) -> list[tuple[Any, int]]:
        world = self._world
        self._turns += 1
        if self._turns > TURNS:
            raise AssertionError("the loop turns without end")
        # As epoll, which waits for whole milliseconds.
        until = 1e18 if timeout is None else world.now + (timeout and max(timeout, 1e-3)) * 1e3
        for sleep in world.story.sleeps:
            if world.now <= sleep.at < until:
                until += sleep.until - sleep.at
        streams = [file for file in self._data if isinstance(file, _Stream)]
        times = [stream.next_at() for stream in streams]
        times.append(world.background.next_at())
        ends_at = world.ends_at
        world.now = max(world.now, min([until, ends_at, *times]))
        for sleep in world.story.sleeps:
            if sleep.at < world.now < sleep.until:
                world.now = sleep.until
        if world.is_killed:
            raise _Killed
        ready: list[Any] = [stream for stream in streams if stream.next_at() <= world.now]
        if world.background.next_at() <= world.now:
            ready.append(world.background)
        if not ready and world.now >= ends_at:
            world.over()
            if world.control.stop:
                ready.append(world.control)
        world.rng.shuffle(ready)
        return [(selectors.SelectorKey(file, 0, 1, self._data[file]), 1) for file in ready]


class _Background:
    """Threads."""

    def __init__(self, world: _World) -> None:
        self._world = world
        self._results: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.running = 0

    def run(
        self,
        _: str,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        world = self._world
        before, world.ahead = world.ahead, world.ahead + 1.0
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - as the threads do
            outcome = _bind(failed, error)
        else:
            outcome = _bind(done, result)
        at, world.ahead = world.local, before
        self._count += 1
        heapq.heappush(self._results, (at, self._count, outcome))

    def next_at(self) -> float:
        return self._results[0][0] if self._results else 1e18

    def collect(self) -> None:
        while self._results and self._results[0][0] <= self._world.now:
            heapq.heappop(self._results)[2]()

    def close(self) -> None:
        self._results.clear()


def _bind(function: Callable[[Any], None], argument: Any) -> Callable[[], None]:
    return lambda: function(argument)


class _Stream:
    """An open stream, since `opened`."""

    address = "ws://venue/api/ws/v2"

    def __init__(self, world: _World, opened: float) -> None:
        self._world = world
        self.bytes_received = 0
        outages = [outage for outage in world.story.outages if outage.at >= opened]
        outage = min(outages, key=lambda outage: outage.at, default=None)
        self._ends: float = 1e18 if outage is None else outage.at
        self._is_silent = outage is None or outage.is_silent
        self._why = ("the venue closed the connection", 1001)
        begins = opened + world.story.style.late_stream
        self._items: list[tuple[float, Push | Pong]] = [
            (push.arrives, push)
            for push in world.venue.pushes
            if begins <= push.sent and push.arrives < self._ends
        ]
        self.opened = opened

    def next_at(self) -> float:
        """When there is something to receive."""
        if self._items:
            return self._items[0][0]
        return 1e18 if self._is_silent else self._ends

    def pending(self) -> bool:
        return False

    def receive(self) -> list[Item]:
        items = self._take(self._world.now)
        if not items and self.next_at() <= self._world.now:
            raise ConnectionLost(*self._why)
        return items

    def end_key(self, at: float, is_strict: bool) -> None:
        """A newer key was made: the venue sends nothing any more."""
        self._items = [
            (when, item) for when, item in self._items if isinstance(item, Pong) or item.sent < at
        ]
        if is_strict and at + 50 < self._ends:
            self._ends, self._is_silent = at + 50, False
            self._items = [(when, item) for when, item in self._items if when < self._ends]
            self._why = ("the venue closed the connection: another listen key", 1008)

    def _take(self, until: float) -> list[Item]:
        items: list[Item] = []
        while self._items and self._items[0][0] <= until:
            _, item = self._items.pop(0)
            if isinstance(item, Push):
                self._world.heard.pushed.append((self._world.now, item))
                items.append(item.text)
            else:
                items.append(item)
        self.bytes_received += len(items)
        return items

    def send_ping(self) -> None:
        at = self._world.now + 40
        if at < self._ends:
            self._items.append((at, Pong(b"")))
            self._items.sort(key=lambda each: each[0])

    def close(self, code: int = 1000, reason: str = "", *, timeout: float = 2.0) -> list[Item]:
        self._world.ahead += 30.0
        items = self._take(self._world.local)
        self.bytes_received += self._world.local < self._ends  # the venue's close frame
        return items

    def abort(self) -> None:
        return


class _Http:
    """The answers of REST."""

    address = "http://venue"

    def __init__(self, world: _World) -> None:
        self._world = world
        self.timeout = 10.0

    def check_process(self) -> None:
        return

    def close(self) -> None:
        return

    def pause(self, seconds: float) -> bool:
        self._world.ahead += seconds * 1e3
        return True

    def send(self, method: str, path: str, query: Secret, body: str | None = None) -> HttpReply:
        world = self._world
        latency = world.rng.uniform(20, world.story.style.rest_latency)
        there = world.rng.uniform(0.1, 0.9) * latency
        world.ahead += there
        if world.story.is_down(world.local, rest=True):
            world.ahead += 1_000
            raise TransportError("no answer: the venue is down", self.address)
        fields = {name: values[0] for name, values in parse_qs(query.reveal()).items()}
        answer = self._answer(method, path, fields)
        world.ahead += latency - there
        return HttpReply(200, {}, answer.encode())

    def _answer(self, method: str, path: str, query: dict[str, str]) -> str:
        world = self._world
        now_ms = int(world.story.venue_ms(world.local))
        if path == "/timestamp":
            return _enveloped(f'{{"serverTimeMilli":{now_ms}}}', now_ms)
        if abs(int(query["timestamp"]) - now_ms) > 5_000:
            return (
                f'{{"code":-1021,"reason":"TIMESTAMP","message":"timestamp","serverTime":{now_ms}}}'
            )
        if path.endswith("listen-key"):
            style = world.story.style
            expires = now_ms // 1000 + style.key_life
            expires *= 1000 if style.key_in_ms else 1
            world.key_made()
            return _enveloped(
                f'{{"listenKey":"{"5" * 32}","expireAt":"{expires}","success":true,"message":""}}',
                now_ms,
            )
        kind = path.rpartition("/")[2]
        assert kind in ("master-orders", "order-fills"), path
        text = world.venue.list(kind, query, world.local, self._show)
        return _enveloped(text, now_ms)

    def _show(self, seen: Seen) -> None:
        self._world.heard.shown.append((self._world.local, seen))


def _enveloped(text: str, now_ms: int) -> str:
    return f'{{"code":200,"message":{text},"reason":"","traceId":"t","serverTime":{now_ms}}}'


class _Journal:
    """What was journalled, in the journal's own format, without the thread that maintains it."""

    def __init__(self, world: _World, folder: Path) -> None:
        self._world = world
        self.folder = folder
        self._records: list[tuple[bytes, tuple[int, int, int, int]]] = []
        self._last_seq = 0
        self.durability = "process"
        self.journal_id = ""
        self.left_at = 0
        self._before: tuple[int, int, dict[str, bytes]] = (0, 0, {})  # as this run began

    def open(self) -> None:
        """Write what there is to read at a start."""
        self.journal_id = f"{self._world.run_number + 1:016x}"
        self.folder.mkdir(exist_ok=True)
        for path in layout.segments(self.folder):
            path.unlink()
        mark = b"8 bytes."
        if self._records:
            parts = [layout.header_of(mark)]
            for events, numbers in self._records:
                parts += (layout.head_of(mark, events, *numbers), events)
            layout.next_path(self.folder).write_bytes(b"".join(parts))
        if self._last_seq:
            content = high_water.RECORD.pack(self._last_seq, ~self._last_seq)
            (self.folder / high_water.NAME).write_bytes(content)
        if self._world.end is not None and self._world.end.kind == "copy":
            files = {path.name: path.read_bytes() for path in self.folder.iterdir()}
            self._before = (len(self._records), self._last_seq, files)

    @property
    def is_empty(self) -> bool:
        """Whether it does not say that the stream was ever listened to."""
        return not any(
            isinstance(event, ConnectedEvent)
            for events, _ in self._records
            for event in decode_events(events)
        )

    def last_seq(self) -> int:
        return self._last_seq

    @property
    def problem(self) -> JournalError | None:
        now = self._world.now
        if any(disk.at <= now < disk.until for disk in self._world.story.disks):
            return JournalError(str(self.folder), "the disk is full")
        return None

    def append(
        self, events: bytes, first_seq: int, last_seq: int, first_at: int, last_at: int
    ) -> None:
        world = self._world
        world.told += [
            Told(event, world.now, world.run_number)
            for event in decode_events(events, self.journal_id)
        ]
        self._last_seq = last_seq
        self.left_at = int(world.story.machine_ms(world.now) * 1e6)
        if problem := self.problem:
            raise problem
        self._records.append((events, (first_seq, last_seq, first_at, last_at)))

    def after(self, end: End) -> None:
        """What an end does to it."""
        if end.kind in ("tail", "power"):
            del self._records[len(self._records) - min(end.lost, len(self._records)) :]
        if end.kind == "power":
            self._last_seq = self._records[-1][1][1] if self._records else 0
        elif end.kind == "wipe":
            self._records.clear()
            self._last_seq = 0
            shutil.rmtree(self.folder)
        elif end.kind == "copy":
            count, self._last_seq, files = self._before
            del self._records[count:]
            # While the other one is still there: the system gives it other numbers.
            copied = self.folder.with_name("copied")
            copied.mkdir()
            for name, content in files.items():
                (copied / name).write_bytes(content)
            shutil.rmtree(self.folder)
            copied.rename(self.folder)
