"""Log lines hold nobody up, not even where nobody reads them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

from qehost.unhurried import Unhurried


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
        deadline = time.monotonic() + 20
        while text not in self.text:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def wait(self) -> None:
        self._thread.join(20)
        os.close(self._fd)


def test_a_reader_that_stands_still_holds_nobody_up_and_is_told_what_it_missed():
    end, writer = os.pipe()
    with open(writer, "w", encoding="utf-8") as pipe:
        output = Unhurried(pipe, limit=50)
        began = time.monotonic()
        for number in range(1000):
            output.write(f"line {number:04d} {'x' * 1000}\n")
            output.flush()
        assert time.monotonic() - began < 5
        reader = Reader(end)
        reader.wait_for(b"nobody read them")
        output.write("the last line\n")
        reader.wait_for(b"the last line\n")
    reader.wait()
    lines = reader.text.decode().splitlines()
    assert lines[0].startswith("line 0000")
    assert any(line.endswith("log lines were dropped: nobody read them") for line in lines)


def test_what_was_written_last_is_not_lost_at_the_end_of_the_process():
    program = (
        "import sys; from qehost.unhurried import Unhurried; Unhurried(sys.stderr).write('bye')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == "bye"


def test_the_end_of_the_process_does_not_wait_for_a_reader():
    program = (
        "import sys; from qehost.unhurried import Unhurried\n"
        "output = Unhurried(sys.stderr)\nfor _ in range(300): output.write('x' * 1000)"
    )
    reader, writer = os.pipe()
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", program], stderr=writer)
    os.close(writer)
    assert process.wait(60) == 0
    assert time.monotonic() - began < 20
    os.close(reader)
