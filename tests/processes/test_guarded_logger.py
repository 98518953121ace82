"""A line of the log raises nowhere."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from qehost.processes import guarded_logger
from qehost.processes.guarded_logger import GuardedLogger


class Failing(logging.Handler):
    """Its target is down."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def emit(self, record: logging.LogRecord) -> None:
        raise self.error


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    monkeypatch.setattr(GuardedLogger, "_told_at", -guarded_logger.REMIND)
    return GuardedLogger("guarded")


class Tree:
    """Loggers of their own below a root of their own, as a child process has them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written = io.StringIO()
        output = logging.StreamHandler(self.written)
        output.setFormatter(logging.Formatter("ours %(message)s"))
        monkeypatch.setattr(GuardedLogger, "output", output)
        self.root = logging.RootLogger(logging.WARNING)
        self.root.addHandler(output)
        manager = logging.Manager(self.root)
        monkeypatch.setattr(GuardedLogger, "root", self.root)
        monkeypatch.setattr(GuardedLogger, "manager", manager)
        manager.setLoggerClass(GuardedLogger)
        self.get = manager.getLogger
        self.get("qehost").setLevel("INFO")
        self.manager = manager

    def lines(self) -> list[str]:
        return self.written.getvalue().splitlines()


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch) -> Tree:
    return Tree(monkeypatch)


def test_a_plugins_root_handler_is_for_the_plugins_lines(tree: Tree) -> None:
    theirs = io.StringIO()
    tree.root.handlers[:] = [logging.StreamHandler(theirs)]  # as basicConfig(force=True) does
    tree.get("qehost.host").info("started")
    tree.get("qehost.plugin.sink").warning("its own, by context.logger")
    tree.get("sink").warning("its own")
    tree.get("qehosting").warning("not ours")
    assert tree.lines() == ["ours started", "ours its own, by context.logger"]
    assert theirs.getvalue().splitlines() == ["its own", "not ours"]


def test_what_a_plugin_switches_off_are_its_own_loggers(tree: Tree) -> None:
    log = tree.get("qehost.host")
    log.disabled = True  # as dictConfig does with all loggers that it does not name
    tree.manager.disable = logging.CRITICAL  # as logging.disable does
    log.info("one")
    log.debug("below the level")
    tree.get("sink").error("no")
    assert tree.lines() == ["ours one"]


def test_a_handler_on_a_logger_of_ours_gets_its_lines_too(tree: Tree) -> None:
    theirs = io.StringIO()
    handler = logging.StreamHandler(theirs)
    handler.setLevel("WARNING")
    tree.get("qehost").addHandler(handler)
    tree.get("qehost.host").info("one")
    tree.get("qehost.host").warning("two")
    assert tree.lines() == ["ours one", "ours two"]
    assert theirs.getvalue() == "two\n"


@pytest.mark.parametrize("error", [OSError("the chat is down"), SystemExit(1)])
def test_a_handler_that_raises_costs_the_line_and_is_named_once(
    log: logging.Logger, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    log.addHandler(Failing(error))
    log.error("one")
    log.error("two")
    (line,) = capsys.readouterr().err.splitlines()
    assert repr(error) in line


def test_a_filter_that_raises_and_a_closed_standard_error_cost_nothing(
    log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)

    def fail(record: logging.LogRecord) -> bool:
        raise ValueError("no")

    log.addFilter(fail)
    log.error("one")
    log.removeFilter(fail)
    log.addHandler(logging.StreamHandler(closed))
    log.error("two")
