"""Events for a coroutine, one by one, and how many of them it is through with."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from qehost.host.delivery import ConsumerClosed
from qehost.messages import StatusEvent
from qehost.service.async_bridge import AsyncBridge, in_a_thread

EVENTS = [StatusEvent(n, "main", "", 0, "stream", False, "", str(n)) for n in range(1, 6)]


def delivering(bridge: AsyncBridge) -> Future[None]:
    """What becomes of a delivery of all events, in a thread of its own."""
    outcome: Future[None] = Future()

    def deliver() -> None:
        try:
            outcome.set_result(bridge.deliver(EVENTS))
        except ConsumerClosed as error:
            outcome.set_exception(error)

    threading.Thread(target=deliver, daemon=True).start()
    return outcome


def test_a_slice_is_delivered_when_the_coroutine_comes_back_for_more() -> None:
    async def program() -> None:
        bridge = AsyncBridge()
        outcome = delivering(bridge)
        events = aiter(bridge.events())
        for expected in EVENTS:
            assert await anext(events) is expected
            assert not outcome.done()
        more = asyncio.ensure_future(anext(events))
        await asyncio.wrap_future(outcome)
        bridge.stop()
        with pytest.raises(StopAsyncIteration):
            await more
        with pytest.raises(ConsumerClosed):
            bridge.deliver(EVENTS)

    asyncio.run(program())


@pytest.mark.parametrize(("taken", "numbers"), [(0, (0, 0)), (1, (0, 1)), (3, (2, 3)), (5, (4, 5))])
def test_a_stop_says_what_the_coroutine_is_through_with_and_what_it_has_begun(
    taken: int, numbers: tuple[int, int]
) -> None:
    async def program() -> None:
        bridge = AsyncBridge()
        outcome = delivering(bridge)
        events = aiter(bridge.events())
        for _ in range(taken):
            await anext(events)
        bridge.stop()
        with pytest.raises(ConsumerClosed) as caught:
            await asyncio.wrap_future(outcome)
        assert (caught.value.done, caught.value.begun) == numbers
        # What it comes back for now counts for nothing any more.
        with pytest.raises(StopAsyncIteration):
            await anext(events)

    asyncio.run(program())


def test_a_loop_that_was_closed_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qehost.service.async_bridge.LOOK_EVERY", 0.01)
    loop = asyncio.new_event_loop()

    async def take() -> tuple[AsyncBridge, Future[None], object]:
        bridge = AsyncBridge()
        outcome = delivering(bridge)
        events = bridge.events()
        await anext(aiter(events))
        return bridge, outcome, events

    bridge, outcome, events = loop.run_until_complete(take())
    assert not bridge.is_gone()
    loop.close()
    error = outcome.exception(60)
    assert isinstance(error, ConsumerClosed)
    assert (error.done, error.begun) == (0, 1)
    assert bridge.is_gone()
    with pytest.raises(ConsumerClosed):
        bridge.deliver(EVENTS)
    del events


def test_work_in_a_thread_of_its_own_waits_for_no_executor() -> None:
    release = threading.Event()

    async def program(work: Callable[[], object]) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        loop.run_in_executor(None, release.wait)
        await in_a_thread(work)
        release.set()

    done: list[int] = []
    asyncio.run(program(lambda: done.append(1)))
    assert done == [1]
