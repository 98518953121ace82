"""The lower part of a terminal, repainted in place, while everything else scrolls above it.

Several processes share the terminal: the supervisor, the connections and this one log to it, and no
redirection within one process can catch the others.  So the terminal itself keeps them apart: its
scroll region ends above the picture, the cursor waits inside the region, and whoever writes there
scrolls that part alone.  No log line is overwritten, and they all stay in the scrollback.

A frame goes out in one write, which the kernel does not interleave with another process's write.
Between two frames the cursor is visible and no mode is on except the scroll region.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["Screen"]

_BEGIN = "\x1b[?2026h\x1b[?25l"  # terminals that can, show the frame when it is whole
_END = "\x1b[?25h\x1b[?2026l"
_SAVE, _RESTORE = "\x1b7", "\x1b8"
_CLEAR = "\x1b[r\x1b[2J\x1b[H"


class Screen:
    """Paints lines at the bottom of a terminal.

    `write` puts one text on the terminal at once; `size` gives columns and rows.  No thread and no
    signal handler: a changed size is noticed at the next paint.
    """

    def __init__(self, write: Callable[[str], None], size: Callable[[], tuple[int, int]]) -> None:
        self._write = write
        self._size = size
        self._painted: tuple[int, int] | None = None  # the size that the screen was set up for
        self._shown: list[str] = []

    def paint(self, lines: Sequence[str], above: str = "", whole: bool = False) -> None:
        """Show `lines`, each exactly as wide as the screen, in place of those before.

        `above` is text to scroll in above them, lines ending in a line feed.  Only lines that
        changed are sent, unless `whole` asks for all, which heals what a stray write has spoilt.
        """
        columns, rows = self._size()
        if len(lines) >= rows:
            lines = lines[: rows - 1]
        out = [_BEGIN]
        if self._painted != (columns, rows):
            if self._painted is not None:
                # The terminal has moved the old picture, and it is unknown where to.
                out.append(_CLEAR)
            self._painted = (columns, rows)
            self._shown = []
        growth = len(lines) - len(self._shown)
        if growth > 0:
            # Line feeds at the end of the region scroll it; the way back up is then free.
            out.append("\n" * growth + f"\x1b[{growth}A")
        first = rows - len(lines) + 1
        out.append(f"{_SAVE}\x1b[1;{first - 1}r")
        freed = range(rows - len(self._shown) + 1, first)
        out.extend(f"\x1b[{row};1H\x1b[2K" for row in freed)
        before = self._shown if growth == 0 and not whole else []
        for offset, line in enumerate(lines):
            if offset >= len(before) or before[offset] != line:
                out.append(f"\x1b[{first + offset};1H{line}")
        out.append(_RESTORE)
        # After the frame, in the region: a line feed before it could have touched the old picture.
        out.append(above.replace("\n", "\r\n"))
        out.append(_END)
        self._shown = list(lines)
        self._write("".join(out))

    def close(self, lines: Sequence[str]) -> None:
        """Give the whole terminal back and leave `lines` on it, as if they had been printed."""
        if self._painted is None:
            return
        # Setting the region moves the cursor home, so its place is kept around that.
        self._write(
            f"{_BEGIN}{_SAVE}\x1b[r{_RESTORE}\r\x1b[J"
            + "".join(line.rstrip(" ") + "\x1b[m\r\n" for line in lines)
            + _END
        )
        self._painted = None
        self._shown = []
