"""What a child does first: it leaves signals to its parent, and ends with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from answers import Answers
from script import Script
from waiting import wait_for

from qehost.processes import spawn
from qehost.processes.bootstrap import SIGNALS

pytestmark = pytest.mark.usefixtures("modules")


def test_ctrl_c_does_nothing_to_it_not_even_while_it_starts() -> None:
    with Answers() as ask:
        for number in SIGNALS:
            os.kill(ask.process.pid, number)
        assert ask("threading.active_count()")
        for number in SIGNALS:
            os.kill(ask.process.pid, number)
        assert ask("signal.pthread_sigmask(signal.SIG_BLOCK, [])") == set()


def test_it_is_named_in_the_list_of_processes() -> None:
    with Answers(name="host-main") as ask:
        assert ask("open('/proc/self/cmdline').read().split(chr(0))")[-2] == "host-main"
        assert ask("multiprocessing.current_process().name") == "host-main"


def test_what_it_starts_by_multiprocessing_is_no_fork_of_it() -> None:
    with Answers() as ask:
        assert ask("multiprocessing.get_start_method()") == "spawn"


def test_it_ends_when_its_lifeline_is_closed() -> None:
    with Answers() as ask:
        ask("0")
        ask.process.lifeline.close()
        assert ask.process.wait(30) == 1


def test_a_module_that_is_not_there_ends_it_as_any_error_does(
    capfd: pytest.CaptureFixture[str],
) -> None:
    process = spawn.start("absent", "no_such_module")
    assert process.wait(30) == 1
    process.close()
    assert "No module named 'no_such_module'" in capfd.readouterr().err


PARENT = """
import os, sys, time
sys.path.insert(0, {modules!r})
from qehost.processes import spawn
process = spawn.start("answers", "child_that_answers", [None])
process.pipe.send("0")
process.pipe.recv()
print("READY", flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["", "os._exit(3)", "os.kill(os.getpid(), 9)", "time.sleep(60)"])
def test_it_ends_with_its_parent(
    tmp_path: Path, modules: Path, end: str, capfd: pytest.CaptureFixture[str]
) -> None:
    source = PARENT.format(modules=str(modules), end=end)
    with Script("-c", source, folder=tmp_path) as script:
        script.wait_for("READY")
        if "sleep" in end:
            (child,) = script.others()  # and no process of Python's beside it
            script.process.kill()
            wait_for(lambda: child not in script.others(), "its end")
        script.leaves_nothing()
        assert "Traceback" not in script.story()


FORKS = """
import os, signal
from qehost.processes import bootstrap

bootstrap._leave_signals_to_the_parent()
for _ in range(30):
    pid = os.fork()
    if not pid:
        while True:
            signal.pause()
    os.kill(pid, signal.SIGTERM)
    print(os.waitpid(pid, 0)[1], flush=True)
print("held:", signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, []), flush=True)
"""


def test_a_fork_of_it_ends_by_a_sigterm_that_comes_before_it_has_run(tmp_path: Path) -> None:
    (tmp_path / "forks.py").write_text(FORKS)
    with Script("forks.py", folder=tmp_path) as script:
        script.wait_for("held:")
        assert script.wait() == 0, script.story()
        assert [line.strip() for line in script.out] == ["15"] * 30 + ["held: False"]
