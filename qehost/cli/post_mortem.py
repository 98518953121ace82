"""`qehost replay --pdb`: the plugins in this process, and the debugger at what they raise."""

from __future__ import annotations

import bdb
import pdb
from collections.abc import Iterable

import click

from qehost.errors import HookError
from qehost.host.plugin_code import describe_error
from qehost.host.replay import Replay, ReplayTask
from qehost.messages import AnyEvent, Event
from qehost.processes.escape import visible
from qehost.storage.status import PluginStatistics

__all__ = ["PostMortem", "replay_here"]


class PostMortem(pdb.Pdb):
    """Opens at what a hook has raised, where it was raised.  `failed` is to be called with each."""

    def __init__(self) -> None:
        super().__init__()
        self.quit = False
        """The user wants no more."""
        self._last: BaseException | None = None

    def set_quit(self) -> None:
        super().set_quit()
        self.quit = True

    def failed(self, plugin: str, hook: str, event: Event | None, error: BaseException) -> None:
        if isinstance(error, bdb.BdbQuit):  # the debugger that breakpoint() had opened
            self.quit = True
        # What on_batch raises is told for each of its events.
        if self.quit or error is self._last:
            return
        self._last = error
        seq = 0 if event is None else event.seq
        click.echo(visible(str(HookError(plugin, hook, describe_error(error), seq))), err=True)
        self.reset()
        self.interaction(None, error.__traceback__)


def replay_here(
    task: ReplayTask, events: Iterable[AnyEvent]
) -> tuple[int, list[PluginStatistics], list[str]]:
    """The number of events, the plugins' statistics, and why plugins could not be used.

    Each event is a batch of its own, so that a quit ends it with that event.
    """
    post_mortem = PostMortem()
    replay = Replay(task, failures=post_mortem.failed)
    count = 0
    if replay.active:
        for event in events:
            count += 1
            replay.deliver([event])
            replay.keep_time()
            if post_mortem.quit:
                break
    return count, replay.stop("the end of the replay"), replay.problems
