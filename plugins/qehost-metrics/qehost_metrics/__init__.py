"""Metrics of qehost for Prometheus, and a health check."""

from qehost_metrics.plugin import Metrics
from qehost_metrics.settings import Config

__all__ = ["Config", "Metrics"]
