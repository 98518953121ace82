"""Execution quality of master orders: in the log, and as a report from the journal."""

from qehost_stats.plugin import Stats
from qehost_stats.settings import Config

__all__ = ["Config", "Stats"]
