"""Messages of the stream on a terminal: a live table, or a readable line a message."""

from qehost_console.plugin import Console
from qehost_console.settings import Config

__all__ = ["Config", "Console"]
