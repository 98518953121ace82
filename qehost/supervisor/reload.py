"""Replacing the host processes while the stream stays up.

In this order, so that no event is lost and no plugin runs twice at once::

    loading       the new processes import and configure their plugins; the old ones go on.
                  Whatever goes wrong here ends the reload, and nothing has changed
    handing over  the connections write to the new processes' queues; the old ones deliver what
                  they have, call on_stop and end; a new one starts its plugins when every process
                  that had one of them has ended, each where it stood
    done          the last new process is ready.  Where an `on_start` raised, the reload has failed,
                  but the new processes stay: the plugin is tried again, and the others go on
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from qehost.errors import Error
from qehost.processes.child import Child
from qehost.processes.control import Go, HostTask, Loaded, Ready, Stop
from qehost.storage.cursor_file import StoredCursors
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.children import HostChild
from qehost.supervisor.initial_cursors import forget_moved, known_of, place
from qehost.supervisor.shutdown import DRAINED_BY

__all__ = ["LOADING", "Reload", "Reread"]

log = logging.getLogger("qehost.supervisor")

LOADING = 60.0
"""Seconds for importing and configuring all plugins."""
STARTING = 60.0
"""Seconds for all on_start, before the reload counts as failed.  The processes are left alone."""
LEAVING = 0.5
"""Seconds that a process has which has no successor of its name: the connections go on writing to
its queue, and what it does not deliver its plugins get in their new processes."""


class Reread(NamedTuple):
    """What the settings say now."""

    hosts: list[HostTask]
    needs_restart: list[str]
    """Settings that have changed and are not taken over by a reload."""


class Reload:
    """One reload.  `hosts` are the processes that run; it puts the new ones into their place.

    `replaced` is called when it has: the connections are to write to the new ones, by which they
    close the old queues.  `drain_timeout` is in seconds; `now` is on the monotonic clock.
    """

    def __init__(
        self,
        tasks: Iterable[HostTask],
        hosts: dict[str, HostChild],
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
        self._new = {task.name: HostChild(task) for task in tasks}
        self._loaded: set[str] = set()
        self._old: dict[str, HostChild] = {}
        """Those that still run, and are to end."""
        self._waits: dict[str, set[str]] = {}
        """For which of the old ones each new one waits before it starts its plugins."""
        self._known: dict[str, StoredCursors | None] = {}
        """How far each process had come that has ended."""
        self._all_placed = True
        self._not_started: list[str] = []
        """Why plugins did not start; they are in place, and their events wait for them."""
        self._handing_over = False
        self._starting = False
        try:
            for child in self._new.values():
                child.start(now)
        except Error as error:
            self._refuse(str(error))

    @property
    def children(self) -> list[HostChild]:
        """Its processes that are not among `hosts`."""
        if self._handing_over:
            return list(self._old.values())
        return list(self._new.values())

    def holds_back(self, child: Child) -> bool:
        """Whether this process must not start its plugins yet."""
        return self._handing_over and child.name in self._waits

    # --- loading -------------------------------------------------------------------------

    def loaded(self, child: HostChild, message: Loaded, now: float) -> bool:
        """A process has loaded its plugins.  False: it is none of those that are being loaded."""
        if self._handing_over or self._new.get(child.name) is not child:
            return False
        if self.outcome is not None:
            return True  # it was refused meanwhile, and its processes are killed
        if missed := self._missed(message):
            self._refuse("\n".join(missed))
            return True
        self._loaded.add(child.name)
        if self._loaded == self._new.keys():
            self._hand_over(now)
        return True

    def _missed(self, message: Loaded) -> list[str]:
        """What the reload would take away, or was told to do and can't be done."""
        hosts = self._hosts.values()
        running = {plugin for host in hosts for plugin in host.plugins}
        idle = {plugin for host in hosts for plugin in host.idle}
        return [
            *(
                why
                for plugin, why in message.problems.items()
                if plugin in running or plugin in message.invalid
            ),
            # Most likely its file was read while it was being written.
            *(
                f"plugin {plugin}: it had hooks, and now implements none"
                for plugin in message.idle
                if plugin in running - idle
            ),
        ]

    def refused(self, child: Child, why: str) -> bool:
        """A process can't go on.  False: it is none of those that are being loaded."""
        if self._handing_over or self._new.get(child.name) is not child:
            return False
        self._refuse(why)
        return True

    def ended(self, child: Child, how: str, exit_code: int) -> bool:
        """A process has ended.  False: it is one that is in place."""
        if (old := self._old.get(child.name)) is child:
            del self._old[child.name]
            if exit_code:
                log.error("%s", how)
            self._known[child.name] = known_of(self._folder, child.name, old)
            old.close()
            self._go_on()
            return True
        new = self._new.get(child.name)
        if self._handing_over or new is not child:
            return False
        new.close()
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
        before = dict(self._hosts)
        self._old = {name: child for name, child in before.items() if child.running}
        for child in before.values():
            child.start_at = None
        # As at a start: also of those that ended long ago.
        self._known = {
            name: known_of(self._folder, name, before.get(name))
            for name in {*self._folder.processes(), *before}
            if name not in self._old
        }
        for name, child in self._new.items():
            self._waits[name] = {
                n for n, c in before.items() if n == name or _share(child.task, c.task)
            }
            child.worked = True
        self._hosts.clear()
        self._hosts.update(self._new)
        self._replaced()
        for name, child in self._old.items():
            within = self._drain_timeout * DRAINED_BY
            child.send(Stop("reload", within if name in self._new else min(LEAVING, within)))
        self._go_on()

    def _go_on(self) -> None:
        """Start the plugins of all new processes for which every old one that they wait for has
        ended."""
        free = [name for name, old in self._waits.items() if old.isdisjoint(self._old)]
        for name in free:
            del self._waits[name]
            child = self._hosts[name]
            if not place(self._folder, child, self._known):
                self._all_placed = False
            child.released = True
            child.send(Go())
        if free and not self._waits and self._all_placed:
            forget_moved(self._folder, self._known, self._hosts.values())

    def ready(self, message: Ready) -> None:
        """A process has started its plugins."""
        if self.outcome is not None or not self._handing_over:
            return
        self._not_started += message.waiting.values()
        if not self._waits and all(h.ready for h in self._hosts.values()):
            self.ok = not self._not_started
            self.outcome = "\n".join(self._not_started)

    def keep_time(self, now: float) -> None:
        if self._handing_over and not self._old and not self._starting:
            self._starting = True
            self._by = now + STARTING
        if now < self._by or self.outcome is not None:
            return
        if not self._handing_over:
            late = sorted(self._new.keys() - self._loaded)
            self._refuse(
                f"the plugins of process {', '.join(late)} were not loaded within {LOADING:g} s"
            )
        elif self._old:
            for child in self._old.values():
                log.error("the old %s did not end within %g s: killed", child, self._drain_timeout)
                child.kill()
            self._by = now + self._drain_timeout
        else:
            late = sorted(name for name, child in self._hosts.items() if not child.ready)
            self._refuse(f"the plugins of process {', '.join(late)} have not started yet")


def _share(one: HostTask, other: HostTask) -> bool:
    return not set(one.wanted).isdisjoint(other.wanted)
