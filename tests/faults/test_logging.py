"""Nothing that becomes of the log stops a plugin's process, or puts the blame on another plugin.

Real processes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from promise import Numbers, check, dead_letters, delivered_numbers
from running import QUICK, Run

from qehost.simulator import Venue

RAISING = """
import logging

class Chat(logging.Handler):
    def emit(self, record):
        raise ConnectionRefusedError("the chat is down")

def on_start(context):
    logging.getLogger().addHandler(Chat())
"""
CLOSING = """
import sys

def on_start(context):
    sys.stderr.close()
"""
# In the process of the other one: what it logs, and what is logged about it, meets that handler.
INNOCENT = """
import logging

def on_status(event):
    logging.getLogger("innocent").warning("event %d", event.seq)
    if event.seq == 3:
        raise ValueError("no")
"""


@pytest.mark.parametrize("source", [RAISING, CLOSING], ids=["handler", "closed"])
def test_a_log_that_can_not_be_written_costs_no_event_and_blames_nobody(
    tmp_path: Path, venue: Venue, source: str
) -> None:
    plugins = {"culprit": source, "innocent": INNOCENT}
    with Run(tmp_path, venue=venue, settings=QUICK, plugins=plugins) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(5)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        assert [(letter.plugin, letter.seq) for letter in dead_letters(run)] == [("innocent", 3)]
        assert len(run.records("on_start")) == 1
        run.wait_for_line("innocent: on_status raised at event 3: ValueError: no")


SETTING_UP = {
    "basic": """
import logging

def on_start(context):
    logging.basicConfig(force=True, level="DEBUG", format="mine %(message)s")
""",
    "dict": """
import logging.config

def on_start(context):
    logging.config.dictConfig({
        "version": 1,
        "formatters": {"mine": {"format": "mine %(message)s"}},
        "handlers": {"mine": {"class": "logging.StreamHandler", "formatter": "mine"}},
        "root": {"handlers": ["mine"], "level": "DEBUG"},
    })
""",
    "disable": "import logging\ndef on_start(context): logging.disable(logging.CRITICAL)",
}
CHATTY = """
import logging, sys

CONTEXT = []

def on_start(context):
    CONTEXT.append(context)

def on_status(event):
    logging.getLogger("chatty").error("its own line")
    CONTEXT[0].logger.error("by its context")
    raise ValueError("no")
"""


@pytest.mark.parametrize("how", SETTING_UP)
def test_a_plugins_logging_settings_are_for_its_own_loggers(
    tmp_path: Path, venue: Venue, how: str
) -> None:
    # The one that sets up the logging is called first.
    plugins = {"a_setting_up": SETTING_UP[how], "chatty": CHATTY}
    with Run(tmp_path, venue=venue, settings=QUICK, plugins=plugins) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(1)
        numbers.wait_for_all(run)
        assert run.stop() == 0
    ours = r"^[0-9T:.-]+Z ERROR   host main"
    run.wait_for_line(f"{ours}: plugin chatty: on_status raised at event 2: ValueError: no")
    run.wait_for_line(f"{ours}, plugin chatty: by its context")
    own = [line.strip() for line in run.logged("its own line")]
    assert own == ([] if how == "disable" else ["mine its own line"])


def test_standard_error_that_nobody_reads_stops_no_plugin(tmp_path: Path, venue: Venue) -> None:
    chatty = """
import logging, sys

def on_status(event):
    logging.getLogger("chatty").warning("x" * 5000)
    print("y" * 5000, file=sys.stderr)
"""
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"chatty": chatty}, deaf=True) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(100)  # the pipe holds 64 KiB
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)


def test_a_pool_of_forks_can_be_ended(tmp_path: Path, venue: Venue) -> None:
    pool = """
import multiprocessing, time

def on_start(context):
    pool = multiprocessing.get_context("fork").Pool(2)
    assert pool.apply(abs, (-3,)) == 3
    pool.terminate()
    pool.join()
"""
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"pool": pool}) as run:
        run.wait_for(lambda: run.records("on_start"), "the end of the pool")
        assert run.stop() == 0


def test_a_process_whose_plugin_leaks_all_descriptors_is_started_anew_and_nothing_is_lost(
    tmp_path: Path, venue: Venue
) -> None:
    leaking = """
import os, resource
from pathlib import Path

KEPT = []

def on_start(context):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, most))

def on_status(event):
    if not Path("mended").exists():
        KEPT.append(os.open("/dev/null", os.O_RDONLY))
"""
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"leaking": leaking}) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(150)
        run.wait_for(lambda: run.logged("no file descriptor left"), "the end of it")
        (tmp_path / "mended").touch()
        run.wait_for(lambda: len(run.records("on_start")) >= 2, "a new process")
        numbers.push(1)
        run.wait_for(lambda: numbers.sent in delivered_numbers(run), "its events")
        assert run.stop() == 0
        check(run)
        # Both plugins open a file at each event; what they could not do is kept, event by event,
        # until the process ends, be that before the last one has come.
        for plugin in ("leaking", "recorder"):
            kept = [letter.seq for letter in dead_letters(run) if letter.plugin == plugin]
            assert kept == list(range(kept[0], kept[-1] + 1))
