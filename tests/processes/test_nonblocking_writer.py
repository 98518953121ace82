"""Log lines hold nobody up, not even where nobody reads them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from waiting import PATIENCE, wait_for

from qehost.processes.nonblocking_writer import NonBlockingWriter


class Reader:
    """Reads a pipe to its end, in a thread."""

    def __init__(self, fd: int) -> None:
        self.text = b""
        self._fd = fd
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while data := os.read(self._fd, 65536):
            self.text += data

    def wait_for(self, text: bytes) -> None:
        wait_for(lambda: text in self.text, text)

    def wait(self) -> None:
        self._thread.join(PATIENCE)
        os.close(self._fd)


def test_a_reader_that_stands_still_holds_nobody_up_and_is_told_what_it_missed():
    end, writer = os.pipe()
    with open(writer, "w", encoding="utf-8") as pipe:
        output = NonBlockingWriter(pipe, limit=50)
        # Who waited for the reader would wait for ever.
        for number in range(1000):
            output.write(f"line {number:04d} {'x' * 1000}\n")
            output.flush()
        reader = Reader(end)
        reader.wait_for(b"they were not read in time")
        output.write("the last line\n")
        reader.wait_for(b"the last line\n")
    reader.wait()
    lines = reader.text.decode().splitlines()
    assert lines[0].startswith("line 0000")
    assert any(
        line.endswith("log lines were dropped: they were not read in time") for line in lines
    )


def test_what_was_written_last_is_not_lost_at_the_end_of_the_process():
    program = (
        "import sys; from qehost.processes.nonblocking_writer import NonBlockingWriter\n"
        "NonBlockingWriter(sys.stderr).write('bye')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stderr == "bye"


def test_the_end_of_the_process_does_not_wait_for_a_reader():
    program = (
        "import sys; from qehost.processes.nonblocking_writer import NonBlockingWriter\n"
        "output = NonBlockingWriter(sys.stderr)\nfor _ in range(300): output.write('x' * 1000)"
    )
    reader, writer = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", program], stderr=writer)
    os.close(writer)
    assert process.wait(PATIENCE) == 0
    os.close(reader)


def test_in_the_place_of_standard_error_it_takes_what_that_takes_and_a_fork_writes_too() -> None:
    program = """
import os, sys
from qehost.processes.nonblocking_writer import NonBlockingWriter, text_file
sys.stderr = text_file(NonBlockingWriter(os.fdopen(os.dup(2), "w")), 2)
print("plain", file=sys.stderr)
sys.stderr.buffer.write(b"bytes \\xff\\n")
print("lone \\udc80 \\ud800", file=sys.stderr)
assert sys.stderr.fileno() == 2 and not sys.stderr.isatty()
if os.fork() == 0:
    sys.stderr.write("forked\\n")  # in one piece, as the log does
    os._exit(0)
os.wait()
sys.stderr.close()
sys.exit(1)
"""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    # The thread may be behind the fork, which writes at once.
    assert ended.stderr.count(b"forked\n") == 1
    lines = ended.stderr.replace(b"forked\n", b"").splitlines()
    assert [x for x in lines if not x.startswith(b"lone")] == [b"plain", b"bytes \xff"]
    assert ended.returncode == 1
