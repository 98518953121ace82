"""A page that shows working orders, fills, what went wrong, and how qehost is."""

from qehost_dashboard.plugin import Dashboard
from qehost_dashboard.settings import Config

__all__ = ["Config", "Dashboard"]
