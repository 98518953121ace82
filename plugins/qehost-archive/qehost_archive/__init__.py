"""Every event as Parquet, by kind and day."""

from qehost_archive.plugin import Archive
from qehost_archive.settings import Config

__all__ = ["Archive", "Config"]
