"""The styles: lines that scroll, a table that is repainted in place, and nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from rich.console import RenderableType

from qehost_console.figures import day
from qehost_console.lines import Line, day_line
from qehost_console.output import Output
from qehost_console.screen import Screen

__all__ = ["Display", "LineDisplay", "LiveDisplay", "NoDisplay"]

Draw = Callable[[tuple[int, int]], list[RenderableType]]

# Eight frames a second look smooth.  Drawing never takes more than a twentieth of the time, which
# the plugins of the process share.
_FRAME = 0.125
_SHARE = 20


class Display(Protocol):
    """What the hooks write to."""

    detailed: bool
    """Whether it prints a line for every event, or only for important ones."""

    def say(self, line: Line, at: int) -> None:
        """Show a line; `at` is the event's epoch ns."""

    def refresh(self, whole: bool = False) -> None:
        """Update the output; `whole` about once a second."""

    def close(self) -> None:
        """Restore the terminal."""


class NoDisplay:
    """Shows nothing."""

    detailed = False

    def say(self, line: Line, at: int) -> None:
        pass

    def refresh(self, whole: bool = False) -> None:
        pass

    def close(self) -> None:
        pass


class LineDisplay:
    """One line an event, flushed after each batch."""

    detailed = True

    def __init__(self, output: Output) -> None:
        self._output = output
        self._day = ""

    def say(self, line: Line, at: int) -> None:
        today = day(at)
        if today != self._day:
            self._day = today
            self._output.write(self._output.text(day_line(at)) + "\n")
        self._output.write(self._output.text(line) + "\n")

    def refresh(self, whole: bool = False) -> None:
        self._output.flush()

    def close(self) -> None:
        self._output.flush()


class LiveDisplay:
    """The table at the bottom of the screen; important lines and the log scroll above it."""

    detailed = False

    def __init__(self, output: Output, draw: Draw) -> None:
        self._output = output
        self._draw = draw
        self._above: list[str] = []
        self._screen = Screen(self._put, output.size)
        self._next = 0.0

    def say(self, line: Line, at: int) -> None:
        self._above.append(self._output.text(line) + "\n")

    def refresh(self, whole: bool = False) -> None:
        started = time.monotonic()
        if started < self._next and not whole:
            return
        self._screen.paint(self._frame(), "".join(self._above), whole)
        self._above.clear()
        now = time.monotonic()
        self._next = now + max(_FRAME, _SHARE * (now - started))

    def close(self) -> None:
        self._screen.paint(self._frame(), "".join(self._above))
        self._screen.close(self._frame())

    def _frame(self) -> list[str]:
        size = self._output.size()
        return self._output.rendered(self._draw(size), size[0], pad=True)

    def _put(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()
