"""What arrives at the local venue, frame by frame."""

from __future__ import annotations

from collections import Counter

from websocket import ABNF

from qehost.simulator.connection import ClientConnection

__all__ = ["Frames"]


class Frames:
    """How many of each opcode came on a connection; one that is just being read may be missed."""

    def __init__(self, connection: ClientConnection) -> None:
        self.count: Counter[int] = Counter()
        self._receive = connection._frames.recv_frame
        connection._frames.recv_frame = self._note

    def _note(self) -> ABNF:
        received = self._receive()
        self.count[received.opcode] += 1
        return received
