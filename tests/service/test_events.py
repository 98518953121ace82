"""`async for event in service.events()`."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import pytest
from script import wait_for

from qehost.errors import GapError, ListenKeyError, ParameterArgumentError, from_problem
from qehost.messages import ErrorEvent, StatusEvent
from qehost.simulator import Venue


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


def test_the_loop_is_never_held_up(service, venue):
    """Also not while the process starts and while it ends."""

    async def program():
        longest, stop = 0.0, False

        async def beat():
            nonlocal longest
            loop = asyncio.get_running_loop()
            while not stop:
                before = loop.time()
                await asyncio.sleep(0.001)
                longest = max(longest, loop.time() - before)

        beating = asyncio.create_task(beat())
        async with aclosing(service.events()) as events:
            async for event in events:
                if event.kind == "connected":
                    break
        stop = True
        await beating
        return longest

    assert asyncio.run(program()) < 1.0


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
                    presence = service._session._presence
                    while presence._status[0] <= sent:
                        await asyncio.sleep(0.01)
                elif isinstance(event, ErrorEvent):
                    error = from_problem(event.message)
                    assert isinstance(error, GapError)
                    lost += int(str(error).partition(" events were lost")[0])
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


def test_errors_of_the_caller_are_raised_where_the_iteration_begins(service_of, service, calls):
    async def begin(service):
        async for _ in service.events():
            pass

    with pytest.raises(ListenKeyError):
        asyncio.run(begin(service_of(None)))
    service.connect()
    with pytest.raises(ParameterArgumentError, match="in place of connect"):
        asyncio.run(begin(service))
