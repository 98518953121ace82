"""Whole programs, as users write and end them: nothing runs twice, nothing is left."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest
from script import Script, wait_for

from qehost.simulator import Venue
from qehost.storage.journal import JournalReader
from qehost.storage.state_folder import StateFolder

# As the documented quick start has it: no main guard anywhere.  Threads, forks and children write
# to one pipe, so a line is one write: print makes several.
HEAD = """
import os, sys, time, threading
from qehost import API, WebSocketService, WebSocketEventHandlers

told = []
say = lambda *words: (told.append(words), os.write(1, (" ".join(map(str, words)) + "\\n").encode()))
say("RUNS", __name__)
WS, REST, KEY, SECRET = {addresses!r}
api = API(KEY, SECRET, base_url=REST)
service = WebSocketService(api, WS)
service.set_handlers(WebSocketEventHandlers(
    on_connected=lambda: say("CONNECTED"),
    on_disconnected=lambda: say("DISCONNECTED"),
    on_error=lambda error: say("ERROR", repr(error)),
    on_status=lambda text: say("STATUS", text),
))
"""
KILL = """
def kill_the_connection():
    for pid in os.listdir("/proc"):
        if pid.isdecimal():
            try:
                parent = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
                command = open(f"/proc/{pid}/cmdline").read()
            except OSError:
                continue
            if parent == os.getpid() and command.endswith("connection-main\\0"):
                os.kill(int(pid), 9)

# `is_connected` may be true before the handler is called, and `close` calls none any more.
def connected(times):
    while told.count(("CONNECTED",)) < times:
        time.sleep(0.01)

"""
CONNECT = """
service.connect()
while not service.is_connected():
    time.sleep(0.01)
say("READY")
"""
STATUS = '{"type":"status","messageId":"s","userId":"u","data":"hello"}'


@pytest.fixture
def program(market: Venue) -> str:
    """The source of a program that is connected."""
    return head(market) + CONNECT


def head(venue: Venue) -> str:
    addresses = (venue.ws_url, venue.rest_url, venue.api_key, venue.api_secret)
    return HEAD.format(addresses=addresses)


def run(folder: Path, source: str, name: str = "program.py") -> Script:
    (folder / name).write_text(source, encoding="utf-8")
    return Script(name, folder=folder)


def ran_once(script: Script) -> None:
    assert sum("RUNS" in line for line in script.out) == 1, script.story()


# --- scripts without a main guard ---------------------------------------------------------------


def test_a_script_runs_as_it_is_and_once(tmp_path, program, market):
    with run(tmp_path, program + "time.sleep(1000)") as script:
        script.wait_for("CONNECTED")
        market.push(STATUS)
        script.wait_for("STATUS hello")
        assert len(script.others()) == 1  # the connection
        script.ctrl_c()
        script.leaves_nothing()
        ran_once(script)


def test_python_c(tmp_path, program):
    with Script("-c", program, folder=tmp_path) as script:
        script.leaves_nothing()
        assert script.wait() == 0
        ran_once(script)


def test_a_script_from_standard_input(tmp_path, program):
    with Script("-", folder=tmp_path, stdin=program) as script:
        script.leaves_nothing()
        assert script.wait() == 0
        ran_once(script)


def test_the_prompt(tmp_path, market):
    source = head(market)
    source += "service.connect()\nwhile not service.is_connected(): time.sleep(0.01)\n\n"
    source += "say('at the prompt')\nservice.close()\n"
    with Script("-i", folder=tmp_path, stdin=source) as script:
        script.wait_for("at the prompt")
        script.leaves_nothing()
        ran_once(script)


def test_a_notebook(tmp_path, program):
    """Cells are run by exec in a __main__ that has no file, beside a running event loop."""
    notebook = textwrap.dedent(
        f"""
        import asyncio, sys, types
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        async def kernel():
            exec(compile({program!r}, "<cell>", "exec"), vars(main))
            exec("service.close()", vars(main))
        asyncio.run(kernel())
        """
    )
    with Script("-c", notebook, folder=tmp_path) as script:
        script.leaves_nothing()
        assert script.wait() == 0
        ran_once(script)


def test_python_m(tmp_path, program):
    with_guard = program + "\nif __name__ != '__main__': say('IMPORTED')"
    (tmp_path / "bot.py").write_text(with_guard, encoding="utf-8")
    with Script("-m", "bot", folder=tmp_path) as script:
        script.leaves_nothing()
        assert script.wait() == 0
        ran_once(script)


@pytest.mark.parametrize("name", ["websocket.py", "msgspec.py"])
def test_a_script_with_the_name_of_a_library_is_not_taken_for_it(tmp_path, program, name):
    if name == "msgspec.py":
        # The program itself needs the library; its script would stand before it.
        program = "import sys; sys.path.reverse()\n" + program
    with run(tmp_path, program, name) as script:
        script.leaves_nothing()
        assert script.wait() == 0, script.story()
        ran_once(script)


def test_a_pool_of_the_program_s_own_starts_at_the_same_time(tmp_path, program):
    source = f"""
import multiprocessing, sys

def double(number):
    return 2 * number

if __name__ == "__main__":
    exec({program!r})
    multiprocessing.set_start_method("spawn")
    service.close()
    for _ in range(3):
        service.connect()
        with multiprocessing.Pool(1) as pool:
            say("POOL", pool.map(double, [1, 2]))
        service.close()
    say("CHILDREN", multiprocessing.active_children())
"""
    with run(tmp_path, source) as script:
        script.leaves_nothing()
        assert script.wait() == 0, script.story()
        assert script.story().count("POOL [2, 4]") == 3
        assert "CHILDREN []" in script.story()


def test_a_worker_of_a_pool_may_have_a_service(tmp_path, market):
    source = f"""
import multiprocessing, os

def work(_):
    exec({head(market) + CONNECT!r}, globals())
    service.close()
    return "WORKED"

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        os.write(1, b'%a\\n' % pool.map(work, [1]))
"""
    with run(tmp_path, source) as script:
        script.leaves_nothing()
        assert "['WORKED']" in script.story()


def test_the_process_is_not_among_the_program_s_own_children(tmp_path, program):
    source = program + (
        "import multiprocessing\n"
        "for child in multiprocessing.active_children(): child.join()\n"
        "say('JOINED')\n"
    )
    with run(tmp_path, source) as script:
        script.leaves_nothing()
        assert "JOINED" in script.story()


# --- every way to end ---------------------------------------------------------------------------

ENDS = {
    "its last line": ("", 0),
    "close and its last line": ("service.close()", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "an exception": ("raise ValueError('no more')", 1),
    "os._exit": ("os._exit(4)", 4),
}


@pytest.mark.parametrize("how", ENDS)
def test_nothing_is_left_after_the_program_s_end_by(tmp_path, program, how):
    source, code = ENDS[how]
    with run(tmp_path, program + source) as script:
        assert script.wait() == code, script.story()
        script.leaves_nothing()
        assert "Process qehost" not in script.story()


def test_a_handler_that_runs_does_not_hold_the_program_s_end(tmp_path, market):
    source = head(market) + "service.handlers.on_connected = lambda: time.sleep(1000)" + CONNECT
    with run(tmp_path, source) as script:
        script.wait_for("READY")
        assert script.wait() == 0
        script.leaves_nothing()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_after_the_program_is_killed_by(tmp_path, program, number):
    with run(tmp_path, program + "time.sleep(1000)") as script:
        script.wait_for("READY")
        os.kill(script.process.pid, number)
        assert script.wait() == -number
        script.leaves_nothing()


def test_with_a_state_folder_a_killed_program_loses_nothing(tmp_path, market):
    source = head(market).replace(
        "WebSocketService(api, WS)", "WebSocketService(api, WS, state_dir='s')"
    )
    dies = """
service.handlers.on_status = lambda text: text == "3" and os.kill(os.getpid(), 9)
"""
    with run(tmp_path, source + dies + CONNECT + "time.sleep(1000)") as script:
        script.wait_for("READY")
        for number in range(1, 7):
            market.push(STATUS.replace("hello", str(number)).replace('"s"', f'"killed-{number}"'))
        assert script.wait() == -signal.SIGKILL
        script.leaves_nothing()
    with run(tmp_path, source + CONNECT + "time.sleep(1000)") as script:
        script.wait_for("STATUS 3")
        script.wait_for("CONNECTED")
        told = [line.split()[1] for line in script.out if line.startswith("STATUS")]
        # The third was being handled.  What the connection had not received by then is gone.
        assert told == ["3", "4", "5", "6"][: len(told)]


ASYNC = """
import asyncio, concurrent.futures
async def main(stop_at):
    loop = asyncio.get_running_loop()
    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(1))
    loop.run_in_executor(None, time.sleep, 3)  # it has no thread for anybody else
    async for event in service.events():
        say(event.kind.upper(), event.message, event.redelivered)
        if event.message == stop_at:
            await asyncio.sleep(60)
"""


def test_with_a_state_folder_ctrl_c_in_an_async_loop_loses_nothing(tmp_path, market):
    source = head(market).replace(
        "WebSocketService(api, WS)", "WebSocketService(api, WS, state_dir='s')"
    )
    journal = JournalReader(StateFolder(tmp_path / "s").journal("main"))

    def push(*numbers: int) -> None:
        for number in numbers:
            market.push(STATUS.replace("hello", str(number)).replace('"s"', f'"loop-{number}"'))
        # What is pushed after that comes in another batch.
        wait_for(lambda: journal.last_seq() > numbers[-1])

    with run(tmp_path, source + ASYNC + "asyncio.run(main('3'))") as script:
        script.wait_for("CONNECTED")
        market.wait_connected()
        push(1, 2, 3)
        script.wait_for("STATUS 3")
        for number in range(4, 10):
            push(number)
        script.ctrl_c()
        script.leaves_nothing()
        assert "KeyboardInterrupt" in script.story()
    with run(tmp_path, source + ASYNC + "asyncio.run(main('9'))") as script:
        script.wait_for("STATUS 9")
        told = [line.split()[1:] for line in script.out if line.startswith("STATUS")]
        assert told == [["3", "True"], *([str(number), "False"] for number in range(4, 10))]
    journal.close()


def test_nothing_is_left_after_an_end_while_the_process_starts(tmp_path, market):
    with run(tmp_path, head(market) + "service.connect()") as script:
        script.leaves_nothing()
        assert script.wait() == 0
        assert "Traceback" not in script.story()


def test_ctrl_c_is_a_keyboard_interrupt_in_the_program_and_nothing_else(tmp_path, program):
    source = program + (
        "try:\n    time.sleep(1000)\n"
        "except KeyboardInterrupt:\n"
        "    say('INTERRUPTED', service.is_connected())\n"
        "    service.close()\n"
    )
    with run(tmp_path, source) as script:
        script.wait_for("READY")
        script.ctrl_c()
        assert script.wait() == 0, script.story()
        script.leaves_nothing()
        assert "INTERRUPTED True" in script.story()
        assert "Traceback" not in script.story()
        assert "ERROR" not in script.story()


def test_ctrl_c_right_after_connect_prints_no_traceback_of_ours(tmp_path, market):
    source = head(market) + (
        "try:\n    service.connect()\n    say('CONNECTING')\n    time.sleep(1000)\n"
        "except KeyboardInterrupt:\n    service.close()\n"
    )
    with run(tmp_path, source) as script:
        script.wait_for("CONNECTING")
        wait_for(script.others)
        script.ctrl_c()
        assert script.wait() == 0, script.story()
        script.leaves_nothing()
        assert "Traceback" not in script.story()


def test_the_service_lives_on_when_the_thread_that_started_it_ends(tmp_path, market):
    source = head(market) + (
        "starter = threading.Thread(target=service.connect)\n"
        "starter.start()\nstarter.join()\n"
        "say('STARTED')\ntime.sleep(1000)\n"
    )
    with run(tmp_path, source) as script:
        script.wait_for("CONNECTED")
        market.push(STATUS.replace('"s"', '"t"'))
        script.wait_for("STATUS hello")
        assert "DISCONNECTED" not in script.story()


def test_forks_that_are_made_while_it_starts_hold_up_nothing(tmp_path, market):
    source = (
        head(market)
        + KILL
        + (
            "import signal\n"
            "from qehost.service import process_monitor, session\n"
            # Whatever it waited for, it would wait for longer than the test may take.
            "process_monitor.CLOSE_WITHIN = session.END_WITHIN = 1000.0\n"
            "forks = []\n"
            "stop = threading.Event()\n"
            "def fork():\n"
            "    while not stop.is_set():\n"
            "        if (pid := os.fork()) == 0:\n"
            "            time.sleep(1000)\n"
            "            os._exit(0)\n"
            "        forks.append(pid)\n"
            "        time.sleep(0.002)\n"
            "forking = threading.Thread(target=fork)\n"
            "forking.start()\n"
            "service.connect()\n"
            "time.sleep(0.1)\n"
            "stop.set()\n"
            "forking.join()\n"
            "connected(1)\n"
            "kill_the_connection()\n"
            "connected(2)\n"
            "service.close()\n"
            "say('CLOSED')\n"
            "for pid in forks: os.kill(pid, signal.SIGKILL)\n"
        )
    )
    with Script("-W", "ignore", "-c", source, folder=tmp_path) as script:
        script.leaves_nothing()
        assert "DISCONNECTED" in script.story()
        assert "CLOSED" in script.story()


def test_a_program_that_ignores_its_children_s_ends(tmp_path, program):
    source = (
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        + program
        + KILL
        + "connected(1)\n"
        "kill_the_connection()\n"
        "connected(2)\n"
        "service.close()\n"
        "say('CLOSED')\n"
    )
    with run(tmp_path, source) as script:
        script.leaves_nothing()
        assert script.story().count("CONNECTED\n") - script.story().count("DISCONNECTED\n") == 2
        assert "CLOSED" in script.story()


def test_a_fork_of_the_program_does_not_end_its_connection(tmp_path, program):
    source = program + (
        "if (pid := os.fork()) == 0:\n"
        "    say('FORK', service.is_connected())\n"
        "    service.close()\n"
        "    sys.exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "say('STILL', service.is_connected())\n"
        "time.sleep(1000)\n"
    )
    with Script("-W", "ignore", "-c", source, folder=tmp_path) as script:
        script.wait_for("STILL True")
        assert "FORK False" in script.story()
        script.ctrl_c()
        script.leaves_nothing()
        assert "DISCONNECTED" not in script.story()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_importing_the_service_does_not_import_what_only_its_process_needs() -> None:
    code = (
        "import sys; from qehost import API, WebSocketService, WebSocketEventHandlers; "
        "print(*sys.modules)"
    )
    with Script("-c", code, folder=Path.cwd()) as script:
        script.leaves_nothing()
        loaded = script.story().split()
    for name in ("websocket", "rich", "click", "pluggy", "asyncio.runners"):
        assert name not in loaded or name == "asyncio.runners"
