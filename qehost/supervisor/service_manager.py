"""Telling the service manager that started qehost how it is: systemd's `sd_notify`.

Datagrams of `NAME=value` lines to the socket that the environment names; without one nothing is
sent.  See sd_notify(3).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import deque
from collections.abc import MutableMapping
from contextlib import suppress

from qehost.storage.status import ConnectionState, Status

__all__ = ["ServiceManager"]

log = logging.getLogger("qehost.supervisor")

NEVER = float("inf")


class ServiceManager:
    """Takes what it needs out of `environ`, so that nothing that qehost starts speaks for it.

    `next_at` is when `keep_time` is due, in seconds on the monotonic clock.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        path = environ.pop("NOTIFY_SOCKET", "")
        every = environ.pop("WATCHDOG_USEC", "")
        whose = environ.pop("WATCHDOG_PID", "")
        self._socket: socket.socket | None = None
        if path.startswith(("/", "@")):
            # Linux writes an abstract address with a NUL.
            self._address = path.replace("@", "\0", 1) if path.startswith("@") else path
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            # A manager that does not read must not hold up the supervisor.
            self._socket.setblocking(False)
        self._unsent: deque[str] = deque()
        self._ready = self._reloading = self._stopping = False
        self._status = ""
        ours = self._socket is not None and whose in ("", str(os.getpid()))
        # Half the time, as sd_watchdog_enabled(3) has it.
        self._pause = int(every) / 2e6 if ours and every.isdecimal() else 0.0
        self.next_at = 0.0 if self._pause else NEVER

    def tell(self, status: Status) -> None:
        """To be called with each status, once a second.

        It is ready once each account is connected, or has tried to in vain: the rest goes on by
        itself for as long as the venue is away.
        """
        if self._socket is None:
            return
        if not self._ready and all(map(_has_tried, status.connections)):
            self._ready = True
            self._send("READY=1")
        reload = status.reload
        if self._reloading and reload.ended == reload.started:
            self._reloading = False
            self._send("READY=1")
        if self._ready and not self._stopping and (text := status.summary()) != self._status:
            self._status = text
            self._send(f"STATUS={text}")
        self._send_rest()

    def reloading(self) -> None:
        """A reload has begun; `tell` says that it has ended."""
        self._reloading = True
        self._send(
            f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
        )

    def stopping(self, reason: str) -> None:
        self._stopping = True
        self._send(f"STOPPING=1\nSTATUS=stopping: {reason.splitlines()[0] if reason else ''}")

    def keep_time(self, now: float) -> None:
        """To be called by the loop whose progress proves that the supervisor works."""
        if now >= self.next_at:
            self.next_at = now + self._pause
            self._send("WATCHDOG=1")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> None:
        if self._socket is not None:
            self._unsent.append(text)
            self._send_rest()

    def _send_rest(self) -> None:
        """In order; what the manager has no room for now is sent later."""
        while self._unsent and self._socket is not None:
            try:
                self._socket.sendto(self._unsent[0].encode(errors="replace"), self._address)
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("the service manager can't be told anything: %s", error.strerror)
                with suppress(OSError):
                    self.close()
                self.next_at = NEVER
                return
            self._unsent.popleft()


def _has_tried(connection: ConnectionState) -> bool:
    return connection.state not in ("starting", "connecting") or bool(connection.why)
