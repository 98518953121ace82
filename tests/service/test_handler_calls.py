"""The calls of a program's handlers, and how far they had come when the service was closed."""

from __future__ import annotations

import logging
import threading

import pytest
from script import status

from qehost.errors import ConnectionLost
from qehost.host.delivery import ConsumerClosed
from qehost.messages import Disconnected, DisconnectedEvent, StatusEvent
from qehost.service.handler_calls import HandlerCalls
from qehost.service.handlers import WebSocketEventHandlers
from qehost.service.logger import SafeLogger

EVENTS = [
    StatusEvent(n, "main", "", 0, "stream", False, status(str(n)), str(n)) for n in range(1, 4)
]


class Bench:
    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.calls: list[str] = []
        self.stop_at = ""
        self.handlers = WebSocketEventHandlers(
            on_raw_message=lambda message: self.note(f"raw {message.data}"),
            on_status=lambda text: self.note(f"status {text}"),
        )
        self.receiver = HandlerCalls(
            lambda: self.handlers,
            lambda: SafeLogger(logging.getLogger("qehost.service")),
            self.stopped.is_set,
            threading.local(),
        )

    def note(self, call: str) -> None:
        self.calls.append(call)
        if call == self.stop_at:
            self.stopped.set()

    def end(self, seq: int) -> list[str]:
        """The calls when the stream has ended."""
        self.handlers.on_disconnected = lambda: self.note("disconnected")
        self.handlers.on_error = lambda error: self.note(f"{error!r} {error.close_code}")  # type: ignore[attr-defined]
        message = Disconnected("the venue is silent", 1006)
        event = DisconnectedEvent(seq, "main", "", 0, "stream", False, "", message)
        self.receiver.deliver([event])
        return self.calls

    def deliver(self) -> tuple[int, int]:
        """How many were done and how many begun when it was stopped."""
        with pytest.raises(ConsumerClosed) as caught:
            self.receiver.deliver(EVENTS)
        return caught.value.done, caught.value.begun


def test_all_handlers_of_all_events_are_called() -> None:
    bench = Bench()
    bench.receiver.deliver(EVENTS)
    assert bench.calls == [f"{kind} {n}" for n in (1, 2, 3) for kind in ("raw", "status")]


def test_nothing_is_called_after_the_stop() -> None:
    bench = Bench()
    bench.stopped.set()
    assert bench.deliver() == (0, 0)
    assert bench.calls == []


def test_an_event_is_done_when_its_last_handler_has_returned() -> None:
    bench = Bench()
    bench.stop_at = "status 2"
    assert bench.deliver() == (2, 2)


def test_an_event_of_which_one_handler_was_not_called_is_not_done() -> None:
    bench = Bench()
    bench.stop_at = "raw 2"
    assert bench.deliver() == (1, 2)
    bench.handlers.on_status = None
    bench.stopped.clear()
    assert bench.deliver() == (2, 2)


def test_why_the_stream_has_ended_is_told_after_its_end() -> None:
    told = f"{ConnectionLost('the venue is silent')!r} 1006"
    assert Bench().end(seq=9) == ["disconnected", told]


def test_an_end_that_the_program_brought_about_is_no_error() -> None:
    assert Bench().end(seq=0) == ["disconnected"]
    bench = Bench()
    bench.stop_at = "disconnected"
    assert bench.end(seq=9) == ["disconnected"]


def test_a_handler_that_raises_has_handled_its_event() -> None:
    bench = Bench()

    def boom(_: object) -> None:
        raise ValueError("boom")

    bench.handlers.on_raw_message = bench.handlers.on_status = boom
    bench.receiver.deliver(EVENTS)
