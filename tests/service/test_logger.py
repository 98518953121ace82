"""The program's logger, whose handlers and filters may raise."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator

import pytest
from script import status, wait_for

from qehost.service.logger import SafeLogger


def test_what_the_connection_says_goes_to_the_given_logger(service, calls, venue, caplog):
    service.set_logger(logging.getLogger("mine"))
    with caplog.at_level(logging.INFO, "mine"):
        service.connect()
        calls.wait("on_connected")
        venue.drop()
        calls.wait("on_connected", 2)
        lines = wait_for(lambda: [r for r in caplog.records if "disconnected" in r.getMessage()])
    assert lines[0].name == "mine"
    assert lines[0].levelno == logging.WARNING


class FaultyHandler(logging.Handler):
    def __init__(self, fault: BaseException) -> None:
        super().__init__()
        self.fault = fault

    def emit(self, record: logging.LogRecord) -> None:
        raise self.fault


class FaultyFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        raise ValueError("the filter is faulty")


@pytest.fixture
def mine() -> Iterator[logging.Logger]:
    """A logger of the program's own."""
    logger = logging.getLogger("mine")
    logger.propagate = False
    yield logger
    logger.propagate = True
    logger.handlers.clear()
    logger.filters.clear()


@pytest.mark.parametrize(
    "fault",
    [RuntimeError("the chat is away"), OSError("no network"), SystemExit(1), None],
    ids=["Exception", "OSError", "SystemExit", "filter"],
)
def test_a_logger_that_raises_costs_the_stream_nothing(
    fault, service, calls, venue, children, mine, capsys
):
    if fault is None:
        mine.addFilter(FaultyFilter())
    else:
        mine.addHandler(FaultyHandler(fault))
    service.set_logger(mine)

    def boom(_: object) -> None:
        raise ValueError("boom")

    calls.react["on_status"] = calls.react["on_error"] = boom  # both are logged
    service.connect()
    calls.wait("on_connected")
    venue.drop()  # so is this, by the connection process
    calls.wait("on_connected", 2)
    (pid,) = children()
    os.kill(pid, signal.SIGKILL)
    calls.wait("on_connected", 3)
    venue.push(status("one"))
    venue.push(status("two"))
    assert calls.wait("on_status", 2) == ["one", "two"]
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("qehost: a line could not be logged: ") for line in lines)


def test_ctrl_c_while_a_line_is_logged_reaches_the_program(mine):
    mine.addHandler(FaultyHandler(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        SafeLogger(mine).warning("closed")
