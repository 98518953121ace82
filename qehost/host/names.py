"""See `qehost.names`."""

from qehost.names import canonical, suggestion

__all__ = ["canonical", "suggestion"]
