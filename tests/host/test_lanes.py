"""A hook that is a coroutine runs in a lane, and its call comes again when it has ended."""

from __future__ import annotations

import asyncio
import contextvars
import selectors
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest
from plugin_bench import event

from qehost.errors import Retry
from qehost.host.dispatch import Dispatcher, Implementation
from qehost.host.lanes import Lanes, where_it_waits
from qehost.host.returned_hooks import Held
from qehost.host.waiting import Suspended
from qehost.messages import Event


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    lanes = Lanes()
    yield lanes
    lanes.close()


class Bench:
    """A dispatcher with one plugin, whose `on_status` is a coroutine."""

    def __init__(self, lanes: Lanes, **hooks: object) -> None:
        self.lanes = lanes
        self.held: list[Held] = []
        self.failed: list[BaseException] = []
        wanted = {"on_status": ("event",), "on_batch": ("events",), "on_stop": (), "on_tick": ()}
        found = {
            hook: [Implementation("sink", function, wanted[hook])]  # type: ignore[arg-type]
            for hook, function in hooks.items()
        }
        self.dispatcher = Dispatcher(
            ["sink"],
            lanes.wrapped(found, ["sink"], ["sink"]),
            retries=self.held.append,
            failures=lambda plugin, hook, event, error: self.failed.append(error),
        )

    def deliver(self, *events: Event) -> Suspended | Retry | None:
        """What it raised to be called again, if it did."""
        self.dispatcher.deliver(events, self.dispatcher.table(["sink"]))  # type: ignore[arg-type]
        return self.held.pop().error if self.held else None

    def until_done(self, suspended: object) -> None:
        assert isinstance(suspended, Suspended)
        self.lanes.run_until(lambda: suspended.call.done, 30.0)
        assert suspended.call.done


def test_what_ends_at_once_is_as_a_plain_call(lanes: Lanes) -> None:
    got: list[int] = []

    async def on_status(event: Event) -> None:
        got.append(event.seq)

    bench = Bench(lanes, on_status=on_status)
    assert bench.deliver(event(1), event(2)) is None
    assert got == [1, 2]


def test_a_call_that_goes_on_comes_again_when_it_has_ended_and_is_one_call(lanes: Lanes) -> None:
    got: list[int] = []

    async def on_status(event: Event) -> None:
        await asyncio.sleep(0.01)
        got.append(event.seq)

    bench = Bench(lanes, on_status=on_status)
    suspended = bench.deliver(event(1))
    assert isinstance(bench.deliver(event(1)), Suspended)
    assert got == []
    bench.until_done(suspended)
    assert bench.deliver(event(1)) is None
    assert got == [1]
    (did,) = bench.dispatcher.statistics()
    assert did.calls == 1


def test_what_it_raises_is_raised_by_the_call_that_comes_again(lanes: Lanes) -> None:
    async def on_status(event: Event) -> None:
        await asyncio.sleep(0)
        if event.seq == 1:
            raise Retry(5, "no database")
        raise SystemExit("no")

    bench = Bench(lanes, on_status=on_status)
    bench.until_done(bench.deliver(event(1)))
    again = bench.deliver(event(1))
    assert isinstance(again, Retry)
    assert not isinstance(again, Suspended)
    # After a Retry it is a new call.
    assert isinstance(bench.deliver(event(1)), Suspended)
    bench.lanes.run_until(lambda: bench.lanes.lanes["sink"].running is None, 30.0)
    bench.deliver(event(1))
    bench.until_done(bench.deliver(event(2)))
    assert bench.deliver(event(2)) is None
    assert [type(error) for error in bench.failed] == [SystemExit]


def test_all_hooks_of_a_plugin_run_in_one_task_with_one_context(lanes: Lanes) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    tasks: list[object] = []

    async def on_status(event: Event) -> None:
        tasks.append(asyncio.current_task())
        if event.seq > 1:
            assert variable.get() == event.seq - 1
        variable.set(event.seq)
        await asyncio.sleep(0)

    def on_stop() -> None:
        tasks.append(asyncio.current_task())

    bench = Bench(lanes, on_status=on_status, on_stop=on_stop)
    for seq in (1, 2):
        bench.until_done(bench.deliver(event(seq)))
        bench.deliver(event(seq))
    bench.dispatcher.stop("the end")
    assert bench.failed == []
    assert len(set(tasks)) == 1
    assert len(tasks) == 3


def test_a_plain_hook_may_run_a_loop_of_its_own_meanwhile(lanes: Lanes) -> None:
    async def on_status(event: Event) -> None:
        await asyncio.sleep(0.01)

    bench = Bench(lanes, on_status=on_status)
    suspended = bench.deliver(event(1))
    asyncio.run(asyncio.sleep(0))
    bench.until_done(suspended)
    assert bench.deliver(event(1)) is None


def test_what_takes_too_long_is_cancelled_with_the_line_where_it_waited(lanes: Lanes) -> None:
    async def inner() -> None:
        await asyncio.Event().wait()

    async def on_status(event: Event) -> None:
        if event.seq == 1:
            await inner()

    bench = Bench(lanes, on_status=on_status)
    suspended = bench.deliver(event(1))
    lanes.cancel_late(3600.0)
    assert isinstance(bench.deliver(event(1)), Suspended)
    lanes.cancel_late(0.0)
    bench.until_done(suspended)
    assert bench.deliver(event(1)) is None
    (error,) = bench.failed
    line = inner.__code__.co_firstlineno + 1
    assert isinstance(error, TimeoutError)
    assert f"in inner (test_lanes.py:{line})" in str(error)
    # And its lane goes on.
    assert bench.deliver(event(2)) is None


async def swallow() -> None:
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


async def translate() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise OSError("gone") from None


@pytest.mark.parametrize(
    ("makes_of_it", "due"),
    [(swallow, TimeoutError), (translate, OSError)],
    ids=["swallowed", "translated"],
)
def test_whatever_a_hook_makes_of_its_cancellation_it_failed_and_the_next_one_is_as_ever(
    lanes: Lanes, makes_of_it: Callable[[], Awaitable[None]], due: type[Exception]
) -> None:
    async def fail() -> None:
        raise ValueError("no")

    async def on_status(event: Event) -> None:
        if event.seq == 1:
            await makes_of_it()
        elif event.seq == 2:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                await asyncio.sleep(60)
        else:
            raise asyncio.CancelledError("its own")

    bench = Bench(lanes, on_status=on_status)
    for seq in (1, 2):
        suspended = bench.deliver(event(seq))
        if seq == 1:
            lanes.cancel_late(0.0)
        bench.until_done(suspended)
        assert bench.deliver(event(seq)) is None
    bench.deliver(event(3))
    kinds = [type(error) for error in bench.failed]
    assert kinds == [due, ExceptionGroup, asyncio.CancelledError]


def test_a_task_group_whose_child_fails_is_the_plugins_failure(lanes: Lanes) -> None:
    async def fail() -> None:
        raise ValueError("no")

    async def on_status(event: Event) -> None:
        if event.seq == 1:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                await asyncio.sleep(60)

    bench = Bench(lanes, on_status=on_status)
    bench.until_done(bench.deliver(event(1)))
    assert bench.deliver(event(1)) is None
    assert [type(error) for error in bench.failed] == [ExceptionGroup]
    assert bench.deliver(event(2)) is None


def test_at_the_end_what_goes_on_is_cancelled_and_then_on_stop_is_called(lanes: Lanes) -> None:
    got: list[str] = []

    async def on_status(event: Event) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            got.append("cancelled")

    async def on_stop() -> None:
        await asyncio.sleep(0.01)
        got.append("stopped")

    bench = Bench(lanes, on_status=on_status, on_stop=on_stop)
    bench.deliver(event(1))
    bench.dispatcher.stop("the end")
    assert got == ["cancelled", "stopped"]


def test_a_task_that_exits_ends_no_process(lanes: Lanes, caplog: pytest.LogCaptureFixture) -> None:
    async def leave() -> None:
        raise SystemExit(1)

    async def on_status(event: Event) -> None:
        task = asyncio.create_task(leave())
        await asyncio.wait([task])

    bench = Bench(lanes, on_status=on_status)
    bench.until_done(bench.deliver(event(1)))
    assert bench.deliver(event(1)) is None
    assert "a task of a plugin raised SystemExit(1)" in caplog.text


def test_a_batch_and_what_raises_between_two_hooks(
    lanes: Lanes, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[list[int]] = []

    async def fail() -> None:
        raise ValueError("no")

    async def on_batch(events: list[Event]) -> None:
        if not got:
            group = await asyncio.TaskGroup().__aenter__()
            group.create_task(fail())
        got.append([event.seq for event in events])

    bench = Bench(lanes, on_batch=on_batch)
    assert bench.deliver(event(1), event(2)) is None
    for _ in range(3):
        lanes.step()
    assert "its task was cancelled between two hooks" in caplog.text
    assert bench.deliver(event(3)) is None
    assert got == [[1, 2], [3]]


def test_tasks_that_a_plugin_leaves_are_ended(lanes: Lanes) -> None:
    left: list[asyncio.Task[None]] = []

    async def on_status(event: Event) -> None:
        left.append(asyncio.create_task(asyncio.sleep(60)))

    bench = Bench(lanes, on_status=on_status)
    bench.deliver(event(1))
    lanes.close()
    assert left[0].cancelled()
    lanes.close()


def test_the_wait_ends_with_what_comes_and_when_a_call_has_ended(lanes: Lanes) -> None:
    async def on_status(event: Event) -> None:
        await asyncio.sleep(0.01)

    bench = Bench(lanes, on_status=on_status)
    suspended = bench.deliver(event(1))
    assert isinstance(suspended, Suspended)
    reader, writer = socket.socketpair()
    with reader, writer, selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        started = time.monotonic()
        while not suspended.call.done:
            lanes.wait(selector, 60.0)
        writer.send(b"x")
        lanes.wait(selector, 60.0)
        assert selector.select(0.0)
        assert time.monotonic() - started < 50.0
        # What has come stops no later run.
        lanes.run_until(lambda: True, 1.0)
        lanes.step()


def test_each_step_is_recorded_as_a_call_of_its_plugin() -> None:
    calls: list[tuple[object, ...]] = []
    lanes = Lanes(
        enter=lambda *call: calls.append(call),
        leave=lambda: calls.append(()),
        account=lambda name: calls.append((name,)),
    )

    async def on_status(event: Event) -> None:
        await asyncio.sleep(0)

    bench = Bench(lanes, on_status=on_status)
    bench.until_done(bench.deliver(event(7)))
    hook = calls[1][1]
    assert calls == [("main",), (0, hook, 7), ()] * 2
    lanes.close()


def test_blocking_lanes_return_when_the_call_has_ended() -> None:
    got: list[int] = []
    lanes = Lanes(blocking=True)

    async def on_status(event: Event) -> None:
        await asyncio.sleep(0.01)
        got.append(event.seq)

    bench = Bench(lanes, on_status=on_status)
    assert bench.deliver(event(1), event(2)) is None
    assert got == [1, 2]
    lanes.close()


def test_where_a_coroutine_waits_is_told_from_the_outside_in() -> None:
    async def inner() -> None:
        await asyncio.sleep(60)

    async def outer() -> None:
        await inner()

    loop = asyncio.new_event_loop()
    coroutine = outer()
    task = loop.create_task(coroutine)
    loop.call_soon(loop.stop)
    loop.run_forever()
    told = where_it_waits(coroutine)
    task.cancel()
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert told.startswith("in outer (test_lanes.py:")
    assert "in inner (test_lanes.py:" in told
