"""Where messages go while no target is set: into qehost's log."""

from __future__ import annotations

import logging

from qehost_notify.services import Answer, Outgoing

__all__ = ["LogService"]


class LogService:
    """Takes every message."""

    kind = "log"
    pace = 0.0
    address = ""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def send(self, message: Outgoing, timeout: float) -> Answer:
        for line in (message.title, *message.text.splitlines()):
            self._logger.info("%s", line)
        return Answer("sent")
