"""A thread for each target, which sends one message at a time: a slow service delays no other."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import NamedTuple

from qehost_notify.sending import send
from qehost_notify.services import Answer, Outgoing, Service
from qehost_notify.targets import Target

__all__ = ["Answered", "Worker", "deliver"]


class Answered(NamedTuple):
    """What became of the message with this number."""

    target: str
    message: int
    answer: Answer


class Worker:
    """Sends to one target; what came of it goes into `answers`."""

    def __init__(
        self, name: str, target: Target, timeout: float, answers: SimpleQueue[Answered]
    ) -> None:
        self._name, self._target, self._timeout = name, target, timeout
        self._answers = answers
        self._jobs: SimpleQueue[tuple[int, Outgoing] | None] = SimpleQueue()
        # A daemon: one that hangs in the resolver must not hold the end of the process up.
        thread = threading.Thread(target=self._work, name=f"notify {target.label}", daemon=True)
        thread.start()

    def post(self, number: int, message: Outgoing) -> None:
        self._jobs.put((number, message))

    def end(self) -> None:
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            number, message = job
            self._answers.put(
                Answered(self._name, number, deliver(self._target, message, self._timeout))
            )


def deliver(target: Target, message: Outgoing, timeout: float) -> Answer:
    """Send one message.  Never raises."""
    service = target.service
    try:
        if isinstance(service, Service):
            return send(service, message, timeout)
        return service.send(message, timeout)
    except Exception as error:  # noqa: BLE001 - of a foreign library; a dead thread would tell nobody
        return Answer("unknown", f"it failed with {type(error).__name__}")
