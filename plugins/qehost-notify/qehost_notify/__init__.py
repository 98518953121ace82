"""Tells people what happens: in chats, and by web hooks."""

from qehost_notify.plugin import Notify
from qehost_notify.settings import Config

__all__ = ["Config", "Notify"]
