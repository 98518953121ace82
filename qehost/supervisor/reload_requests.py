"""One reload after the other: when one begins, and the report of how it went."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from msgspec.structs import replace

from qehost.errors import Error
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.children import HostChild
from qehost.supervisor.reload import Reload, Reread
from qehost.supervisor.status_report import StatusReporter

__all__ = ["Reloads"]

log = logging.getLogger("qehost.supervisor")


class Reloads:
    """`reread` reads the settings again; without it there is nothing to reload.

    For `hosts`, `replaced` and `drain_timeout` see `Reload`.
    """

    def __init__(
        self,
        reread: Callable[[], Reread] | None,
        hosts: dict[str, HostChild],
        folder: StateFolder,
        reporter: StatusReporter,
        *,
        replaced: Callable[[], None],
        drain_timeout: float,
    ) -> None:
        self._reread = reread
        self._hosts = hosts
        self._folder = folder
        self._reporter = reporter
        self._replaced = replaced
        self._drain_timeout = drain_timeout
        self._needs_restart = ""
        self.current: Reload | None = None
        self.wanted = False
        """One is to begin as soon as none goes on: it reads what has changed by then."""

    @property
    def children(self) -> list[HostChild]:
        """The processes that are not, or no longer, in place."""
        return self.current.children if self.current is not None else []

    def abandon(self, why: str) -> None:
        """Everything ends."""
        self.wanted = False
        if self.current is not None:
            self.current.abandon(why)

    def keep_time(self, now: float) -> None:
        """Do what is due.  `now` is on the monotonic clock."""
        if self.current is not None:
            self.current.keep_time(now)
            outcome = self.current.outcome
            if outcome is not None and not any(child.running for child in self.current.children):
                ok = self.current.ok
                self.current = None
                self._end(ok, self._needs_restart if ok else outcome)
        if self.current is None and self.wanted:
            self.wanted = False
            self._begin(now)

    def _begin(self, now: float) -> None:
        state = self._reporter.reload
        self._reporter.reload = replace(state, started=state.started + 1)
        if self._reread is None:
            self._end(False, "there are no settings to read again")
            return
        log.info("reloading: new versions and new settings of the plugins")
        self._reporter.manager.reloading()
        try:
            reread = self._reread()
        except Error as error:
            self._end(False, str(error))
            return
        except Exception as error:
            # Whatever it is, it must not end what runs.
            log.exception("the settings can't be read again")
            self._end(False, f"the settings can't be read again: {error!r}")
            return
        names = ", ".join(reread.needs_restart)
        self._needs_restart = names and f"changed, too, but taken over by a restart only: {names}"
        self.current = Reload(
            reread.hosts,
            self._hosts,
            self._folder,
            replaced=self._replaced,
            drain_timeout=self._drain_timeout,
            now=now,
        )
        self._reporter.write({})

    def _end(self, ok: bool, text: str) -> None:
        if not ok:
            log.error("the reload failed: %s", "; ".join(text.splitlines()))
        elif text:
            log.warning("reloaded; %s", text)
        else:
            log.info("reloaded")
        state = self._reporter.reload
        self._reporter.reload = replace(
            state, ended=state.ended + 1, at=time.time(), ok=ok, text=text
        )
        self._reporter.write({})
