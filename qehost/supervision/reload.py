"""Replacing the host processes while the stream stays up.

In this order, so that no event is lost and no plugin runs twice at once::

    loading       the new processes import and configure their plugins; the old ones go on.
                  Whatever goes wrong here ends the reload, and nothing has changed
    handing over  the connections write to the new processes' queues; the old ones deliver what
                  they have, call on_stop and end; a new one starts its plugins when every process
                  that had one of them has ended, where the furthest behind of those stood
    done          the last new process is ready
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from msgspec.structs import replace

from qehost.control import Go, HostTask, Loaded, Stop
from qehost.errors import Error
from qehost.host.cursors import Standing
from qehost.state import StateFolder
from qehost.supervision.child import Child
from qehost.supervision.placing import forget_moved, place, standing_of

__all__ = ["LOADING", "Reload", "Reread"]

log = logging.getLogger("qehost.supervisor")

LOADING = 60.0
"""Seconds for importing and configuring all plugins."""
STARTING = 60.0
"""Seconds for all on_start, before the reload counts as failed.  The processes are left alone."""


class Reread(NamedTuple):
    """What the settings say now."""

    hosts: list[HostTask]
    needs_restart: list[str]
    """Settings that have changed and are not taken over by a reload."""


class Reload:
    """One reload.  `hosts` are the processes that run; it puts the new ones into their place.

    `replaced` is called when it has: the connections are to write to the new ones, which makes
    them let go of the old queues.  `drain_timeout` is in seconds; `now` is on the monotonic clock.
    """

    def __init__(
        self,
        tasks: Iterable[HostTask],
        hosts: dict[str, Child],
        folder: StateFolder,
        *,
        replaced: Callable[[], None],
        drain_timeout: float,
        now: float,
    ) -> None:
        self._hosts = hosts
        self._folder = folder
        self._replaced = replaced
        self._drain_timeout = drain_timeout
        self._by = now + LOADING
        self.outcome: str | None = None
        """How it has ended; None: it goes on."""
        self.ok = False
        self._new = {
            task.name: Child("host", task.name, "qehost.host.process", replace(task, beside=True))
            for task in tasks
        }
        self._loaded: set[str] = set()
        self._leaving: dict[str, Child] = {}
        self._waits: dict[str, set[str]] = {}
        self._stood: dict[str, Standing | None] = {}
        self._all_placed = True
        self._handing_over = False
        self._starting = False
        try:
            for child in self._new.values():
                child.start(now)
        except Error as error:
            self._refuse(str(error))

    @property
    def children(self) -> list[Child]:
        """Its processes that are not among `hosts`."""
        if self._handing_over:
            return list(self._leaving.values())
        return list(self._new.values())

    def holds_back(self, child: Child) -> bool:
        """Whether this process must not start its plugins yet."""
        return self._handing_over and child.name in self._waits

    # --- loading -------------------------------------------------------------------------

    def loaded(self, child: Child, said: Loaded, now: float) -> None:
        if self._handing_over or self._new.get(child.name) is not child:
            return
        running = {plugin for host in self._hosts.values() for plugin in host.plugins}
        missed = [why for plugin, why in said.problems.items() if plugin in running]
        if missed:
            self._refuse("\n".join(missed))
            return
        self._loaded.add(child.name)
        if self._loaded == self._new.keys():
            self._hand_over(now)

    def refused(self, child: Child, why: str) -> bool:
        """A process can't go on.  False: it is none of those that are being loaded."""
        if self._handing_over or self._new.get(child.name) is not child:
            return False
        self._refuse(why)
        return True

    def took_leave(self, child: Child, how: str, exit_code: int) -> bool:
        """A process has ended.  False: it is one that is in place."""
        if self._leaving.get(child.name) is child:
            del self._leaving[child.name]
            if exit_code:
                log.error("%s", how)
            self._stood[child.name] = standing_of(self._folder, child.name)
            self._go_on()
            return True
        if self._handing_over or self._new.get(child.name) is not child:
            return False
        self._refuse(f"while it loaded its plugins, {how[:1].lower()}{how[1:]}")
        return True

    def abandon(self, why: str) -> None:
        """Everything ends."""
        self._refuse(why)

    def _refuse(self, why: str) -> None:
        if self.outcome is None:
            self.outcome = why
        if not self._handing_over:
            for child in self._new.values():
                child.kill()

    # --- handing over --------------------------------------------------------------------

    def _hand_over(self, now: float) -> None:
        self._handing_over = True
        self._by = now + self._drain_timeout
        old = dict(self._hosts)
        self._leaving = {name: child for name, child in old.items() if child.running}
        for child in old.values():
            child.start_at = None
        # As at a start: also those that went long ago.
        self._stood = {
            name: standing_of(self._folder, name)
            for name in self._folder.processes()
            if name not in self._leaving
        }
        for name, child in self._new.items():
            task = _task(child)
            before = {n for n, c in old.items() if n == name or _share(task, _task(c))}
            self._waits[name] = before
            child.was_ready = True
        self._hosts.clear()
        self._hosts.update(self._new)
        self._replaced()
        for name, child in self._leaving.items():
            # Of a process that goes for good the connections do not let go.
            patience = self._drain_timeout * 0.85 if name in self._new else 0.5
            child.send(Stop("reload", min(patience, self._drain_timeout * 0.85)))
        self._go_on()

    def _go_on(self) -> None:
        """Start the plugins of all new processes that wait for nobody any more."""
        free = [n for n, before in self._waits.items() if before.isdisjoint(self._leaving)]
        for name in free:
            del self._waits[name]
            child = self._hosts[name]
            if not place(self._folder, _task(child), self._stood):
                self._all_placed = False
            # From now on the marks are its own, also when it is started again.
            child.task = replace(_task(child), beside=False)
            child.send(Go())
        if free and not self._waits and self._all_placed:
            forget_moved(self._folder, self._stood, [_task(host) for host in self._hosts.values()])

    def ready(self) -> None:
        """A process is ready."""
        if (
            self.outcome is None
            and self._handing_over
            and not self._waits
            and all(h.ready for h in self._hosts.values())
        ):
            self.ok = True
            self.outcome = ""

    def keep_time(self, now: float) -> None:
        if self._handing_over and not self._leaving and not self._starting:
            self._starting = True
            self._by = now + STARTING
        if now < self._by or self.outcome is not None:
            return
        if not self._handing_over:
            late = sorted(self._new.keys() - self._loaded)
            self._refuse(
                f"the plugins of process {', '.join(late)} were not loaded within {LOADING:g} s"
            )
        elif self._leaving:
            for child in self._leaving.values():
                log.error("the old %s did not end within %g s: killed", child, self._drain_timeout)
                child.kill()
            self._by = now + self._drain_timeout
        else:
            late = sorted(name for name, child in self._hosts.items() if not child.ready)
            self._refuse(f"the plugins of process {', '.join(late)} have not started yet")


def _task(child: Child) -> HostTask:
    assert isinstance(child.task, HostTask)
    return child.task


def _share(one: HostTask, other: HostTask) -> bool:
    return not set(one.wanted).isdisjoint(other.wanted)
