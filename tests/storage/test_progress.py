"""The memory that a host process shares: the call it is in and its cursors, through its death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from qehost.storage.cursor_file import UNKNOWN, UNSET, Cursor
from qehost.storage.progress import CallRecorder, HookCall, ProgressMemory, write_cursor

PLUGINS = ("console", "sink")
HOOKS = ("on_start", "on_order", "on_fill")
ACCOUNTS = ("main", "other")


@pytest.fixture
def memory() -> Iterator[ProgressMemory]:
    memory = ProgressMemory()
    yield memory
    memory.close()


def run(program: str, memory: ProgressMemory) -> subprocess.Popen[bytes]:
    """A process that has the memory as `memory`."""
    before = (
        "import ctypes, os, signal, sys\n"
        "from qehost.storage.progress import CallRecorder, ProgressMemory, write_cursor\n"
        "from qehost.storage.cursor_file import Cursor\n"
        "memory = ProgressMemory(int(sys.argv[1]))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", before + program, str(memory.fd)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[memory.fd],
    )


def test_the_call_that_is_going_on_is_seen_from_outside(memory: ProgressMemory) -> None:
    assert memory.current() is None
    recorder = CallRecorder(memory, PLUGINS, HOOKS, ACCOUNTS)
    assert memory.current() is None
    recorder.account("other")
    before = time.monotonic()
    recorder.enter(1, 2, 77)
    call = memory.current()
    assert call == HookCall("sink", "on_fill", "other", 77, call.since if call else 0)
    assert before <= call.since <= time.monotonic()
    recorder.enter(0, 2, 77)
    assert (memory.current() or call).plugin == "console"
    recorder.plugin[0] = 1
    assert (memory.current() or call).plugin == "sink"
    recorder.leave()
    assert memory.current() is None
    recorder.enter(0, 0, 0)
    call = memory.current()
    assert call is not None
    assert call[:4] == ("console", "on_start", "", 0)
    del recorder


@pytest.mark.parametrize(
    ("death", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("ctypes.string_at(0)", -signal.SIGSEGV),
        ("os._exit(7)", 7),
    ],
)
def test_a_process_that_dies_in_a_call_leaves_its_call_and_its_cursors(
    memory: ProgressMemory, death: str, code: int
) -> None:
    program = (
        "recorder = CallRecorder(memory, ['console', 'sink'], ['on_order'], ['main'])\n"
        "recorder.account('main')\n"
        "slot = memory.slot('main', Cursor(0, 0))\n"
        "for seq in range(1, 50):\n"
        "    write_cursor(slot, seq - 1, seq)\n"
        "    for plugin in range(2):\n"
        "        recorder.enter(plugin, 0, seq)\n"
        f"        if (plugin, seq) == (1, 42): {death}\n"
        "    recorder.leave()\n"
    )
    with run(program, memory) as process:
        assert process.wait() == code
    call = memory.current()
    assert call is not None
    assert call[:4] == ("sink", "on_order", "main", 42)
    assert memory.cursors(ACCOUNTS) == {"main": Cursor(41, 42)}
    recorder = CallRecorder(memory, (), (), ())
    assert memory.current() is None
    assert memory.cursors(ACCOUNTS) == {"main": Cursor(41, 42)}
    del recorder


def test_it_reads_whole_while_another_process_changes_it(memory: ProgressMemory) -> None:
    program = (
        "recorder = CallRecorder(memory, ['even', 'odd'], ['on_order'], ['main'])\n"
        "recorder.account('main')\n"
        "slot = memory.slot('main', Cursor(0, 0))\n"
        "print(flush=True)\n"
        "seq = 0\n"
        "while True:\n"
        "    seq += 1\n"
        "    recorder.enter(seq % 2, 0, seq)\n"
        "    recorder.leave()\n"
        "    write_cursor(slot, seq, seq << 32)\n"
    )
    with run(program, memory) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            for _ in range(2000):
                cursor = memory.cursors(["main"])["main"]
                assert cursor == UNKNOWN or cursor.done << 32 == cursor.in_flight
                if call := memory.current():
                    assert call.plugin == ("even", "odd")[call.seq % 2]
        finally:
            process.kill()


def test_an_account_that_nothing_was_given_of_has_no_cursor(memory: ProgressMemory) -> None:
    assert memory.cursors(ACCOUNTS) == {}
    first = memory.slot("main", UNSET)
    assert memory.cursors(ACCOUNTS) == {"main": UNSET}
    second = memory.slot("other", Cursor(0, 0))
    assert memory.cursors(ACCOUNTS) == {"main": UNSET, "other": Cursor(0, 0)}
    again = memory.slot("main", Cursor(7, 8))
    assert memory.cursors(("other", "main")) == {"main": Cursor(7, 8), "other": Cursor(0, 0)}
    del first, second, again


@pytest.mark.parametrize("words", [1, 2])
def test_a_cursor_that_was_written_in_part_is_told_from_a_whole_one(
    memory: ProgressMemory, words: int
) -> None:
    slot = memory.slot("main", Cursor(7, 8))
    assert slot is not None
    slot[words] = 99
    assert memory.cursors(["main"]) == {"main": UNKNOWN}
    write_cursor(slot, 99, 100)
    assert memory.cursors(["main"]) == {"main": Cursor(99, 100)}
    del slot


def test_more_accounts_and_longer_names_than_there_is_room_for_cost_themselves_alone(
    memory: ProgressMemory,
) -> None:
    names = [f"{'x' * 50}-{number}" for number in range(2000)]
    slots = [memory.slot(name, Cursor(number, number)) for number, name in enumerate(names)]
    assert slots[0] is not None
    assert slots[-1] is None
    found = memory.cursors(names)
    assert len(found) == sum(slot is not None for slot in slots)
    assert all(found[name].done == number for number, name in enumerate(names) if name in found)
    recorder = CallRecorder(memory, names, HOOKS, names)
    recorder.enter(0, 0, 0)
    assert memory.current() is None
    recorder = CallRecorder(memory, names[:9], HOOKS, names[:9])
    recorder.enter(8, 0, 0)
    assert (memory.current() or HookCall("", "", "", 0, 0)).plugin == names[8]
    del slots, recorder


def test_it_is_in_no_file_of_a_disk(memory: ProgressMemory) -> None:
    if not hasattr(os, "memfd_create"):
        pytest.skip("this system has no anonymous memory that can be passed on")
    assert "memfd" in os.readlink(f"/proc/self/fd/{memory.fd}")
