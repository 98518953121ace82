"""Rules that warn, pause or cancel: nothing twice, and nothing without an outcome."""

from qehost_guard.plugin import Guard
from qehost_guard.settings import Config, Rule

__all__ = ["Config", "Guard", "Rule"]
