"""`qehost simulate`, as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import urllib3
import websocket
from running import QEHOST
from waiting import PATIENCE

from qehost.simulator.faults import KINDS

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(*arguments)`: a running `qehost simulate`."""
    with ExitStack() as stack:

        def run(*arguments: str) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [*QEHOST, "simulate", *arguments],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield run


def introduction(process: subprocess.Popen[str]) -> str:
    """What it prints before it begins."""
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if line.lstrip().startswith("qehost run"):
            break
    return "".join(lines)


def test_it_prints_what_is_needed_to_connect(start: Start) -> None:
    process = start("--rate", "200")

    text = introduction(process)
    ready = re.search(
        r"QEHOST_API_KEY=(\w+) QEHOST_API_SECRET=(\w+) \\\n"
        r"  qehost run --ws-url (ws://\S+) --rest-url (http://\S+)\n",
        text,
    )

    assert ready is not None
    assert text.count(ready[1]) == text.count(ready[2]) == 2
    assert urllib3.request("GET", f"{ready[4]}/ping", retries=False).status == 200
    with pytest.raises(websocket.WebSocketBadStatusException):
        websocket.create_connection(f"{ready[3]}/api/ws/v2?listen_key=x", timeout=PATIENCE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(start: Start, number: signal.Signals) -> None:
    process = start()
    introduction(process)

    os.kill(process.pid, number)

    assert process.wait(PATIENCE) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_it_ends_after_its_duration(start: Start) -> None:
    assert start("--duration", "0.1").wait(PATIENCE) == 0


def test_the_same_seed_gives_the_same_credentials(start: Start) -> None:
    texts = [start("--seed", "5", "--duration", "0").communicate()[0] for _ in range(2)]

    keys = [re.findall(r"API \w+\s+(\w+)", text) for text in texts]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 2


def test_a_port_that_is_taken_is_told_in_one_line(start: Start) -> None:
    first = start()
    port = re.search(r":(\d+)\n", introduction(first))
    assert port is not None

    second = start("--port", port[1])

    _, error = second.communicate(timeout=PATIENCE)
    assert second.returncode == 3
    assert error.startswith(f"qehost: can't listen on 127.0.0.1 port {port[1]}: ")
    assert error.count("\n") == 1


def test_a_fault_that_does_not_exist_is_a_usage_error(start: Start) -> None:
    process = start("--fault", "drop=5s", "--fault", "dupe=5%")

    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "there is no fault 'dupe'" in error


def test_its_help_lists_every_fault(start: Start) -> None:
    text, _ = start("--help").communicate(timeout=PATIENCE)

    for name, kind in KINDS.items():
        assert re.search(rf"^  {re.escape(name)}\b.*{re.escape(kind.help[:20])}", text, re.M), name


@pytest.mark.parametrize("option", ["--duration", "--rate"])
@pytest.mark.parametrize("number", ["nan", "inf", "1e300"])
def test_what_no_clock_can_count_is_a_wrong_command_line(
    start: Start, option: str, number: str
) -> None:
    process = start(option, number)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert f"Invalid value for '{option}'" in errors
