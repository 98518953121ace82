"""Children: fresh interpreters with the parent's options and path, which end with the parent."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from multiprocessing.connection import Pipe, wait
from pathlib import Path

import pytest
from answers import Answers
from script import Script

from qehost.processes import spawn
from qehost.simulator import Venue

pytestmark = pytest.mark.usefixtures("modules")


def test_it_gets_its_arguments_and_its_pipe_and_nothing_else_of_the_parent() -> None:
    kept, other = Pipe()
    with Answers({"secret": "hunter2"}) as ask, kept, other:
        assert ask("about") == {"secret": "hunter2"}
        assert ask("'hunter2' in open('/proc/self/cmdline').read()") is False
        assert ask("'hunter2' in open('/proc/self/environ').read()") is False
        # 0 to 2, the lifeline, the pipe, and the one that lists them.
        assert len(ask("os.listdir('/proc/self/fd')")) == 6
        assert ask("sys.stdin.read()") == ""
        assert ask("sys.argv") == sys.argv


def test_arguments_may_be_large() -> None:
    with Answers("x" * (8 << 20)) as ask:
        assert ask("len(about)") == 8 << 20


def test_its_end_shows_and_so_does_how() -> None:
    with Answers() as ask:
        assert ask.process.exit_code is None
        assert ask.process.wait(0.01) is None
        ask.process.pipe.close()
        assert ask.process.wait(30) == 7
        assert wait([ask.process.lifeline], 30)
    with Answers() as ask:
        ask.process.kill()
        assert ask.process.wait(30) == ask.process.exit_code == -signal.SIGKILL


def test_a_child_that_has_ended_before_it_was_sent_its_task_shows_as_one_that_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spawn, "BOOTSTRAP", "import sys; sys.exit(9)")
    process = spawn.start("short", "child_that_answers", ["x" * (8 << 20)])
    assert process.wait(30) == 9
    process.close()


def test_the_thread_that_starts_it_has_the_same_signals_blocked_as_before() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with Answers():
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_pipes_that_are_given_to_it_are_its_alone_and_one_way_where_they_were(
    modules: Path,
) -> None:
    (modules / "passes.py").write_text(
        "def main(pipe, reader, writer):\n"
        "    writer.send((reader.recv(), reader.writable, writer.readable))\n"
    )
    (reader, ours), (answers, writer) = Pipe(duplex=False), Pipe(duplex=False)
    process = spawn.start("passes", "passes", pipes=[reader, writer])
    assert reader.closed
    assert writer.closed
    ours.send("through")
    assert answers.recv() == ("through", False, False)
    assert process.wait(30) == 0
    with pytest.raises(EOFError):
        answers.recv()
    for pipe in (ours, answers, process):
        pipe.close()


OPTIONS = {
    "-O": "sys.flags.optimize == 1",
    "-OO": "sys.flags.optimize == 2",
    "-B": "sys.dont_write_bytecode",
    "-s": "sys.flags.no_user_site",
    "-E": "sys.flags.ignore_environment",
    "-I": "sys.flags.isolated",
    "-b": "sys.flags.bytes_warning",
    "-Werror::UserWarning": "'error::UserWarning' in sys.warnoptions",
    "-Xdev": "sys.flags.dev_mode",
    "-Xfaulthandler": "__import__('faulthandler').is_enabled()",
    "-Xutf8": "sys.flags.utf8_mode",
    "-Xutf8=0": "not sys.flags.utf8_mode",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_it_has_the_options_of_its_parent(option: str, modules: Path) -> None:
    source = f"""
import sys; sys.path.insert(0, {str(modules)!r})
from qehost.processes import spawn
process = spawn.start("answers", "child_that_answers", [None])
process.pipe.send({f"bool({OPTIONS[option]})"!r})
print(process.pipe.recv())
"""
    done = subprocess.run(
        [sys.executable, option, "-c", source], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n", done


def test_a_fork_that_another_thread_makes_meanwhile_does_not_hold_up_the_start(
    tmp_path: Path, modules: Path
) -> None:
    source = f"""
import os, sys, threading, time
sys.path.insert(0, {str(modules)!r})
from qehost.processes import spawn

forks, done = [], threading.Event()

def fork():
    while not done.wait(0.001):
        if (pid := os.fork()) == 0:
            time.sleep(100)
            os._exit(0)
        forks.append(pid)

thread = threading.Thread(target=fork)
thread.start()
for _ in range(5):
    process = spawn.start("answers", "child_that_answers", [None])
    process.pipe.send("'STARTED'")
    print(process.pipe.recv(), flush=True)
    process.kill()
    process.wait()
done.set()
thread.join()
for pid in forks:
    os.kill(pid, 9)
"""
    with Script("-W", "ignore", "-c", source, folder=tmp_path) as script:
        script.wait_for("STARTED", 5)
        script.leaves_nothing()


# --- what it imports ---------------------------------------------------------------------------

# Names of the standard library and of what qehost needs: each is imported by a child.
TAKEN = ("signal", "socket", "types", "pickle", "threading", "typing", "msgspec", "websocket")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder in which a user has files of such names."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in TAKEN:
        (folder / f"{name}.py").write_text("open('ran', 'a').write(__name__ + ' ')\n")
    return folder


def program(folder: Path, source: str) -> str:
    """The path of a script, in a folder of its own as an installed command is."""
    (folder / "bin").mkdir()
    (folder / "bin" / "program.py").write_text(source)
    return str(folder / "bin" / "program.py")


def test_files_in_the_current_folder_are_not_taken_for_the_modules_of_a_service(
    tmp_path: Path, hostile: Path
) -> None:
    with Venue(seed=1) as venue:
        source = f"""
import time
from qehost import API, WebSocketService
api = API({venue.api_key!r}, {venue.api_secret!r}, base_url={venue.rest_url!r})
service = WebSocketService(api, {venue.ws_url!r})
service.connect()
while not service.is_connected(): time.sleep(0.01)
service.close()
"""
        with Script(program(tmp_path, source), folder=hostile) as script:
            script.leaves_nothing()
            assert script.wait() == 0, script.story()
    assert not (hostile / "ran").exists(), (hostile / "ran").read_text()


def test_files_in_the_current_folder_are_not_taken_for_the_modules_of_qehost_run(
    tmp_path: Path, hostile: Path
) -> None:
    """But a plugin that stands there is found."""
    (hostile / "mine.py").write_text(
        "def on_start(context):\n    global stop\n    stop = context.stop\n"
        "def on_connected(event): stop('CONNECTED')\n"
    )
    command = program(tmp_path, "from qehost.cli import main; main(prog_name='qehost')")
    arguments = ("run", "--simulate", "-p", "mine", "--state-dir", "state", "--duration", "60")
    with Script(command, *arguments, folder=hostile) as script:
        script.leaves_nothing()
        assert script.wait() == 0, script.story()
        assert "stopping: CONNECTED" in script.story()
    assert not (hostile / "ran").exists(), (hostile / "ran").read_text()


def test_a_child_that_loads_plugins_has_the_parents_path_and_any_other_not_the_programs_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path, str(tmp_path)])
    with Answers(loads_plugins=True) as ask:
        assert ask("sys.path") == sys.path
    with Answers() as ask:
        path = ask("sys.path")
    assert path == [p for p in sys.path if p not in ("", str(tmp_path))] + [spawn.ROOT]


@pytest.mark.parametrize("how", ["current folder", "vendored"])
def test_it_imports_the_same_qehost_as_its_parent(tmp_path: Path, modules: Path, how: str) -> None:
    """Also a checkout's, in whose folder the program was started, and beside one installed."""
    checkout = tmp_path / "checkout"
    package = Path(spawn.ROOT) / "qehost"
    shutil.copytree(package, checkout / "qehost", ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "signal.py").write_text("raise ImportError('the wrong signal')")
    source = f"""
import json, sys
import signal  # before the path is set
sys.path.insert(0, {str(modules)!r})
sys.path.insert(0, {str(checkout)!r})
from qehost.processes import spawn
process = spawn.start("answers", "child_that_answers", [None])
process.pipe.send("[m.__file__ for n, m in sys.modules.items() if n.startswith('qehost')]")
print(json.dumps(process.pipe.recv()))
"""
    folder = checkout if how == "current folder" else tmp_path
    done = subprocess.run(
        [sys.executable, "-P", "-c", source], cwd=folder, capture_output=True, text=True, check=True
    )
    files = json.loads(done.stdout)
    assert files
    assert all(file.startswith(str(checkout)) for file in files)


def test_it_starts_also_in_a_folder_that_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    with Answers() as ask:
        assert ask("1 + 1") == 2
