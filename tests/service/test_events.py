"""`async for event in service.events()`."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress

import pytest
from script import wait_for

from qehost.errors import GapError, ListenKeyError, ParameterArgumentError, from_problem
from qehost.messages import ErrorEvent, StatusEvent
from qehost.simulator import Venue
from qehost.storage.journal import JournalReader
from qehost.storage.state_folder import StateFolder


def status(number: int, length: int = 0) -> str:
    text = str(number).ljust(length)
    return json.dumps({"type": "status", "messageId": text, "userId": "u", "data": text})


async def first(events, count):
    """The first events of a kind that tests push; the iteration is left open."""
    taken = []
    async for event in events:
        if isinstance(event, StatusEvent):
            taken.append(int(event.message))
            if len(taken) == count:
                break
    return taken


async def known_to(venue: Venue) -> None:
    """Until the venue has its end of the stream, which may be a moment after ours."""
    while not venue.connections:
        await asyncio.sleep(0.01)


def test_events_come_in_order_with_connections_and_errors_among_them(service, venue, children):
    async def program():
        kinds = []
        async with aclosing(service.events()) as events:
            async for event in events:
                kinds.append((event.seq, event.kind))
                match event.kind:
                    case "connected" if len(kinds) == 1:
                        assert service.is_connected()
                        await known_to(venue)
                        venue.push(status(1))
                    case "status":
                        venue.push("no JSON")
                    case "error":
                        venue.drop()
                    case "connected":
                        break
        assert not service.is_connected()
        return kinds

    kinds = asyncio.run(program())
    assert kinds == list(
        enumerate(("connected", "status", "error", "disconnected", "connected"), start=1)
    )
    assert children() == []


def test_handlers_are_not_called_beside_it(service, calls, venue):
    async def program():
        async with aclosing(service.events()) as events:
            async for event in events:
                if event.kind == "connected":
                    await known_to(venue)
                    venue.push(status(1))
                else:
                    break

    asyncio.run(program())
    assert calls.calls == []


def test_a_cancellation_closes_the_stream(service, venue, children):
    async def endless():
        async for _ in service.events():
            pass

    async def program():
        task = asyncio.create_task(endless())
        while not service.is_connected():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(program())
    assert children() == []
    assert not service.is_connected()


def test_the_loop_is_not_held_up_while_the_process_ends(service, children, monkeypatch):
    # Whatever waited for its end in the loop would do so for longer than the test may take.
    monkeypatch.setattr("qehost.service.session.END_WITHIN", 1000.0)
    monkeypatch.setattr("qehost.service.process_monitor.CLOSE_WITHIN", 1000.0)

    async def program():
        beats = 0

        async def beat(pid):
            nonlocal beats
            while beats < 10:
                await asyncio.sleep(0.001)
                beats += 1
            os.kill(pid, signal.SIGCONT)

        async with aclosing(service.events()) as events:
            async for event in events:
                if event.kind == "connected":
                    break
            # One that does not end by itself is waited for.
            (pid,) = children()
            os.kill(pid, signal.SIGSTOP)
            beating = asyncio.create_task(beat(pid))
        await beating
        return beats

    assert asyncio.run(program()) == 10
    assert children() == []


def test_close_ends_the_iteration(service, venue, children):
    async def program():
        kinds = []
        async for event in service.events():
            kinds.append(event.kind)
            await asyncio.to_thread(service.close)
        return kinds

    assert asyncio.run(program()) == ["connected"]
    assert children() == []


def test_leaving_the_loop_without_aclose_closes_at_the_end_of_the_event_loop(service, children):
    async def program():
        async for _ in service.events():
            break

    asyncio.run(program())
    wait_for(lambda: not children())


def test_an_event_loop_that_was_closed_early_leaves_nothing(service, venue, children):
    loop = asyncio.new_event_loop()
    events = service.events()
    loop.run_until_complete(anext(events))
    loop.close()
    venue.push(status(1))
    wait_for(lambda: not children(), "the abandoned stream to be closed")
    with pytest.raises((RuntimeError, StopIteration)):
        events.aclose().send(None)  # asyncio can't do it any more


def test_a_slow_body_is_waited_for_and_what_does_not_fit_is_told(service_of, api, venue):
    service = service_of(api, queue_bytes=1 << 20)
    sent = 60

    async def program():
        heard, lost = [], 0
        async with aclosing(service.events()) as events:
            async for event in events:
                if event.kind == "connected":
                    await known_to(venue)
                    for number in range(1, sent + 1):
                        venue.push(status(number, 100_000))
                    # A body that takes its time, while the rest of the program goes on.
                    presence = service._session._state
                    while presence._status[0] <= sent:
                        await asyncio.sleep(0.01)
                elif isinstance(event, ErrorEvent):
                    error = from_problem(event.message)
                    assert isinstance(error, GapError)
                    lost += int(str(error).partition(" ")[0])
                else:
                    heard.append(int(event.message))
                if heard and len(heard) + lost == sent:
                    break
        return heard, lost

    heard, lost = asyncio.run(program())
    assert heard == sorted(heard)
    assert lost > 0


def test_with_a_state_folder_an_event_counts_once_the_body_is_through_with_it(
    service_of, api, venue, tmp_path
):
    async def program(until: int) -> list[tuple[int, bool]]:
        heard = []
        service = service_of(api, state_dir=tmp_path)
        async with aclosing(service.events()) as events:
            async for event in events:
                if event.kind == "connected" and event.seq == 1:
                    await known_to(venue)
                    for number in range(1, 7):
                        venue.push(status(number))
                elif event.kind == "status":
                    heard.append((int(event.message), event.redelivered))
                    if heard[-1][0] == until:
                        break
        return heard

    assert asyncio.run(program(3)) == [(1, False), (2, False), (3, False)]
    second = asyncio.run(program(6))
    # The third was in the body when the loop was left: it comes again and says so.
    assert second[0] == (3, True)
    assert [number for number, _ in second] == [3, 4, 5, 6]


class Boom(Exception):
    pass


@pytest.fixture
def push(venue, tmp_path):
    """Push messages and wait until they are in the journal: what is pushed after that comes in
    another batch."""
    with JournalReader(StateFolder(tmp_path).journal("main")) as journal:

        async def push(*numbers):
            await known_to(venue)
            for number in numbers:
                venue.push(status(number))
            while journal.last_seq() <= numbers[-1]:
                await asyncio.sleep(0.01)

        yield push


async def handle(events, push, heard, end):
    """Take messages: `end` comes in the body of the third, when six others wait in batches of
    their own.  Leaves the iteration open."""
    async for event in events:
        if event.kind == "connected" and not heard:
            await push(1, 2, 3)
        elif event.kind == "status":
            heard.append((int(event.message), event.redelivered))
            if len(heard) == 3:
                for numbers in ((4, 5), (6, 7), (8, 9)):
                    await push(*numbers)
                await end()


async def a_raise(service, push, heard):
    async def end():
        raise Boom

    with suppress(Boom):
        await handle(service.events(), push, heard, end)


async def a_raise_with_aclosing(service, push, heard):
    async def end():
        raise Boom

    with suppress(Boom):
        async with aclosing(service.events()) as events:
            await handle(events, push, heard, end)


async def a_cancellation(service, push, heard):
    reached = asyncio.Event()

    async def end():
        reached.set()
        await asyncio.sleep(3600)

    task = asyncio.create_task(handle(service.events(), push, heard, end))
    await reached.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def a_task_group_of_which_another_task_raises(service, push, heard):
    reached = asyncio.Event()

    async def end():
        reached.set()
        await asyncio.sleep(3600)

    async def boom():
        await reached.wait()
        raise Boom

    with suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(handle(service.events(), push, heard, end))
            group.create_task(boom())


async def a_close_in_the_body(service, push, heard):
    async def end():
        service.close()

    await handle(service.events(), push, heard, end)


WAYS = [
    *(a_raise, a_raise_with_aclosing, a_cancellation),
    *(a_task_group_of_which_another_task_raises, a_close_in_the_body),
]


def the_rest(service) -> list[tuple[int, bool]]:
    """What the next start brings."""
    heard = []

    async def take():
        async with aclosing(service.events()) as events:
            async for event in events:
                if event.kind == "status":
                    heard.append((int(event.message), event.redelivered))
                    if heard[-1][0] == 9:
                        return

    asyncio.run(take())
    return heard


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_was_in_the_body_and_what_waited_comes_at_the_next_start_after(
    way, service_of, api, push, tmp_path
):
    """Also where all threads of the loop's executor are at work."""
    heard: list[tuple[int, bool]] = []
    service = service_of(api, state_dir=tmp_path)
    release = threading.Event()

    async def program():
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        loop.run_in_executor(None, release.wait)
        ending = asyncio.create_task(way(service, push, heard))
        deadline = loop.time() + 60
        while len(heard) < 3 or service._session.thread.is_alive():
            assert loop.time() < deadline
            gc.collect()  # an iteration that was left open
            await asyncio.sleep(0.01)
        release.set()
        await ending

    asyncio.run(program())
    assert heard == [(1, False), (2, False), (3, False)]
    assert the_rest(service_of(api, state_dir=tmp_path)) == [
        (3, True),
        *((number, False) for number in range(4, 10)),
    ]


def test_what_was_in_the_body_and_what_waited_comes_again_after_the_loop_was_closed(
    service_of, api, push, tmp_path
):
    """As an exception that was not caught leaves a loop that is not that of `asyncio.run`."""
    service = service_of(api, state_dir=tmp_path)
    loop = asyncio.new_event_loop()
    events = service.events()
    loop.run_until_complete(anext(events))
    loop.run_until_complete(push(1, 2, 3))
    assert loop.run_until_complete(first(events, 3)) == [1, 2, 3]
    for numbers in ((4, 5), (6, 7), (8, 9)):
        loop.run_until_complete(push(*numbers))
    loop.close()
    thread = service._session.thread
    thread.join(60)
    assert not thread.is_alive()
    assert the_rest(service_of(api, state_dir=tmp_path)) == [
        (3, True),
        *((number, False) for number in range(4, 10)),
    ]
    with pytest.raises((RuntimeError, StopIteration)):
        events.aclose().send(None)  # asyncio can't do it any more


def test_errors_of_the_caller_are_raised_where_the_iteration_begins(service_of, service, calls):
    async def begin(service):
        async for _ in service.events():
            pass

    with pytest.raises(ListenKeyError):
        asyncio.run(begin(service_of(None)))
    service.connect()
    with pytest.raises(ParameterArgumentError, match="in place of connect"):
        asyncio.run(begin(service))
