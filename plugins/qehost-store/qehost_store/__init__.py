"""Orders and fills in a database, each exactly once."""

from qehost_store.plugin import Store
from qehost_store.settings import Config

__all__ = ["Config", "Store"]
