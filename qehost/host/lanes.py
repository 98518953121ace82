"""Hooks of plugins that use asyncio: one loop in the main thread, one task for each such plugin.

The process's wait is the loop's run; between two slices of events the loop gets one pass.  The
plain plugins are called while no loop runs, and never wait for a coroutine.

A hook of such a plugin is called in its lane: a task that lives from `on_start` to `on_stop`, since
what clients and task groups enter in one hook they leave in another.  A call that does not end in
one pass of the loop raises `Suspended`, and the plugin steps aside as after a `Retry`: its position
holds, and it is called no more.  When the call has ended in its lane, the event comes again for
what had not returned, and this time the call returns, or raises, what the coroutine did.

Only a process with such a plugin imports this module, and asyncio.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import selectors
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cached_property
from typing import Any

from qehost.host.arguments import HOOKS, NAMES, ON_STOP
from qehost.host.call_table import Implementation
from qehost.host.waiting import Suspended
from qehost.messages import Event

__all__ = ["Lane", "Lanes"]

log = logging.getLogger("qehost.host")

GRACE = 5.0
"""Seconds for a call to end after it was cancelled."""
KEPT = 100
"""Calls that have ended and have not come again yet, such as those of a dead letter."""

Key = tuple[object, ...]


class LaneCall:
    """One call of a hook in its lane."""

    def __init__(
        self, hook: int, seq: int, account: str, function: Callable[..., Any], values: Sequence[Any]
    ) -> None:
        self.hook = hook
        self.seq = seq
        self.account = account
        self.since = time.monotonic()
        self.done = False
        self.error: BaseException | None = None
        self.coroutine: Any = None
        self.overdue = ""
        """Where it waited when it was cancelled for taking too long."""
        self.cancelled_at = 0.0
        self.was_cancelled = False
        """By us, and the hook was told so."""
        self._function = function
        self._values = values

    def begin(self) -> Any:
        """Call the function; the awaitable that it returns, if it returns one."""
        found = self._function(*self._values)
        return found if inspect.isawaitable(found) else None

    def outcome(self) -> None:
        """Raises what the hook did."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error


class Lane:
    """The task of one plugin, number `number`."""

    def __init__(self, lanes: Lanes, plugin: str, number: int) -> None:
        self.plugin = plugin
        self.number = number
        self.running: LaneCall | None = None
        self._lanes = lanes
        self._calls: dict[Key, LaneCall] = {}
        """Those that have begun and whose outcome nobody has asked for."""
        self._next: asyncio.Future[LaneCall] | None = None
        self._task: asyncio.Task[None] | None = None
        self.cancels = False
        """It was cancelled by us, and has not noticed yet, or its hook has not ended."""

    # --- called by the dispatcher, while no loop runs ------------------------------------------

    def call(
        self, hook: int, key: Key, event: Event | None, function: Callable[..., Any],
        values: Sequence[Any],
    ) -> None:  # fmt: skip
        """Make a call, or return what one has come to that was begun before.

        Raises `Suspended` while it, or another one, is going on.
        """
        if (known := self._calls.get(key)) is not None:
            if not known.done:
                raise Suspended(known)
            del self._calls[key]
            known.outcome()
            return
        if hook == ON_STOP:
            self._cancel_running()
        if self.running is not None:
            raise Suspended(self.running)
        seq, account = (0, "") if event is None else (event.seq, event.account)
        call = self._begin(LaneCall(hook, seq, account, function, values))
        if hook == ON_STOP or self._lanes.blocking:
            self._lanes.run_until(lambda: call.done, None)
        if call.done:
            call.outcome()
            return
        if len(self._calls) >= KEPT:
            del self._calls[next(iter(self._calls))]
        self._calls[key] = call
        raise Suspended(call)

    def _begin(self, call: LaneCall) -> LaneCall:
        if self._task is None:
            loop = self._lanes.loop
            self._task = loop.create_task(self._serve(), name=f"qehost plugin {self.plugin}")
            self._lanes.step()
        self.running = call
        while self._next is None or self._next.done():
            # It was cancelled just now, and has not noticed yet.
            if self._task.done():
                raise RuntimeError("the plugin's task has ended")
            self._lanes.step()
        self._next.set_result(call)
        self._next = None
        self._lanes.step()
        return call

    def _cancel_running(self) -> None:
        if (call := self.running) is not None:
            call.overdue = "the process ends"
            self._cancel()
            self._lanes.run_until(lambda: call.done, GRACE)

    # --- in the loop -----------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            self._next = self._lanes.loop.create_future()
            try:
                call = await self._next
            except asyncio.CancelledError:
                if self._lanes.closing:
                    raise
                self._uncancel()
                if self.cancels:
                    self.cancels = False  # the call ended just then
                else:
                    # A child has failed of a task group that is held open from hook to hook.
                    log.error("plugin %s: its task was cancelled between two hooks", self.plugin)
                continue
            await self._make(call)
            call.done = True
            self.running = None
            self._lanes.loop.stop()

    async def _make(self, call: LaneCall) -> None:
        try:
            # The first step is recorded by the dispatcher, which makes it.
            if (found := call.begin()) is not None:
                call.coroutine = found
                await _Recorded(found, self, call)
        # As of a plain hook: whatever it raises is a failure of the plugin.
        except BaseException as error:  # noqa: BLE001
            call.error = error
        finally:
            call.coroutine = None
        if call.was_cancelled:
            # Whatever the hook made of it: the next one must not be taken for cancelled.
            self.cancels = False
            self._uncancel()
            if call.error is None or isinstance(call.error, asyncio.CancelledError):
                # Also if it returned: nothing says that it did its work.
                call.error = TimeoutError(call.overdue)
        elif isinstance(call.error, asyncio.CancelledError):
            self._uncancel()

    def _cancel(self) -> None:
        self.cancels = True
        if self._task is not None:
            self._task.cancel()

    def _uncancel(self) -> None:
        while self._task is not None and self._task.cancelling():
            self._task.uncancel()

    def cancel_late(self, hang_timeout: float, now: float) -> None:
        """Cancel a call that takes too long; what does not end then ends the process."""
        call = self.running
        if call is None or now - call.since < hang_timeout:
            return
        if not call.cancelled_at:
            call.cancelled_at = now
            where = where_it_waits(call.coroutine)
            call.overdue = f"cancelled after {now - call.since:.1f} s (host.hang_timeout)" + (
                f"; it waited {where}" if where else ""
            )
            self._cancel()
        elif now - call.cancelled_at > GRACE:
            log.critical(
                "plugin %s: %s does not end though it was cancelled, so its process does",
                self.plugin,
                NAMES[call.hook],
            )
            self._lanes.enter(self.number, call)
            os._exit(1)


class _Recorded:
    """A coroutine, each step of which is recorded as a call of its plugin."""

    def __init__(self, inner: Any, lane: Lane, call: LaneCall) -> None:
        self._inner = inner
        self._lane = lane
        self._call = call

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._inner.__await__()
        lanes, number, call = self._lane._lanes, self._lane.number, self._call
        send: Callable[..., Any] = steps.send
        given: tuple[Any, ...] = (None,)
        while True:
            lanes.enter(number, call)
            before = time.perf_counter_ns()
            try:
                waited_for = send(*given)
            except StopIteration as stop:
                return stop.value
            finally:
                lanes.leave(number, call.hook, time.perf_counter_ns() - before)
            try:
                given, send = ((yield waited_for),), steps.send
            # A cancellation, which the coroutine is to have.
            except BaseException as error:  # noqa: BLE001
                if isinstance(error, asyncio.CancelledError) and self._lane.cancels:
                    call.was_cancelled = True
                given, send = (error,), steps.throw


class Lanes:
    """The loop of a process, and the lanes of the plugins that need one.

    `blocking`: a call returns when it has ended, as in tests and replays, where nobody else waits.
    `enter`, `leave` and `account` are those of a `CallRecorder`; `slow` is called with plugin, hook
    and nanoseconds after each step of a coroutine.
    """

    def __init__(
        self,
        *,
        blocking: bool = False,
        enter: Callable[[int, int, int], object] = lambda *_: None,
        leave: Callable[[], object] = lambda: None,
        account: Callable[[str], object] = lambda _: None,
        slow: Callable[[int, int, int], object] = lambda *_: None,
    ) -> None:
        self.blocking = blocking
        self.closing = False
        self.lanes: dict[str, Lane] = {}
        self._enter = enter
        self._leave = leave
        self._account = account
        self.slow = slow

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    def wrapped(
        self,
        implementations: Mapping[str, Sequence[Implementation]],
        plugins: Sequence[str],
        names: Sequence[str],
    ) -> dict[str, tuple[Implementation, ...]]:
        """All hooks of these plugins, called in their lanes; `names` are those of all."""
        for plugin in plugins:
            if plugin not in self.lanes:
                self.lanes[plugin] = Lane(self, plugin, names.index(plugin))
        return {
            hook: tuple(
                self._wrapped(hook, each) if each.plugin in self.lanes else each for each in found
            )
            for hook, found in implementations.items()
        }

    def _wrapped(self, hook: str, found: Implementation) -> Implementation:
        lane, number = self.lanes[found.plugin], NAMES.index(hook)
        # What says which call it is goes along, and not on to a plugin that does not want it.
        about = next((name for name in ("events", "event") if name in HOOKS[hook]), "")
        arguments, wanted = found.arguments, len(found.arguments)
        place = wanted
        if about in arguments:
            place = arguments.index(about)
        elif about:
            arguments = (*arguments, about)

        def call(*values: Any) -> None:
            subject: Any = values[place] if about else None
            event: Event | None = subject[0] if about == "events" else subject
            key: Key = (number,)
            if event is not None:
                last = subject[-1].seq if about == "events" else 0
                key = number, event.account, event.seq, last
            lane.call(number, key, event, found.function, values[:wanted])

        return Implementation(found.plugin, call, arguments)

    # --- while no loop runs --------------------------------------------------------------------

    def _run(self) -> None:
        """Run the loop until it is stopped."""
        while True:
            try:
                self.loop.run_forever()
            # sys.exit() in a task that a plugin left running.  Neither can come from elsewhere.
            except (SystemExit, KeyboardInterrupt) as error:
                log.error("a task of a plugin raised %r", error)
            else:
                return

    def step(self) -> None:
        """One pass: what can go on does."""
        self.loop.call_soon(self.loop.stop)
        self._run()

    def wait(self, selector: selectors.BaseSelector, seconds: float) -> None:
        """Run until `selector` has something, a call has ended, or so many seconds are over."""
        if seconds <= 0.0:
            self.step()
            return
        descriptor = selector.fileno()  # type: ignore[attr-defined]  # an epoll or a kqueue
        self.loop.add_reader(descriptor, self.loop.stop)
        over = self.loop.call_later(seconds, self.loop.stop)
        try:
            self._run()
        finally:
            over.cancel()
            # It would stop a later run as well.
            self.loop.remove_reader(descriptor)

    def run_until(self, is_so: Callable[[], object], seconds: float | None) -> None:
        """Run until something is so, or for so many seconds."""
        until = None if seconds is None else time.monotonic() + seconds
        while not is_so() and (until is None or time.monotonic() < until):
            over = self.loop.call_later(0.05, self.loop.stop)
            self._run()
            over.cancel()

    def cancel_late(self, hang_timeout: float) -> None:
        """To be called about once a second."""
        now = time.monotonic()
        for lane in self.lanes.values():
            lane.cancel_late(hang_timeout, now)

    def close(self, seconds: float = 1.0) -> None:
        """End the lanes, and what the plugins have left running in the loop."""
        if "loop" not in vars(self) or self.loop.is_closed():
            return
        self.closing = True
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.run_until(lambda: all(task.done() for task in left), seconds)
        for task in left:
            # Asked for, so that the loop does not complain of it.
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                log.warning("a task that a plugin left running: %r", error)
        for last in (self.loop.shutdown_asyncgens(), self.loop.shutdown_default_executor()):
            ending = self.loop.create_task(last)
            self.run_until(ending.done, seconds)
            if not ending.done():
                # A thread of a plugin still runs, which would miss the loop.
                return
        self.loop.close()

    # --- what is recorded ------------------------------------------------------------------------

    def enter(self, number: int, call: LaneCall) -> None:
        if call.account:
            self._account(call.account)
        self._enter(number, call.hook, call.seq)

    def leave(self, number: int, hook: int, took: int) -> None:
        self._leave()
        self.slow(number, hook, took)


def where_it_waits(coroutine: Any) -> str:
    """The lines at which a coroutine and those that it awaits stand, from the outside in."""
    lines = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            name = os.path.basename(frame.f_code.co_filename)
            lines.append(f"in {frame.f_code.co_name} ({name}:{frame.f_lineno})")
        inner = getattr(coroutine, "cr_await", None)
        coroutine = inner if inner is not None else getattr(coroutine, "gi_yieldfrom", None)
    return " ".join(lines)
