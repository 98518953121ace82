"""`python docs/make_terminal.py SECONDS COMMAND …`: docs/terminal.svg, the screen of a command.

The command runs in a terminal of its own; after so many seconds the picture is taken and the
command is interrupted.  Needs `pip install pyte` beside qehost.  The one in README.md is

    python docs/make_terminal.py 40 qehost run --simulate --state-dir /tmp/trial
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from itertools import groupby
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

COLUMNS, ROWS = 110, 34
PICTURE = Path(__file__).with_name("terminal.svg")


def screen_of(seconds: float, command: list[str]) -> pyte.Screen:
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            stream.feed(os.read(terminal, 65_536))
    os.kill(pid, signal.SIGINT)
    return screen


def style_of(cell: pyte.screens.Char) -> Style:
    names = {"brown": "yellow", "default": None}
    colour = names.get(cell.fg, cell.fg.replace("bright", "bright_"))
    return Style(color=colour, bold=cell.bold, italic=cell.italics, reverse=cell.reverse)


def main() -> None:
    seconds, *command = sys.argv[1:]
    screen = screen_of(float(seconds), command)
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        for row in range(ROWS):
            line = Text(no_wrap=True)
            cells = [screen.buffer[row][column] for column in range(COLUMNS)]
            for style, run in groupby(cells, style_of):
                line.append("".join(cell.data for cell in run), style)
            console.print(line)
        picture = console.export_svg(title=" ".join(command[:3]))
    # Whoever looks at it need not tell another server so.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    PICTURE.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
