"""Starting a child process: a fresh interpreter, which runs one module of ours.

Not by `multiprocessing`: its children import the program's `__main__` again, so a script without a
main guard would start itself; the first start fixes the program's default start method; a daemonic
process may have no children; and beside them runs a process of Python's own, the resource tracker.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from qehost.processes.bootstrap import SIGNALS, Launch
from qehost.processes.environment import environment_for_child

__all__ = ["Process", "running_children", "start"]

ROOT = str(Path(__file__).absolute().parents[2])
"""The folder that holds this qehost."""

# The child imports this qehost, and nothing else from the folder in which it stands: that may be
# the current folder, with a `signal.py` of the user's.
BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); import qehost; del sys.path[0]; "
    "from qehost.processes.bootstrap import main; main()"
)

# Options of this interpreter that its children get, by their names in `sys.flags`.
FLAGS = {
    "B": "dont_write_bytecode",
    "E": "ignore_environment",
    "I": "isolated",
    "O": "optimize",
    "S": "no_site",
    "b": "bytes_warning",
    "s": "no_user_site",
    "v": "verbose",
}

# A fork that another thread makes during a start would inherit the pipe on which `Popen` waits for
# the new process to run, and so hold up the start for as long as it lives: it waits instead.
_starting = threading.RLock()
os.register_at_fork(
    before=_starting.acquire,
    after_in_parent=_starting.release,
    after_in_child=_starting.release,
)


class Process:
    """A child that was started.  It ends with this object, and so with this process, however that
    one ends."""

    def __init__(
        self, popen: subprocess.Popen[bytes], pipe: Connection, lifeline: Connection
    ) -> None:
        self._popen = popen
        self.pid = popen.pid
        _unwaited[popen.pid] = self
        self.pipe = pipe
        """To and from the child's `main`."""
        self.lifeline = lifeline
        """For `multiprocessing.connection.wait`: ready when the process has ended.  A fork of it
        keeps it from being so, so ask `exit_code` now and then."""

    @property
    def exit_code(self) -> int | None:
        """−N for signal N; None: it has not ended.

        0, too, where something else in this program has waited for its children, or ignores their
        ends.
        """
        code = self._popen.poll()
        self._note_end()
        return code

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end, at most `timeout` seconds; the exit code."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout)
        self._note_end()
        return self._popen.returncode

    def _note_end(self) -> None:
        """Its id is free now, and may be that of the next one."""
        if self._popen.returncode is not None and _unwaited.get(self.pid) is self:
            del _unwaited[self.pid]

    def kill(self) -> None:
        """Does nothing to one that has ended."""
        self._popen.kill()

    def end(self, timeout: float = 0.0) -> None:
        """Close it; it is killed if it has not ended by itself after `timeout` seconds."""
        self.wait(timeout)
        self.kill()
        self.wait()
        self.close()

    def close(self) -> None:
        """To be called when it has ended.  One that has not ends by this."""
        self.pipe.close()
        self.lifeline.close()


_unwaited: WeakValueDictionary[int, Process] = WeakValueDictionary()


def running_children() -> list[int]:
    """The ids of the processes that were started here, and whose ends were not asked for yet."""
    return list(_unwaited)


def start(
    name: str,
    module: str,
    arguments: Sequence[Any] = (),
    pipes: Sequence[Connection] = (),
    *,
    loads_plugins: bool = False,
    keep_secrets: bool = False,
) -> Process:
    """Start `module.main(*arguments, pipe, *pipes)` in a process of its own.

    The module is named, not imported: the parent needs nothing of what its children load.  The
    arguments are pickled and sent over a pipe: they may hold secrets, which the list of processes
    or an environment would show.  The child alone holds `pipes` afterwards, so that its end shows
    as the end of the file: they are closed here, whatever happens.  `loads_plugins`: it can import
    the program's own modules, those beside its script and those in the current folder.
    `keep_secrets`: it has those variables of the environment, too, that hold secrets, or settings
    of plugins.

    On Linux it ends with the thread that calls this, too, so that should be one that stays.  Of the
    interpreter's options it gets those in `FLAGS`, `-P`, `-W`, `-X dev`, `-X faulthandler` and
    `-X utf8`; what else is set by the environment holds there anyway.

    Raises OSError where the system has no process or no file left to give.
    """
    given = list(pipes)
    try:
        with ExitStack() as undo:
            pipe, theirs = Pipe()
            undo.callback(pipe.close)
            given.insert(0, theirs)
            lifeline, theirs = Pipe()
            undo.callback(lifeline.close)
            given.insert(0, theirs)
            launch = _launch(name, module, given[1:], loads_plugins)
            environment = environment_for_child(keep_secrets=keep_secrets)
            process = Process(_popen(name, given, environment), pipe, lifeline)
            undo.pop_all()
    finally:
        for each in given:
            each.close()
    with suppress(OSError):  # it has ended already, and is found so
        lifeline.send(launch)
        lifeline.send(tuple(arguments))
    return process


def _launch(name: str, module: str, pipes: Sequence[Connection], loads_plugins: bool) -> Launch:
    path = [entry for entry in sys.path if isinstance(entry, str)]
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    # The program's own modules stand in the current folder and beside its script.  That may be
    # called `websocket.py`: imported in the library's place, it would run a second time.
    own = {_real_path(""), os.path.dirname(_real_path(script)) if script else ""}
    return Launch(
        name,
        module,
        [(pipe.fileno(), pipe.readable, pipe.writable) for pipe in pipes],
        list(sys.argv),
        # Where qehost stands in such a folder, so may what it needs.
        [*(entry for entry in path if _real_path(entry) not in own), ROOT],
        path if loads_plugins else None,
    )


def _real_path(path: str) -> str:
    try:
        return os.path.realpath(path)
    except OSError:
        return path  # relative to a current folder that was deleted


def _popen(
    name: str, pipes: Sequence[Connection], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """The first of the pipes is the lifeline."""
    descriptors = [pipe.fileno() for pipe in pipes]
    command = [sys.executable, *_options(), "-c", BOOTSTRAP]
    # The name is for whoever looks at the list of processes.
    command += [ROOT, str(descriptors[0]), str(os.getpid()), name]
    # It is born with them blocked, and so can't die of Ctrl-C before it has handlers.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        with _starting:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=descriptors, env=environment
            )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _options() -> list[str]:
    flags = "".join(letter * getattr(sys.flags, name) for letter, name in FLAGS.items())
    # -P: nothing is imported from the current folder before the path has been set.
    options = [f"-P{flags}", f"-Xutf8={sys.flags.utf8_mode}"]
    options += ["-Xdev"] * sys.flags.dev_mode + ["-Xfaulthandler"] * faulthandler.is_enabled()
    return options + [f"-W{option}" for option in sys.warnoptions]
