"""Writing to standard output, with or without colours, until its reader has closed it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, TextIO

from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS, Group, RenderableType
from rich.console import Console as Terminal
from rich.style import Style

from qehost_console.lines import Line, plain

__all__ = ["Output"]

# A file has no width, and no line of the summary is longer than this.
_WIDTH_ELSEWHERE = 500


class Output:
    """Writes to `file`.  It is no error if its reader has closed it (`qehost run | head`)."""

    def __init__(
        self, file: TextIO, colour: Literal["auto", "always", "never"], logger: logging.Logger
    ) -> None:
        self._file = file
        self._logger = logger
        self._closed = False
        self.is_terminal = file.isatty()
        if colour == "auto":
            wanted = self.is_terminal and not os.environ.get("NO_COLOR")
        else:
            wanted = colour == "always"
        self._terminal = Terminal(
            file=file,
            force_terminal=self.is_terminal or wanted,
            color_system=("auto" if self.is_terminal else "standard") if wanted else None,
            width=None if self.is_terminal else _WIDTH_ELSEWHERE,
            highlight=False,
            markup=False,
            emoji=False,
        )
        name = self._terminal.color_system
        self._system: ColorSystem | None = COLOR_SYSTEMS[name] if name else None

    @property
    def can_repaint(self) -> bool:
        """Whether lines can be repainted in place."""
        return (
            self.is_terminal
            and not self._terminal.is_dumb_terminal
            and not self._terminal.legacy_windows
        )

    def size(self) -> tuple[int, int]:
        """The current columns and rows of the terminal, which may have been resized."""
        try:
            size = os.get_terminal_size(self._file.fileno())
        except (OSError, ValueError):
            return self._terminal.width, self._terminal.height
        # A terminal that does not know its size reports 0.
        return size.columns or 80, size.lines or 24

    def text(self, line: Line) -> str:
        """The line with its colours, if they are on."""
        if self._system is None:
            return plain(line)
        system = self._system
        return "".join([_style(style).render(text, color_system=system) for text, style in line])

    def rendered(self, parts: Iterable[RenderableType], width: int, pad: bool) -> list[str]:
        """Renderables as lines for the terminal, `pad`ded to exactly `width` columns or not."""
        options = self._terminal.options.update(width=width)
        rows = self._terminal.render_lines(Group(*parts), options, pad=pad)
        return [
            "".join(
                [
                    segment.style.render(segment.text, color_system=self._system)
                    if segment.style
                    else segment.text
                    for segment in row
                ]
            )
            for row in rows
        ]

    def show(self, parts: Iterable[RenderableType]) -> None:
        """Print renderables below the existing output."""
        rows = self.rendered(parts, self._terminal.width, pad=False)
        self.write("".join(row.rstrip() + "\n" for row in rows))
        self.flush()

    def write(self, text: str) -> None:
        """Write the text; a character that the file's encoding lacks becomes `?`."""
        if self._closed:
            return
        try:
            try:
                self._file.write(text)
            except UnicodeEncodeError:
                encoding = self._file.encoding or "ascii"
                self._file.write(text.encode(encoding, "replace").decode(encoding))
        except (OSError, ValueError) as error:
            self._note_closed(error)

    def flush(self) -> None:
        """Flush the file."""
        if self._closed:
            return
        try:
            self._file.flush()
        except (OSError, ValueError) as error:
            self._note_closed(error)

    def _note_closed(self, error: Exception) -> None:
        # Raising would make every further event a dead letter, for which nothing could be done.
        self._closed = True
        self._logger.warning("nothing more is shown: standard output is closed (%s)", error)


@lru_cache(maxsize=64)
def _style(definition: str) -> Style:
    return Style.parse(definition)
